#include "narrows/engine/onednn/bfloat_conv.h"

#include <cstring>
#include <optional>

#include "narrows/engine/onednn/calls.h"

namespace narrows::onednn {
namespace {

using executor::ByteKernel;
using executor::CompactConv;

class BfloatConvKernel final : public Calls {
 public:
  BfloatConvKernel(const dnnl::engine& engine, const CompactConv& conv) : Calls(engine) {
    std::optional<dnnl::memory> bias;
    for (const Piece& piece : cut(conv.problem)) {
      const executor::ConvProblem& p = piece.problem;
      if (!p.bias.empty() && (!bias || piece.first_channel)) {
        bias.emplace(biasDesc(p), engine);
        std::memcpy(bias->get_data_handle(), p.bias.data(), p.bias.size_bytes());
        own_bytes_ += p.bias.size_bytes();
      }
      const auto pd = describe(engine, p, dnnl::memory::data_type::bf16, typeOf(conv.output.dtype));
      Call call = callOf(engine, pd, conv, piece);
      const WeightShape shape = weightShape(p);
      const dnnl::memory plain({shape.dims, kF32, shape.tag}, engine,
                               const_cast<float*>(p.weights.data()));
      call.arguments.emplace(DNNL_ARG_WEIGHTS, weights_.pack(p.store, std::as_bytes(p.weights),
                                                             plain, pd.weights_desc()));
      if (bias) call.arguments.emplace(DNNL_ARG_BIAS, *bias);
      addCall(std::move(call));
    }
  }
};

}  // namespace

Result<std::unique_ptr<ByteKernel>> makeBfloatConv(const dnnl::engine& engine,
                                                   const CompactConv& conv) {
  try {
    return std::unique_ptr<ByteKernel>(std::make_unique<BfloatConvKernel>(engine, conv));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN has no convolution of bf16 {} -> {}: {}",
                     toString(conv.input.layout.shape), toString(conv.output.layout.shape),
                     error.what());
  }
}

}  // namespace narrows::onednn
