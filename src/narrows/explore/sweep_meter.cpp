#include "narrows/explore/sweep_meter.h"

namespace narrows {
namespace {

constexpr std::size_t kMostMapsBytes = std::size_t{512} << 20;

}  // namespace

NodeMaps* SweepMeter::mapsOf(std::size_t cut) {
  if (const auto kept = maps_.find(cut); kept != maps_.end()) return &kept->second;
  const std::size_t pictures = sweep_->baseline().pictures;
  std::size_t bytes = 0;
  for (const ValueId value : space_->cuts[cut].values)
    bytes += sweep_->graph().type(value).bytes() * pictures;
  if (bytes > kMostMapsBytes - maps_bytes_) return nullptr;
  maps_bytes_ += bytes;
  return &maps_.try_emplace(cut, pictures).first->second;
}

void SweepMeter::keep(std::size_t cut, const FittedCut& fitted) {
  for (std::size_t q = 0; q < fitted.interfaces.size(); ++q) {
    std::vector<FeatureInterface> interfaces = fitted.interfaces[q][0];
    for (FeatureInterface& interface : interfaces) interface.coder = {};
    fitted_[{cut, q}] = std::move(interfaces);
  }
}

Result<DesignMeter::CutFrames> SweepMeter::frames(std::size_t cut) {
  NARROWS_TRY(fitted,
              sweep_->fitCut(space_->cuts[cut], *calibration_, space_->quantizers, space_->coders));
  NARROWS_TRY(measured, sweep_->measureCut(fitted, {space_->coded_pictures, false, nullptr}));
  CutFrames frames;
  frames.times = {measured.node_time, measured.server_time};
  keep(cut, fitted);
  for (std::size_t q = 0; q < measured.rows.size(); ++q) {
    for (std::size_t c = 0; c < measured.rows[q].coders.size(); ++c) {
      const CoderFigures& figures = measured.rows[q].coders[c];
      frames.rows.push_back({names_->cuts[cut], names_->quantizers[q], names_->coders[c],
                             static_cast<std::int64_t>(figures.frames), figures.mean_bytes,
                             figures.bytes_deviation,
                             static_cast<std::int64_t>(figures.worst_bytes), figures.encode_time,
                             figures.decode_time});
    }
  }
  return frames;
}

Result<AccuracyRow> SweepMeter::accuracy(std::size_t cut, std::size_t quantizer) {
  // A coder loses nothing, so that packing alone gives the accuracy.
  const std::vector<CoderParams> coders{{CoderKind::raw}};
  if (!fitted_.contains({cut, quantizer})) {
    // Another run coded the cut. Its quantizers all come of one pass over the pictures.
    NARROWS_TRY(made, sweep_->fitCut(space_->cuts[cut], *calibration_, space_->quantizers, coders));
    keep(cut, made);
  }
  const FittedCut fitted{
      space_->cuts[cut], {space_->quantizers[quantizer]}, coders, {{fitted_.at({cut, quantizer})}}};
  NARROWS_TRY(measured, sweep_->measureCut(fitted, {0, true, mapsOf(cut)}));
  const Accuracy& accuracy = measured.rows[0].accuracy;
  return AccuracyRow{names_->cuts[cut], names_->quantizers[quantizer], accuracy.primary,
                     accuracy.secondary};
}

}  // namespace narrows
