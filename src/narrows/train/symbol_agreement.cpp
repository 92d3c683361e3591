#include "narrows/train/symbol_agreement.h"

#include <algorithm>

#include "narrows/codec/quantizer.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/torch/network.h"

namespace narrows {

Result<SymbolAgreement> compareSymbols(const Graph& node,
                                       std::span<const FeatureInterface> interfaces,
                                       const DataSet& data, const ModelDescription& description,
                                       const Engine& engine, std::size_t pictures) {
  NARROWS_TRY(network, TorchNetwork::create(node));
  NARROWS_TRY(runner, PieceRunner::create(engine, node, 1));
  PictureSource source(data.items, description.preprocessing);
  SymbolAgreement agreement;
  for (std::size_t i = 0; i < std::min(pictures, source.size()); ++i) {
    NARROWS_TRY(picture, source.get(i));
    const Tensor input = normalizeImage(picture.image, description.preprocessing);
    const TensorView view = input.view();
    NARROWS_TRY(deployed, runner.run({&view, 1}));
    NARROWS_TRY(trained, network.run({&view, 1}));
    for (std::size_t k = 0; k < interfaces.size(); ++k) {
      if (interfaces[k].quantizer.kind == QuantizerKind::none) continue;
      const auto count = static_cast<std::size_t>(interfaces[k].type.elements());
      std::vector<std::uint8_t> a(count);
      std::vector<std::uint8_t> b(count);
      quantize(deployed[k], interfaces[k].quantizer, a);
      quantize(trained[k], interfaces[k].quantizer, b);
      agreement.symbols += count;
      for (std::size_t e = 0; e < count; ++e) agreement.different += a[e] != b[e];
    }
  }
  return agreement;
}

}  // namespace narrows
