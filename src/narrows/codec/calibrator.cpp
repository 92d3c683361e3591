#include "narrows/codec/calibrator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "narrows/codec/level_fit.h"

namespace narrows {
namespace {

/// Bins of a binade, chosen by memory: 16 KiB for the one histogram of a tensor, 2 KiB for each of
/// perhaps a thousand channels.
constexpr int kTensorMantissaBits = 11;
constexpr int kChannelMantissaBits = 8;

/// Points that the fit sees for each level; 16 leave the error of a level known to about 1 %.
constexpr double kPointsPerLevel = 16;
/// Points for a table of levels: coarser ones would hold each level where it is.
constexpr double kFreePoints = 16384;
/// Tails of the distribution that are not resolved as finely as its core.
constexpr double kTail = 0.001;

struct LowAndStep {
  float low = 0;
  float step = 1;
};

LowAndStep toFloats(const UniformLevels& levels) {
  const auto step = static_cast<float>(levels.step);
  return {static_cast<float>(levels.low), std::max(step, std::numeric_limits<float>::min())};
}

/// What a fit of 2^bits levels looks at.
std::vector<WeightedValue> fittedPoints(const ValueHistogram& histogram, int bits,
                                        double points_per_level) {
  const double from = histogram.quantile(kTail);
  const double to = histogram.quantile(1 - kTail);
  const double whole = static_cast<double>(histogram.highest()) - histogram.lowest();
  const double core = to > from ? to - from : whole;
  const double spacing = core / (points_per_level * static_cast<double>(1 << bits));
  return histogram.points(spacing, from, to);
}

LowAndStep fitUniform(const ValueHistogram& histogram, int bits) {
  const std::vector<WeightedValue> points = fittedPoints(histogram, bits, kPointsPerLevel);
  const UniformLevels levels = fitLevels(points, bits);
  if (histogram.highest() == histogram.lowest()) return toFloats(levels);
  const ZeroedLevels zeroed = fitLevelsThroughZero(points, levels, bits);
  if (!zeroed.found) return toFloats(levels);
  const double free_error = meanSquaredError(points, levels, bits);
  const double zeroed_error =
      meanSquaredError(points, {-zeroed.zero_level * zeroed.step, zeroed.step}, bits);
  if (zeroed_error > free_error * (1 + QuantizerCalibrator::kZeroTolerance)) {
    return toFloats(levels);
  }
  // The product in f32, so that low + step * zero_level cancels to exactly 0.
  const float step = toFloats({0, zeroed.step}).step;
  return {-(step * static_cast<float>(zeroed.zero_level)) + 0.0F, step};
}

LowAndStep fitTwoLevel(const ValueHistogram& histogram) {
  const double range = std::max(std::abs(static_cast<double>(histogram.lowest())),
                                std::abs(static_cast<double>(histogram.highest())));
  if (range == 0) return {0, 1};
  return toFloats({histogram.mean() - range, range});
}

std::vector<float> fitTable(const ValueHistogram& histogram, int bits) {
  const double points_per_level = std::clamp(kFreePoints / (1 << bits), 16.0, 256.0);
  const std::vector<WeightedValue> points = fittedPoints(histogram, bits, points_per_level);
  const LowAndStep start = fitUniform(histogram, bits);
  std::vector<double> levels = fitFreeLevels(points, {start.low, start.step}, bits);
  const auto nearest = std::min_element(
      levels.begin(), levels.end(), [](double a, double b) { return std::abs(a) < std::abs(b); });
  const double free_error = meanSquaredError(points, levels);
  const double fitted = std::exchange(*nearest, 0.0);
  if (meanSquaredError(points, levels) > free_error * (1 + QuantizerCalibrator::kZeroTolerance)) {
    *nearest = fitted;
  }
  return {levels.begin(), levels.end()};
}

}  // namespace

QuantizerCalibrator::QuantizerCalibrator(TensorType type, Granularity granularity,
                                         std::size_t count)
    : type_(type), granularity_(granularity) {
  histograms_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    histograms_.emplace_back(granularity == Granularity::tensor ? kTensorMantissaBits
                                                                : kChannelMantissaBits);
  }
}

Result<QuantizerCalibrator> QuantizerCalibrator::create(TensorType type, Granularity granularity) {
  if (type.dtype != DType::f32) {
    return makeError("calibration needs an f32 tensor, this one is {}", toString(type.dtype));
  }
  NARROWS_TRY(count, parameterCount(type, granularity));
  return QuantizerCalibrator(type, granularity, count);
}

void QuantizerCalibrator::observe(TensorView map) {
  NARROWS_ASSERT(map.type() == type_);
  const std::span<const float> values = map.as<float>();
  if (granularity_ == Granularity::tensor) return histograms_[0].observe(values);
  if (values.empty()) return;
  const std::size_t channels = histograms_.size();
  const std::size_t batch = static_cast<std::size_t>(type_.shape[0]);
  const std::size_t plane = values.size() / (batch * channels);
  for (std::size_t i = 0; i < batch * channels; ++i) {
    histograms_[i % channels].observe(values.subspan(i * plane, plane));
  }
}

void QuantizerCalibrator::merge(const QuantizerCalibrator& other) {
  NARROWS_ASSERT(type_ == other.type_ && granularity_ == other.granularity_);
  for (std::size_t i = 0; i < histograms_.size(); ++i) histograms_[i].merge(other.histograms_[i]);
}

Result<QuantizerParams> QuantizerCalibrator::fit(QuantizerKind kind, int bits) const {
  QuantizerParams params;
  params.kind = kind;
  params.granularity = granularity_;
  if (kind == QuantizerKind::none) {
    params.granularity = Granularity::tensor;
    return params;
  }
  params.bits = bits;
  if (bits < 1 || bits > kMaxBits) {
    return makeError("bits is {}, expected 1 to {}", bits, kMaxBits);
  }
  if (kind == QuantizerKind::two_level && bits != 1) {
    return makeError("bits is {}, expected 1 for two_level", bits);
  }
  if (kind == QuantizerKind::levels) {
    if (granularity_ != Granularity::tensor) {
      return makeError("granularity {}, expected tensor for levels", toString(granularity_));
    }
    params.levels = fitTable(histograms_[0], bits);
    NARROWS_CHECK(validate(FeatureInterface{type_, params, {}}));
    return params;
  }
  for (const ValueHistogram& histogram : histograms_) {
    const LowAndStep fitted =
        kind == QuantizerKind::uniform ? fitUniform(histogram, bits) : fitTwoLevel(histogram);
    params.low.push_back(fitted.low);
    params.step.push_back(fitted.step);
  }
  NARROWS_CHECK(validate(FeatureInterface{type_, params, {}}));
  return params;
}

}  // namespace narrows
