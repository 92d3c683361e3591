#include <algorithm>
#include <cmath>

#include "narrows/engine/reference/copy.h"
#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/remap.h"

namespace narrows::reference {
namespace {

/// Where output position `i` of an axis lies in the input, in elements (ONNX Resize, attribute
/// coordinate_transformation_mode).
double exactCoordinate(ResizeCoordinates mode, std::int64_t i, double scale, std::int64_t input,
                       std::int64_t output) {
  const auto position = static_cast<double>(i);
  const auto from = static_cast<double>(input);
  const auto to = static_cast<double>(output);
  // The output's extent before rounding. A scale that was stored in single precision must not move
  // a coordinate off a whole number, so an extent that is whole but for that is the output's own.
  double unrounded = scale * from;
  if (std::abs(unrounded - to) < 1e-6 * to) unrounded = to;
  const double asymmetric = position * from / unrounded;
  const double half_pixel = (position + 0.5) * from / unrounded - 0.5;
  switch (mode) {
    case ResizeCoordinates::asymmetric:
      return asymmetric;
    case ResizeCoordinates::half_pixel:
      return half_pixel;
    case ResizeCoordinates::pytorch_half_pixel:
      return output > 1 ? half_pixel : 0;
    case ResizeCoordinates::align_corners:
      return unrounded == 1 ? 0 : position * (from - 1) / (unrounded - 1);
    case ResizeCoordinates::half_pixel_symmetric:
      return from / 2 * (1 - to / unrounded) + half_pixel;
  }
  return 0;
}

/// The same, kept where it converts to an integer: a scale near 0 reaches any distance.
double inputCoordinate(ResizeCoordinates mode, std::int64_t i, double scale, std::int64_t input,
                       std::int64_t output) {
  const double coordinate = exactCoordinate(mode, i, scale, input, output);
  constexpr double kFar = 0x1p50;
  return std::isnan(coordinate) ? 0 : std::clamp(coordinate, -kFar, kFar);
}

std::int64_t nearest(ResizeRounding rounding, double coordinate) {
  switch (rounding) {
    case ResizeRounding::round_prefer_floor:
      return static_cast<std::int64_t>(std::ceil(coordinate - 0.5));
    case ResizeRounding::round_prefer_ceil:
      return static_cast<std::int64_t>(std::floor(coordinate + 0.5));
    case ResizeRounding::floor:
      return static_cast<std::int64_t>(std::floor(coordinate));
    case ResizeRounding::ceil:
      return static_cast<std::int64_t>(std::ceil(coordinate));
  }
  return 0;
}

Kernel resizeNearest(const Resize& op, const TensorType& x) {
  std::vector<AxisMap> maps;
  for (std::size_t axis = 0; axis < x.shape.rank(); ++axis) {
    AxisMap map;
    for (std::int64_t i = 0; i < op.sizes[axis]; ++i) {
      const double at =
          inputCoordinate(op.coordinates, i, op.scales[axis], x.shape[axis], op.sizes[axis]);
      const std::int64_t index =
          std::clamp<std::int64_t>(nearest(op.rounding, at), 0, x.shape[axis] - 1);
      map.push_back(index * x.shape.strides()[axis]);
    }
    maps.push_back(std::move(map));
  }
  return remap(x.dtype, std::move(maps));
}

/// What one output position takes from one axis of the input: offset in elements, and its share.
struct Tap {
  std::int64_t offset = 0;
  double weight = 1;
};
/// For each position along an output axis its taps, `width` each.
struct AxisTaps {
  std::size_t width = 1;
  std::vector<Tap> taps;
};

/// Weight of a sample at distance `d` >= 0 (Keys 1981, "Cubic convolution interpolation for digital
/// image processing", equation 15 with free parameter a).
double cubicWeight(double a, double d) {
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

AxisTaps tapsOf(const Resize& op, const Shape& x, std::size_t axis) {
  const std::int64_t extent = x[axis];
  const std::int64_t stride = x.strides()[axis];
  AxisTaps result;
  if (op.scales[axis] == 1) {
    for (std::int64_t i = 0; i < op.sizes[axis]; ++i) {
      result.taps.push_back({std::min(i, extent - 1) * stride, 1});
    }
    return result;
  }
  const bool cubic = op.mode == ResizeMode::cubic;
  result.width = cubic ? 4 : 2;
  for (std::int64_t i = 0; i < op.sizes[axis]; ++i) {
    const double at = inputCoordinate(op.coordinates, i, op.scales[axis], extent, op.sizes[axis]);
    const double base = std::floor(at);
    double total = 0;
    for (std::size_t k = 0; k < result.width; ++k) {
      const double sample = base + static_cast<double>(k) - (cubic ? 1 : 0);
      const double distance = std::abs(at - sample);
      double weight = cubic ? cubicWeight(op.cubic_a, distance) : 1 - distance;
      if (op.exclude_outside && (sample < 0 || sample >= static_cast<double>(extent))) weight = 0;
      const std::int64_t index =
          std::clamp<std::int64_t>(static_cast<std::int64_t>(sample), 0, extent - 1);
      result.taps.push_back({index * stride, weight});
      total += weight;
    }
    if (!op.exclude_outside || total == 0) continue;
    for (std::size_t k = 0; k < result.width; ++k) {
      result.taps[result.taps.size() - 1 - k].weight /= total;
    }
  }
  return result;
}

struct InterpolationPlan {
  Shape output;
  std::vector<AxisTaps> axes;
};

/// The output at `index`, which has one tap list for each axis from `axis` on.
template <class T>
double interpolate(const InterpolationPlan& plan, const std::array<std::int64_t, 6>& index,
                   std::size_t axis, const T* x) {
  if (axis == plan.axes.size()) return static_cast<double>(*x);
  const AxisTaps& taps = plan.axes[axis];
  const Tap* tap = taps.taps.data() + static_cast<std::size_t>(index[axis]) * taps.width;
  double total = 0;
  for (std::size_t k = 0; k < taps.width; ++k) {
    total += tap[k].weight * interpolate(plan, index, axis + 1, x + tap[k].offset);
  }
  return total;
}

template <class T>
Status resizeSmooth(const InterpolationPlan& plan, const KernelTensors& t) {
  const T* x = elements<T>(t.inputs[0]);
  T* y = elements<T>(t.outputs[0]);
  std::array<std::int64_t, 6> index{};
  const std::int64_t count = plan.output.elements();
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = interpolate(plan, index, 0, x);
    y[i] = convert<T>(value);
    for (std::size_t axis = plan.output.rank(); axis-- > 0;) {
      if (++index[axis] < plan.output[axis]) break;
      index[axis] = 0;
    }
  }
  return {};
}

}  // namespace

Result<Kernel> prepare(const Resize& op, const KernelTypes& types) {
  if (op.mode == ResizeMode::nearest) return resizeNearest(op, types.inputs[0]);
  auto plan = std::make_shared<InterpolationPlan>();
  plan->output = types.outputs[0].shape;
  for (std::size_t axis = 0; axis < plan->output.rank(); ++axis) {
    plan->axes.push_back(tapsOf(op, types.inputs[0].shape, axis));
  }
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [plan](const KernelTensors& t) { return resizeSmooth<T>(*plan, t); };
  });
}

}  // namespace narrows::reference
