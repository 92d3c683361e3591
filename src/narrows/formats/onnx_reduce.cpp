#include <algorithm>
#include <numeric>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

/// Axes that reducing over nothing leaves unchanged for these kinds.
bool keepsElements(ReduceKind kind) {
  return kind == ReduceKind::mean || kind == ReduceKind::sum || kind == ReduceKind::max ||
         kind == ReduceKind::min || kind == ReduceKind::prod;
}

/// The opset from which a reduction has its axes as an input.
std::int64_t axesInputSince(ReduceKind kind) {
  return kind == ReduceKind::sum ? 13 : 18;
}

}  // namespace

Status mapReduce(NodeImport& node, ReduceKind kind) {
  NARROWS_TRY(x, node.input(0));
  const std::size_t rank = node.shape(x).rank();
  NARROWS_TRY(keep, node.attributes.flag("keepdims", true));
  Ints axes;
  bool noop = false;
  if (node.opset() >= axesInputSince(kind)) {
    NARROWS_TRY(no_axes_no_reduction, node.attributes.flag("noop_with_empty_axes", false));
    noop = no_axes_no_reduction;
    if (node.hasInput(1)) {
      NARROWS_TRY(given, node.integersInput(1, "axes"));
      axes = given;
    }
  } else {
    NARROWS_TRY(given, node.attributes.integers("axes"));
    axes = given;
  }
  for (std::int64_t& axis : axes) {
    NARROWS_TRY(normal, normalizeAxis(axis, rank));
    axis = static_cast<std::int64_t>(normal);
  }
  std::sort(axes.begin(), axes.end());
  if (axes.empty() && noop && keepsElements(kind)) return node.finish(Identity{}, {x});
  if (axes.empty() && !noop) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  return node.finish(Reduce{kind, axes, keep}, {x});
}

Status mapArgReduce(NodeImport& node, bool largest) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(attribute, node.attributes.integer("axis", 0));
  NARROWS_TRY(keep, node.attributes.flag("keepdims", true));
  NARROWS_TRY(last, node.attributes.flag("select_last_index", false));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(x).rank()));
  return node.finish(ArgReduce{largest, static_cast<std::int64_t>(axis), keep, last}, {x});
}

}  // namespace narrows
