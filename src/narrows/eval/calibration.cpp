#include "narrows/eval/calibration.h"

#include <algorithm>

#include "narrows/codec/context_tables.h"
#include "narrows/codec/quantizer.h"
#include "narrows/eval/node_maps.h"
#include "narrows/eval/parallel.h"
#include "narrows/eval/piece_runner.h"
#include "narrows/graph/extract.h"

namespace narrows {
namespace {

Result<std::vector<QuantizerCalibrator>> makeCalibrators(std::span<const TensorType> types,
                                                         Granularity granularity) {
  std::vector<QuantizerCalibrator> calibrators;
  for (const TensorType& type : types) {
    NARROWS_TRY(calibrator, QuantizerCalibrator::create(type, granularity));
    calibrators.push_back(std::move(calibrator));
  }
  return calibrators;
}

/// Maps kept for coders that are fitted to quantized maps: enough for their tables, few enough to
/// hold beside the engine and to fit in a moment.
constexpr std::size_t kMostSamples = 16;
constexpr std::size_t kMostSampleBytes = std::size_t{8} << 20;

/// Every how many pictures the maps of one are kept.
std::size_t sampleStride(std::span<const TensorType> types, std::size_t pictures) {
  std::size_t bytes = 1;
  for (const TensorType& type : types) bytes += type.bytes();
  const std::size_t most = std::clamp<std::size_t>(kMostSampleBytes / bytes, 1, kMostSamples);
  return (pictures + most - 1) / most;
}

}  // namespace

std::string toString(const QuantizerSpec& spec) {
  if (spec.kind == QuantizerKind::none) return "fp32";
  return fmt::format("{} {} bit per {}", toString(spec.kind), spec.bits,
                     toString(spec.granularity));
}

Result<ByteVector> fitContextTables(const FeatureInterface& interface,
                                    std::span<const TensorView> maps) {
  ContextTrainer trainer(symbolLayout(interface));
  std::vector<std::uint8_t> symbols(static_cast<std::size_t>(interface.type.elements()));
  for (const TensorView& map : maps) {
    quantize(map, interface.quantizer, symbols);
    trainer.observe(symbols);
  }
  return trainer.fit().serialize();
}

Result<std::vector<FeatureInterface>> CutCalibration::fit(const QuantizerSpec& spec,
                                                          const CoderParams& coder) const {
  std::vector<FeatureInterface> interfaces;
  for (std::size_t i = 0; i < calibrators_.size(); ++i) {
    NARROWS_TRY(quantizer, calibrators_[i].fit(spec.kind, spec.bits));
    interfaces.push_back({types_[i], std::move(quantizer), {}});
  }
  NARROWS_CHECK(fitCoder(interfaces, coder));
  return interfaces;
}

Status CutCalibration::fitCoder(std::span<FeatureInterface> interfaces,
                                const CoderParams& coder) const {
  NARROWS_ASSERT(interfaces.size() == types_.size());
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    FeatureInterface& interface = interfaces[i];
    interface.coder = coder;
    if (coder.kind != CoderKind::context || !coder.tables.empty()) continue;
    if (interface.quantizer.kind == QuantizerKind::none) continue;
    std::vector<TensorView> maps;
    for (const std::vector<Tensor>& sample : samples_) maps.push_back(sample[i]);
    NARROWS_TRY(tables, fitContextTables(interface, maps));
    interface.coder.tables = std::move(tables);
  }
  return {};
}

Result<CutCalibration> calibrateCut(const Engine& engine, const Graph& graph, const Cut& cut,
                                    const ModelDescription& description, PictureSource& pictures,
                                    Granularity granularity, std::size_t threads) {
  if (pictures.size() == 0) return makeError("no pictures to calibrate with");
  NARROWS_TRY(node, extractPiece(graph, graph.inputs(), cut.values, "node"));
  std::vector<TensorType> types;
  for (ValueId value : cut.values) types.push_back(graph.type(value));

  ThreadPool pool(threads);
  std::vector<PieceRunner> runners;
  std::vector<std::vector<QuantizerCalibrator>> calibrators;
  for (std::size_t worker = 0; worker < pool.size(); ++worker) {
    NARROWS_TRY(runner, PieceRunner::create(engine, node, 1));
    runners.push_back(std::move(runner));
    NARROWS_TRY(made, makeCalibrators(types, granularity));
    calibrators.push_back(std::move(made));
  }
  const std::size_t stride = sampleStride(types, pictures.size());
  std::vector<std::vector<Tensor>> samples((pictures.size() + stride - 1) / stride);
  NARROWS_CHECK(
      forEachFallible(pool, pictures.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, pictures.get(index));
        const Tensor input = normalizeImage(picture.image, description.preprocessing);
        const TensorView view = input.view();
        NARROWS_TRY(maps, runners[worker].run({&view, 1}));
        for (std::size_t i = 0; i < maps.size(); ++i) {
          calibrators[worker][i].observe(maps[i]);
          // A slot belongs to one picture, so no two workers meet in it.
          if (index % stride == 0) samples[index / stride].push_back(copyOf(maps[i]));
        }
        return {};
      }));
  for (std::size_t worker = 1; worker < pool.size(); ++worker) {
    for (std::size_t i = 0; i < types.size(); ++i) calibrators[0][i].merge(calibrators[worker][i]);
  }
  return CutCalibration(std::move(calibrators[0]), std::move(types), std::move(samples));
}

}  // namespace narrows
