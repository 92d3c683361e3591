#pragma once

#include <span>
#include <vector>

#include "narrows/codec/value_histogram.h"

namespace narrows {

/// Equidistant levels low + step * q for q in [0, 2^bits - 1].
struct UniformLevels {
  double low = 0;
  double step = 1;
};

/// Weighted mean squared distance of the points to their nearest levels; 0 without points.
double meanSquaredError(std::span<const WeightedValue> points, const UniformLevels& levels,
                        int bits);

/// Levels of least mean squared error. `points` ascend. For one bit the exact optimum; otherwise
/// the best of a search over clipping ranges, the most promising refined in turn by a pattern
/// search over both ends and by least squares (assign points to levels, fit a line through them,
/// repeat). One distinct value v gives {v, 1}, no point {0, 1}.
UniformLevels fitLevels(std::span<const WeightedValue> points, int bits);

/// Like `levels`, with zero as one of them (level number `zero_level`), of least error under that
/// condition. `found` is false when zero lies outside the points or no such levels exist.
struct ZeroedLevels {
  bool found = false;
  double step = 1;
  int zero_level = 0;
};
ZeroedLevels fitLevelsThroughZero(std::span<const WeightedValue> points,
                                  const UniformLevels& levels, int bits);

/// 2^bits ascending levels, each the mean of the points nearest to it (Lloyd 1982, method I; Max
/// 1960): alternates between assigning points and taking means, once from `uniform` and once from
/// levels that share the cube root of the density evenly (Panter and Dite 1951), and keeps the
/// smaller error, so that it is never above that of `uniform`. `points` ascend. A level without
/// points stays where it is.
std::vector<double> fitFreeLevels(std::span<const WeightedValue> points,
                                  const UniformLevels& uniform, int bits);

/// Weighted mean squared distance of the points, which ascend, to the nearest of ascending levels;
/// 0 without points.
double meanSquaredError(std::span<const WeightedValue> points, std::span<const double> levels);

}  // namespace narrows
