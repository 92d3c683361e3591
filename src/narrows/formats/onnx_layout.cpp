#include <algorithm>
#include <limits>
#include <numeric>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

Ints extentsOf(const Shape& shape) {
  return Ints(shape.extents().begin(), shape.extents().end());
}

/// An attribute up to the opset before `since`, an input from then on.
Result<Ints> attributeOrInput(NodeImport& node, std::string_view name, std::int64_t since,
                              std::size_t index) {
  if (node.opset() < since) return node.attributes.integers(name);
  if (!node.hasInput(index)) return Ints();
  return node.integersInput(index, name);
}

Status normalizeAxes(Ints& axes, std::size_t rank) {
  for (std::int64_t& axis : axes) {
    NARROWS_TRY(normal, normalizeAxis(axis, rank));
    axis = static_cast<std::int64_t>(normal);
  }
  Ints sorted = axes;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return makeError("an axis is listed twice");
  }
  return {};
}

/// The extents that ONNX Reshape's `wanted` stands for: 0 keeps an extent, -1 is what is left.
Result<Ints> reshaped(const Shape& shape, Ints wanted, bool zero_is_zero) {
  if (wanted.size() > Shape::kMaxRank) return makeError("a shape of rank {}", wanted.size());
  std::ptrdiff_t inferred = -1;
  double product = 1;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == 0 && !zero_is_zero) {
      if (i >= shape.rank()) return makeError("the shape keeps axis {} of {}", i, toString(shape));
      wanted[i] = shape[i];
    }
    if (wanted[i] == -1) {
      if (inferred >= 0) return makeError("the shape has two extents of -1");
      inferred = static_cast<std::ptrdiff_t>(i);
    } else if (wanted[i] < 0) {
      return makeError("the shape has an extent of {}", wanted[i]);
    } else {
      product *= static_cast<double>(wanted[i]);
    }
  }
  if (inferred < 0) return wanted;
  if (product > static_cast<double>(Shape::kMaxElements))
    return makeError("the shape is too large");
  const auto known = static_cast<std::int64_t>(product);
  if (known == 0 || shape.elements() % known != 0) {
    return makeError("{} cannot be divided into {} for an extent of -1", toString(shape), known);
  }
  wanted[static_cast<std::size_t>(inferred)] = shape.elements() / known;
  return wanted;
}

struct AxisSlice {
  std::int64_t start = 0;
  std::int64_t length = 0;
};

/// ONNX's clamping of a slice of an axis with `extent` elements.
AxisSlice clampSlice(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t extent) {
  const std::int64_t lowest = step > 0 ? 0 : -1;
  const std::int64_t highest = step > 0 ? extent : extent - 1;
  const auto clamp = [&](std::int64_t at, std::int64_t low) {
    const std::int64_t from_front = at < 0 ? std::max<std::int64_t>(at, -extent - 1) + extent : at;
    return std::clamp(from_front, low, std::max(low, highest));
  };
  const std::int64_t first = clamp(start, 0);
  const std::int64_t last = clamp(end, lowest);
  const std::int64_t span = step > 0 ? last - first : first - last;
  const std::int64_t stride = step > 0 ? step : -step;
  if (span <= 0 || extent == 0) return {};
  return {first, (span - 1) / stride + 1};
}

}  // namespace

Status mapReshape(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(wanted, node.integersInput(1, "the shape"));
  NARROWS_TRY(allow_zero, node.attributes.flag("allowzero", false));
  NARROWS_TRY(extents, reshaped(node.shape(x), wanted, allow_zero));
  return node.finish(Reshape{extents}, {x});
}

Status mapFlatten(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(attribute, node.attributes.integer("axis", 1));
  const Shape& shape = node.shape(x);
  std::size_t axis = shape.rank();
  if (attribute != static_cast<std::int64_t>(shape.rank())) {
    NARROWS_TRY(normal, normalizeAxis(attribute, shape.rank()));
    axis = normal;
  }
  std::int64_t rows = 1;
  std::int64_t columns = 1;
  for (std::size_t i = 0; i < shape.rank(); ++i) (i < axis ? rows : columns) *= shape[i];
  return node.finish(Reshape{{rows, columns}}, {x});
}

Status mapSqueeze(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(axes, attributeOrInput(node, "axes", 13, 1));
  const Shape& shape = node.shape(x);
  NARROWS_CHECK(normalizeAxes(axes, shape.rank()));
  Ints extents;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    const bool listed = std::count(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) > 0;
    if (listed && shape[i] != 1) return makeError("axis {} of {} is not 1", i, toString(shape));
    if (!listed && !(axes.empty() && shape[i] == 1)) extents.push_back(shape[i]);
  }
  return node.finish(Reshape{extents}, {x});
}

Status mapUnsqueeze(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(axes, attributeOrInput(node, "axes", 13, 1));
  const Shape& shape = node.shape(x);
  const std::size_t rank = shape.rank() + axes.size();
  if (rank > Shape::kMaxRank) return makeError("rank {}", rank);
  NARROWS_CHECK(normalizeAxes(axes, rank));
  Ints extents;
  std::size_t next = 0;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool added = std::count(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) > 0;
    extents.push_back(added ? 1 : shape[next++]);
  }
  return node.finish(Reshape{extents}, {x});
}

Status mapTranspose(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  Ints reversed(node.shape(x).rank());
  std::iota(reversed.rbegin(), reversed.rend(), 0);
  NARROWS_TRY(permutation, node.attributes.integers("perm", reversed));
  return node.finish(Transpose{permutation}, {x});
}

Status mapConcat(NodeImport& node) {
  std::vector<OperandId> inputs;
  for (std::size_t i = 0; i < node.inputCount(); ++i) {
    NARROWS_TRY(input, node.input(i));
    inputs.push_back(input);
  }
  if (inputs.empty()) return makeError("no inputs");
  if (!node.attributes.has("axis")) return makeError("attribute \"axis\" is missing");
  NARROWS_TRY(attribute, node.attributes.integer("axis", 1));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(inputs[0]).rank()));
  return node.finish(Concat{static_cast<std::int64_t>(axis)}, std::move(inputs));
}

Status mapSplit(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(attribute, node.attributes.integer("axis", 0));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(x).rank()));
  NARROWS_TRY(sizes, attributeOrInput(node, "split", 13, 1));
  NARROWS_TRY(
      count, node.attributes.integer("num_outputs", static_cast<std::int64_t>(node.outputCount())));
  const std::int64_t extent = node.shape(x)[axis];
  if (sizes.empty()) {
    if (count != static_cast<std::int64_t>(node.outputCount()) || count < 1) {
      return makeError("num_outputs is {} for {} outputs", count, node.outputCount());
    }
    // Equal parts, rounded up; the last one is what is left.
    const std::int64_t part = (extent + count - 1) / count;
    for (std::int64_t i = 0; i < count; ++i) {
      sizes.push_back(std::clamp<std::int64_t>(extent - i * part, 0, part));
    }
  }
  if (sizes.size() != node.outputCount()) {
    return makeError("{} sizes for {} outputs", sizes.size(), node.outputCount());
  }
  return node.finish(Split{static_cast<std::int64_t>(axis), sizes}, {x});
}

Status mapSlice(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(starts, attributeOrInput(node, "starts", 10, 1));
  NARROWS_TRY(ends, attributeOrInput(node, "ends", 10, 2));
  NARROWS_TRY(axes, attributeOrInput(node, "axes", 10, 3));
  Ints steps;
  if (node.opset() >= 10 && node.hasInput(4)) {
    NARROWS_TRY(given, node.integersInput(4, "steps"));
    steps = given;
  }
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (starts.size() != ends.size() || starts.size() != axes.size() ||
      starts.size() != steps.size()) {
    return makeError("{} starts, {} ends, {} axes, {} steps", starts.size(), ends.size(),
                     axes.size(), steps.size());
  }
  const Shape& shape = node.shape(x);
  NARROWS_CHECK(normalizeAxes(axes, shape.rank()));
  Slice slice{Ints(shape.rank(), 0), extentsOf(shape), Ints(shape.rank(), 1)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    if (steps[i] == 0) return makeError("a step of 0");
    // A step beyond the extent takes one element, whatever its size.
    const std::int64_t most = std::max<std::int64_t>(shape[axis], 1);
    const std::int64_t step = std::clamp(steps[i], -most, most);
    const AxisSlice taken = clampSlice(starts[i], ends[i], step, shape[axis]);
    slice.starts[axis] = taken.start;
    slice.lengths[axis] = taken.length;
    slice.steps[axis] = step;
  }
  return node.finish(std::move(slice), {x});
}

Status mapGather(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(indices, node.input(1));
  NARROWS_TRY(attribute, node.attributes.integer("axis", 0));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(x).rank()));
  return node.finish(Gather{static_cast<std::int64_t>(axis)}, {x, indices});
}

Status mapPad(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(mode, node.attributes.text("mode", "constant"));
  Pad pad;
  if (mode == "reflect") pad.mode = PadMode::reflect;
  if (mode == "edge") pad.mode = PadMode::edge;
  if (pad.mode == PadMode::constant && mode != "constant") return makeError("mode \"{}\"", mode);
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(amounts, attributeOrInput(node, "pads", 11, 1));
  Ints axes(rank);
  std::iota(axes.begin(), axes.end(), 0);
  if (node.opset() >= 11 && node.hasInput(2)) {
    NARROWS_TRY(value, node.scalarInput(2, "the padding value"));
    pad.value = value;
  } else if (node.opset() < 11) {
    NARROWS_TRY(value, node.attributes.number("value", 0));
    pad.value = value;
  }
  if (node.opset() >= 18 && node.hasInput(3)) {
    NARROWS_TRY(given, node.integersInput(3, "axes"));
    axes = given;
    NARROWS_CHECK(normalizeAxes(axes, rank));
  }
  if (amounts.size() != 2 * axes.size()) {
    return makeError("{} pads for {} axes", amounts.size(), axes.size());
  }
  pad.before.assign(rank, 0);
  pad.after.assign(rank, 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    pad.before[static_cast<std::size_t>(axes[i])] = amounts[i];
    pad.after[static_cast<std::size_t>(axes[i])] = amounts[axes.size() + i];
  }
  return node.finish(std::move(pad), {x});
}

Status mapExpand(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(wanted, node.integersInput(1, "the shape"));
  NARROWS_TRY(target, Shape::create(wanted));
  NARROWS_TRY(shape, broadcast(node.shape(x), target));
  return node.finish(Expand{extentsOf(shape)}, {x});
}

Status mapTile(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(repeats, node.integersInput(1, "repeats"));
  return node.finish(Tile{repeats}, {x});
}

Status mapDepthToSpace(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(block, node.attributes.integer("blocksize", 0));
  NARROWS_TRY(mode, node.attributes.text("mode", "DCR"));
  if (mode != "DCR" && mode != "CRD") return makeError("mode \"{}\"", mode);
  const BlockOrder order =
      mode == "DCR" ? BlockOrder::depth_column_row : BlockOrder::column_row_depth;
  return node.finish(DepthToSpace{block, order}, {x});
}

Status mapSpaceToDepth(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(block, node.attributes.integer("blocksize", 0));
  return node.finish(SpaceToDepth{block}, {x});
}

}  // namespace narrows
