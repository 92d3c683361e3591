#include <algorithm>
#include <cmath>
#include <numeric>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

Result<ResizeMode> parseMode(const std::string& mode) {
  if (mode == "nearest") return ResizeMode::nearest;
  // Upsample up to opset 8 had "bilinear".
  if (mode == "linear" || mode == "bilinear") return ResizeMode::linear;
  if (mode == "cubic") return ResizeMode::cubic;
  return makeError("mode \"{}\"", mode);
}

Result<ResizeCoordinates> parseCoordinates(const std::string& text) {
  if (text == "half_pixel") return ResizeCoordinates::half_pixel;
  if (text == "pytorch_half_pixel") return ResizeCoordinates::pytorch_half_pixel;
  if (text == "align_corners") return ResizeCoordinates::align_corners;
  if (text == "asymmetric") return ResizeCoordinates::asymmetric;
  if (text == "half_pixel_symmetric") return ResizeCoordinates::half_pixel_symmetric;
  return makeError("coordinate_transformation_mode \"{}\" is not supported", text);
}

Result<ResizeRounding> parseRounding(const std::string& text) {
  if (text == "round_prefer_floor") return ResizeRounding::round_prefer_floor;
  if (text == "round_prefer_ceil") return ResizeRounding::round_prefer_ceil;
  if (text == "floor") return ResizeRounding::floor;
  if (text == "ceil") return ResizeRounding::ceil;
  return makeError("nearest_mode \"{}\"", text);
}

/// Sizes and scales of the axes that the operator names.
struct Extents {
  Ints axes;
  std::vector<double> scales;
  Ints sizes;
};

Result<std::int64_t> scaledExtent(std::int64_t extent, double scale) {
  if (!(scale > 0) || scale > 1e6) return makeError("a scale of {}", scale);
  const double scaled = static_cast<double>(extent) * scale;
  if (scaled > static_cast<double>(Shape::kMaxElements)) return makeError("a scale of {}", scale);
  return static_cast<std::int64_t>(std::floor(scaled));
}

/// Makes all scales equal, so that the sizes lie within (not_larger) or around (not_smaller) those
/// given.
Status keepAspectRatio(Extents& extents, const Shape& shape, bool larger) {
  double scale = larger ? 0 : 1e300;
  for (std::size_t i = 0; i < extents.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(extents.axes[i]);
    const double wanted = static_cast<double>(extents.sizes[i]) / static_cast<double>(shape[axis]);
    scale = larger ? std::max(scale, wanted) : std::min(scale, wanted);
  }
  for (std::size_t i = 0; i < extents.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(extents.axes[i]);
    NARROWS_CHECK(scaledExtent(shape[axis], scale));
    extents.scales[i] = scale;
    extents.sizes[i] =
        static_cast<std::int64_t>(std::floor(scale * static_cast<double>(shape[axis]) + 0.5));
  }
  return {};
}

Status complete(Extents& extents, const Shape& shape, const std::string& policy) {
  const std::size_t count = extents.axes.size();
  const bool by_size = !extents.sizes.empty();
  if (by_size ? extents.sizes.size() != count : extents.scales.size() != count) {
    return makeError("{} sizes and {} scales for {} axes", extents.sizes.size(),
                     extents.scales.size(), count);
  }
  for (std::int64_t axis : extents.axes) {
    if (shape[static_cast<std::size_t>(axis)] == 0) return makeError("an empty axis {}", axis);
  }
  if (!by_size) {
    for (std::size_t i = 0; i < count; ++i) {
      NARROWS_TRY(
          size, scaledExtent(shape[static_cast<std::size_t>(extents.axes[i])], extents.scales[i]));
      extents.sizes.push_back(size);
    }
    return {};
  }
  extents.scales.assign(count, 1);
  if (policy == "not_larger" || policy == "not_smaller") {
    return keepAspectRatio(extents, shape, policy == "not_smaller");
  }
  if (policy != "stretch") return makeError("keep_aspect_ratio_policy \"{}\"", policy);
  for (std::size_t i = 0; i < count; ++i) {
    extents.scales[i] = static_cast<double>(extents.sizes[i]) /
                        static_cast<double>(shape[static_cast<std::size_t>(extents.axes[i])]);
  }
  return {};
}

Status finishResize(NodeImport& node, OperandId x, Resize op, const Extents& extents) {
  const Shape& shape = node.shape(x);
  op.sizes.assign(shape.extents().begin(), shape.extents().end());
  op.scales.assign(shape.rank(), 1);
  for (std::size_t i = 0; i < extents.axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(extents.axes[i]);
    op.sizes[axis] = extents.sizes[i];
    op.scales[axis] = extents.scales[i];
  }
  return node.finish(std::move(op), {x});
}

Ints allAxes(const Shape& shape) {
  Ints axes(shape.rank());
  std::iota(axes.begin(), axes.end(), 0);
  return axes;
}

/// The scales or sizes of an input that may be absent or empty.
Result<Extents> readExtents(NodeImport& node, const Shape& shape, std::size_t scales_index,
                            std::size_t sizes_index) {
  Extents extents{allAxes(shape), {}, {}};
  if (node.hasInput(scales_index)) {
    NARROWS_TRY(scales, node.numbersInput(scales_index, "scales"));
    extents.scales = scales;
  }
  if (extents.scales.empty() && node.hasInput(sizes_index)) {
    NARROWS_TRY(sizes, node.integersInput(sizes_index, "sizes"));
    extents.sizes = sizes;
  }
  if (extents.scales.empty() && extents.sizes.empty()) return makeError("no scales and no sizes");
  return extents;
}

}  // namespace

// Upsample and the first Resize (opset 10): asymmetric coordinates, rounded down.
Status mapUpsample(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  const Shape shape = node.shape(x);
  NARROWS_TRY(mode_name, node.attributes.text("mode", "nearest"));
  NARROWS_TRY(mode, parseMode(mode_name));
  Resize op;
  op.mode = mode;
  op.coordinates = ResizeCoordinates::asymmetric;
  op.rounding = ResizeRounding::floor;
  Extents extents{allAxes(shape), {}, {}};
  if (node.hasInput(1)) {
    NARROWS_TRY(scales, node.numbersInput(1, "scales"));
    extents.scales = scales;
  } else {
    NARROWS_TRY(scales, node.attributes.numbers("scales"));
    extents.scales = scales;
  }
  NARROWS_CHECK(complete(extents, shape, "stretch"));
  return finishResize(node, x, std::move(op), extents);
}

Status mapResize(NodeImport& node) {
  if (node.opset() < 11) return mapUpsample(node);
  NARROWS_TRY(x, node.input(0));
  const Shape shape = node.shape(x);
  NodeAttributes& attributes = node.attributes;
  Resize op;
  NARROWS_TRY(mode_name, attributes.text("mode", "nearest"));
  NARROWS_TRY(mode, parseMode(mode_name));
  NARROWS_TRY(coordinates_name, attributes.text("coordinate_transformation_mode", "half_pixel"));
  NARROWS_TRY(coordinates, parseCoordinates(coordinates_name));
  NARROWS_TRY(rounding_name, attributes.text("nearest_mode", "round_prefer_floor"));
  NARROWS_TRY(rounding, parseRounding(rounding_name));
  NARROWS_TRY(cubic_a, attributes.number("cubic_coeff_a", -0.75));
  NARROWS_TRY(exclude_outside, attributes.flag("exclude_outside", false));
  NARROWS_TRY(antialias, attributes.flag("antialias", false));
  NARROWS_TRY(policy, attributes.text("keep_aspect_ratio_policy", "stretch"));
  NARROWS_TRY(axes, attributes.integers("axes"));
  attributes.ignore({"extrapolation_value"});
  op.mode = mode;
  op.coordinates = coordinates;
  op.rounding = rounding;
  op.cubic_a = cubic_a;
  op.exclude_outside = exclude_outside;
  NARROWS_TRY(extents, readExtents(node, shape, 2, 3));
  if (!axes.empty()) {
    for (std::int64_t& axis : axes) {
      NARROWS_TRY(normal, normalizeAxis(axis, shape.rank()));
      axis = static_cast<std::int64_t>(normal);
    }
    extents.axes = axes;
  }
  NARROWS_CHECK(complete(extents, shape, policy));
  const bool shrinks = std::any_of(extents.scales.begin(), extents.scales.end(),
                                   [](double scale) { return scale < 1; });
  if (antialias && shrinks && mode != ResizeMode::nearest) {
    return makeError("antialias is not supported");
  }
  return finishResize(node, x, std::move(op), extents);
}

}  // namespace narrows
