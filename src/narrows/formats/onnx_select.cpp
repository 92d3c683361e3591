#include <algorithm>
#include <array>
#include <limits>

#include "narrows/formats/onnx_operators.h"
#include "narrows/graph/box_selection.h"
#include "narrows/graph/infer.h"

namespace narrows {
namespace {

Result<std::int64_t> readAxis(NodeImport& node, OperandId x, std::int64_t fallback) {
  NARROWS_TRY(attribute, node.attributes.integer("axis", fallback));
  NARROWS_TRY(axis, normalizeAxis(attribute, node.shape(x).rank()));
  return static_cast<std::int64_t>(axis);
}

Result<ScatterReduction> readReduction(NodeImport& node) {
  NARROWS_TRY(name, node.attributes.text("reduction", "none"));
  constexpr std::array<std::string_view, 5> kNames{"none", "add", "mul", "min", "max"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return makeError("reduction \"{}\"", name);
  return static_cast<ScatterReduction>(found - kNames.begin());
}

/// An optional input of one number.
Result<double> optionalNumber(NodeImport& node, std::size_t index, std::string_view what) {
  if (!node.hasInput(index)) return 0.0;
  return node.scalarInput(index, what);
}

}  // namespace

Status mapGatherElements(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(indices, node.input(1));
  NARROWS_TRY(axis, readAxis(node, x, 0));
  return node.finish(GatherElements{axis}, {x, indices});
}

Status mapGatherNd(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(indices, node.input(1));
  NARROWS_TRY(batch_axes, node.attributes.integer("batch_dims", 0));
  return node.finish(GatherNd{batch_axes}, {x, indices});
}

Status mapScatterElements(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(indices, node.input(1));
  NARROWS_TRY(updates, node.input(2));
  NARROWS_TRY(axis, readAxis(node, x, 0));
  NARROWS_TRY(reduction, readReduction(node));
  return node.finish(ScatterElements{axis, reduction}, {x, indices, updates});
}

Status mapScatterNd(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(indices, node.input(1));
  NARROWS_TRY(updates, node.input(2));
  NARROWS_TRY(reduction, readReduction(node));
  return node.finish(ScatterNd{reduction}, {x, indices, updates});
}

// The count is an attribute up to opset 9.
Status mapTopK(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  NARROWS_TRY(axis, readAxis(node, x, -1));
  NARROWS_TRY(largest, node.attributes.flag("largest", true));
  // In order is one of the orders that sorted = 0 allows.
  node.attributes.ignore({"sorted"});
  std::int64_t count = 0;
  if (node.opset() < 10) {
    NARROWS_TRY(given, node.attributes.integer("k", 0));
    count = given;
  } else {
    NARROWS_TRY(given, node.integersInput(1, "k"));
    if (given.size() != 1) return makeError("k has {} elements, expected 1", given.size());
    count = given[0];
  }
  return node.finish(TopK{axis, count, largest}, {x});
}

// Of known boxes and scores the result is known too, and has ONNX's number of rows.
Status mapNonMaxSuppression(NodeImport& node) {
  NARROWS_TRY(boxes, node.input(0));
  NARROWS_TRY(scores, node.input(1));
  NARROWS_TRY(centred, node.attributes.flag("center_point_box", false));
  NARROWS_TRY(most, optionalNumber(node, 2, "max_output_boxes_per_class"));
  NARROWS_TRY(overlap, optionalNumber(node, 3, "iou_threshold"));
  NonMaxSuppression op{centred, 0, overlap, -std::numeric_limits<double>::infinity()};
  if (!(most >= 0)) return makeError("max_output_boxes_per_class is {}", most);
  op.most = static_cast<std::int64_t>(std::min(most, 0x1p40));
  if (node.hasInput(4)) {
    NARROWS_TRY(threshold, node.scalarInput(4, "score_threshold"));
    op.score_threshold = threshold;
  }
  if (!node.isConstant(boxes) || !node.isConstant(scores)) return node.finish(op, {boxes, scores});
  const std::array<std::optional<TensorType>, 2> inputs{node.type(boxes), node.type(scores)};
  NARROWS_TRY(types, inferTypes(op, inputs));
  NARROWS_CHECK(node.spend(types[0].bytes()));
  Tensor rows(types[0]);
  const std::int64_t count =
      selectBoxes(op, node.constant(boxes), node.constant(scores), rows.mutableAs<std::int64_t>());
  const auto found = rows.as<std::int64_t>().first(static_cast<std::size_t>(3 * count));
  return node.finishConstant(Tensor::from<std::int64_t>(Shape{count, 3}, found));
}

}  // namespace narrows
