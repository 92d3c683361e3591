#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/codec/value_histogram.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// Gathers the values of a cut over many maps and fits quantizers of any width to them. What it
/// holds depends on the maps alone, not on their order nor on how they were spread over calibrators
/// that were merged, so results are equal for any number of threads.
class QuantizerCalibrator {
 public:
  /// Fails on a dtype other than f32 and on channels of a tensor without axis 1.
  static Result<QuantizerCalibrator> create(TensorType type, Granularity granularity);

  /// `map` has the type given to `create`; asserted. Values that are not finite are left out; those
  /// beyond +-2^126 count as +-2^126.
  void observe(TensorView map);
  /// Adds what the other one, made with the same type and granularity (asserted), has observed.
  void merge(const QuantizerCalibrator& other);

  /// Parameters for `bits` of 1 to 8 (1 for two_level; ignored for none). `levels` needs
  /// granularity tensor.
  ///
  /// uniform: `low` and `step` of least mean squared error over the observed values, found by a
  /// search over clipping ranges and least-squares refinement of the levels (Lloyd, 1982, with
  /// equidistant levels; for one bit that is his two-level quantizer). Zero becomes a level exactly
  /// when that raises the error by at most kZeroTolerance of itself.
  /// two_level: mean of the values and largest magnitude, as `mean` and `range` of
  /// QuantizerKind::two_level.
  /// levels: the table of least mean squared error that `fitFreeLevels` finds, starting from the
  /// uniform one. The level nearest to zero becomes zero on the same condition.
  ///
  /// A channel (or tensor) with one distinct value v gets low = v (uniform), without any value
  /// low = 0; both step 1.
  Result<QuantizerParams> fit(QuantizerKind kind, int bits) const;

  static constexpr double kZeroTolerance = 0.01;

 private:
  QuantizerCalibrator(TensorType type, Granularity granularity, std::size_t count);

  TensorType type_;
  Granularity granularity_;
  std::vector<ValueHistogram> histograms_;
};

}  // namespace narrows
