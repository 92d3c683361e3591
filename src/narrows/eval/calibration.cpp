#include "narrows/eval/calibration.h"

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

}  // namespace

std::string toString(const QuantizerSpec& spec) {
  if (spec.kind == QuantizerKind::none) return "fp32";
  return fmt::format("{} {} bit per {}", toString(spec.kind), spec.bits,
                     toString(spec.granularity));
}

Result<std::vector<FeatureInterface>> CutCalibration::fit(const QuantizerSpec& spec,
                                                          const CoderParams& coder) const {
  std::vector<FeatureInterface> interfaces;
  for (std::size_t i = 0; i < calibrators_.size(); ++i) {
    NARROWS_TRY(quantizer, calibrators_[i].fit(spec.kind, spec.bits));
    interfaces.push_back({types_[i], std::move(quantizer), coder});
  }
  return interfaces;
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
  NARROWS_CHECK(
      forEachFallible(pool, pictures.size(), [&](std::size_t index, std::size_t worker) -> Status {
        NARROWS_TRY(picture, pictures.get(index));
        const Tensor input = normalizeImage(picture.image, description.preprocessing);
        const TensorView view = input.view();
        NARROWS_TRY(maps, runners[worker].run({&view, 1}));
        for (std::size_t i = 0; i < maps.size(); ++i) calibrators[worker][i].observe(maps[i]);
        return {};
      }));
  for (std::size_t worker = 1; worker < pool.size(); ++worker) {
    for (std::size_t i = 0; i < types.size(); ++i) calibrators[0][i].merge(calibrators[worker][i]);
  }
  return CutCalibration(std::move(calibrators[0]), std::move(types));
}

}  // namespace narrows
