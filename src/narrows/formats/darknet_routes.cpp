#include <algorithm>

#include "narrows/formats/darknet_network.h"

namespace narrows {

Status DarknetNetwork::addRoute(const DarknetSection& section) {
  NARROWS_TRY(indices, section.integers("layers"));
  NARROWS_TRY(groups, section.integer("groups", 1, 1, kMaxFilters));
  NARROWS_TRY(group, section.integer("group_id", 0, 0, groups - 1));
  NARROWS_CHECK(expectOff(section, {"stream"}));
  if (indices.empty()) return section.errorAt("layers", "expected a list of layers");
  std::vector<ValueId> parts;
  for (std::int64_t index : indices) {
    NARROWS_TRY(part, layerMap(section, index));
    const Shape shape = graph_.shape(part);
    const Shape& first = parts.empty() ? shape : graph_.shape(parts[0]);
    if (shape[2] != first[2] || shape[3] != first[3]) {
      return section.errorAt(
          "layers", fmt::format("maps of {}x{} and {}x{}", first[2], first[3], shape[2], shape[3]));
    }
    if (shape[1] % groups != 0) {
      return section.errorAt("groups", fmt::format("does not divide {} channels", shape[1]));
    }
    if (groups > 1) {
      const std::int64_t channels = shape[1] / groups;
      const Slice slice{
          {0, group * channels, 0, 0}, {1, channels, shape[2], shape[3]}, {1, 1, 1, 1}};
      NARROWS_TRY(slice_of_part, add(slice, {part}, "group"));
      part = slice_of_part;
    }
    parts.push_back(part);
  }
  current_ = parts[0];
  if (parts.size() == 1) return {};
  NARROWS_TRY(joined, add(Concat{1}, std::move(parts), "route"));
  current_ = joined;
  return {};
}

// Darknet adds where both maps have elements: a larger `from` map is sampled by the ratio of the
// widths, channels that only one map has stay as they are (shortcut_cpu).
Status DarknetNetwork::addShortcut(const DarknetSection& section) {
  NARROWS_TRY(indices, section.integers("from"));
  if (indices.empty()) return section.errorAt("from", "expected a layer");
  NARROWS_TRY(weights_type, section.text("weights_type", "none"));
  if (weights_type != "none") return section.errorAt("weights_type", "not supported");
  for (std::string_view key : {"alpha", "beta"}) {
    NARROWS_TRY(factor, section.number(key, 1));
    if (factor != 1) return section.errorAt(key, "not supported");
  }
  NARROWS_TRY(x, map());
  ValueId sum = x;
  const Shape shape = graph_.shape(x);
  for (std::int64_t index : indices) {
    NARROWS_TRY(from, layerMap(section, index));
    const Shape other = graph_.shape(from);
    const std::int64_t step = std::max<std::int64_t>(1, other[3] / shape[3]);
    const bool fits = other[2] == shape[2] * step && other[3] == shape[3] * step;
    if (!fits) {
      return section.errorAt("from", fmt::format("a map of {}x{} does not add to one of {}x{}",
                                                 other[2], other[3], shape[2], shape[3]));
    }
    const std::int64_t channels = std::min(other[1], shape[1]);
    if (step > 1 || channels < other[1]) {
      const Slice slice{{0, 0, 0, 0}, {1, channels, shape[2], shape[3]}, {1, 1, step, step}};
      NARROWS_TRY(sampled, add(slice, {from}, "sample"));
      from = sampled;
    }
    if (channels < shape[1]) {
      Pad pad;
      pad.before = {0, 0, 0, 0};
      pad.after = {0, shape[1] - channels, 0, 0};
      NARROWS_TRY(padded, add(pad, {from}, "pad"));
      from = padded;
    }
    NARROWS_TRY(added, add(Binary{BinaryKind::add}, {sum, from}, "shortcut"));
    sum = added;
  }
  NARROWS_TRY(activated, activate(section, sum, "linear"));
  current_ = activated;
  return {};
}

// A map of one layer times the per-channel factors of the layer before.
Status DarknetNetwork::addScaleChannels(const DarknetSection& section) {
  NARROWS_TRY(indices, section.integers("from"));
  NARROWS_CHECK(expectOff(section, {"scale_wh"}));
  if (indices.size() != 1) return section.errorAt("from", "expected one layer");
  NARROWS_TRY(factors, map());
  NARROWS_TRY(from, layerMap(section, indices[0]));
  const Shape shape = graph_.shape(factors);
  if (shape[1] != graph_.shape(from)[1] || shape[2] != 1 || shape[3] != 1) {
    return section.error(
        fmt::format("factors {} for a map {}", toString(shape), toString(graph_.shape(from))));
  }
  NARROWS_TRY(scaled, add(Binary{BinaryKind::mul}, {from, factors}, "scale"));
  NARROWS_TRY(activated, activate(section, scaled, "linear"));
  current_ = activated;
  return {};
}

Status DarknetNetwork::addUpsample(const DarknetSection& section) {
  NARROWS_TRY(stride, section.integer("stride", 2, 1, 1024));
  NARROWS_TRY(scale, section.number("scale", 1));
  NARROWS_TRY(x, map());
  const Shape shape = graph_.shape(x);
  Resize resize;
  resize.mode = ResizeMode::nearest;
  resize.coordinates = ResizeCoordinates::asymmetric;
  resize.rounding = ResizeRounding::floor;
  resize.sizes = {1, shape[1], shape[2] * stride, shape[3] * stride};
  resize.scales = {1, 1, static_cast<double>(stride), static_cast<double>(stride)};
  NARROWS_TRY(larger, add(resize, {x}, "upsample"));
  current_ = larger;
  if (scale == 1) return {};
  NARROWS_TRY(factor, scalar(scale));
  NARROWS_TRY(scaled, add(Binary{BinaryKind::mul}, {larger, factor}, "scale"));
  current_ = scaled;
  return {};
}

// reorg_cpu of Darknet: with s = stride and C' = C / s^2, element (c', s y + i, s x + j) of the
// input seen as (C', s H, s W) becomes element ((i s + j) C' + c', y, x) of the output seen as (C,
// H, W). Both are the flat data under other extents than the maps have. `reverse` goes the other
// way.
Status DarknetNetwork::addReorg(const DarknetSection& section) {
  NARROWS_TRY(stride, section.integer("stride", 1, 1, 1024));
  NARROWS_TRY(reverse, section.integer("reverse", 0, 0, 1));
  NARROWS_CHECK(expectOff(section, {"flatten", "extra"}));
  NARROWS_TRY(x, map());
  const Shape shape = graph_.shape(x);
  const std::int64_t block = stride * stride;
  const std::int64_t height = shape[2];
  const std::int64_t width = shape[3];
  if (shape[1] % block != 0) {
    return section.errorAt("stride",
                           fmt::format("its square does not divide {} channels", shape[1]));
  }
  if (reverse == 0 && (height % stride != 0 || width % stride != 0)) {
    return section.errorAt("stride", fmt::format("does not divide {}x{}", height, width));
  }
  const std::int64_t channels = shape[1] / block;
  const Ints blocks = reverse != 0 ? Ints{stride, stride, channels, height, width}
                                   : Ints{channels, height, stride, width, stride};
  const Ints order = reverse != 0 ? Ints{2, 3, 0, 4, 1} : Ints{2, 4, 0, 1, 3};
  const Ints result = reverse != 0 ? Ints{1, channels, height * stride, width * stride}
                                   : Ints{1, shape[1] * block, height / stride, width / stride};
  NARROWS_TRY(split, add(Reshape{blocks}, {x}, "blocks"));
  NARROWS_TRY(moved, add(Transpose{order}, {split}, "order"));
  NARROWS_TRY(y, add(Reshape{result}, {moved}, "reorg"));
  current_ = y;
  return {};
}

}  // namespace narrows
