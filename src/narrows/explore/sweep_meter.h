#pragma once

#include <map>
#include <utility>
#include <vector>

#include "narrows/eval/sweep.h"
#include "narrows/explore/explorer.h"

namespace narrows {

/// Measures designs with the pieces that ship, on the pictures of a sweep.
class SweepMeter final : public DesignMeter {
 public:
  struct Space {
    std::vector<Cut> cuts;
    std::vector<QuantizerSpec> quantizers;
    std::vector<CoderParams> coders;
    /// Pictures whose frames are coded for the bytes of a design; 0 means all.
    std::size_t coded_pictures = 0;
  };

  /// `names` has the space's names; all must outlive the meter.
  SweepMeter(Sweep& sweep, PictureSource& calibration, const Space& space, const DesignSpace& names)
      : sweep_(&sweep), calibration_(&calibration), space_(&space), names_(&names) {}

  Result<CutFrames> frames(std::size_t cut) override;
  Result<AccuracyRow> accuracy(std::size_t cut, std::size_t quantizer) override;

 private:
  void keep(std::size_t cut, const FittedCut& fitted);
  /// Where the maps of a cut are kept, or null when they are too large.
  NodeMaps* mapsOf(std::size_t cut);

  Sweep* sweep_;
  PictureSource* calibration_;
  const Space* space_;
  const DesignSpace* names_;
  /// Interfaces without their coders, by cut and quantizer.
  std::map<std::pair<std::size_t, std::size_t>, std::vector<FeatureInterface>> fitted_;
  /// Maps of the cuts whose accuracy was asked for, while there is room.
  std::map<std::size_t, NodeMaps> maps_;
  std::size_t maps_bytes_ = 0;
};

}  // namespace narrows
