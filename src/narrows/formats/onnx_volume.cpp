#include <algorithm>

#include "narrows/formats/onnx_operators.h"
#include "narrows/formats/onnx_window.h"
#include "narrows/graph/infer.h"

// Windows of three spatial axes in operators of the graph, whose windows have two: a pool is one
// over rows and columns, then one over depth; a convolution is the sum over its taps in depth.
namespace narrows {
namespace {

/// Rows and columns of a window of three axes.
Window2d planeWindow(const WindowAxes& axes) {
  return {{axes.kernel[1], axes.kernel[2]},
          {axes.stride[1], axes.stride[2]},
          {axes.dilation[1], axes.dilation[2]},
          {axes.begin[1], axes.begin[2], axes.end[1], axes.end[2]}};
}

/// Its depth, as rows.
Window2d depthWindow(const WindowAxes& axes) {
  return {{axes.kernel[0], 1},
          {axes.stride[0], 1},
          {axes.dilation[0], 1},
          {axes.begin[0], 0, axes.end[0], 0}};
}

/// Places of the depth axis start, start + step, ... of (N,D,C,H,W) as maps (N * length, C, H, W).
Result<OperandId> takeDepth(NodeImport& node, OperandId x, std::int64_t start, std::int64_t step,
                            std::int64_t length) {
  const Shape s = node.shape(x);
  Slice slice{{0, start, 0, 0, 0}, {s[0], length, s[2], s[3], s[4]}, {1, step, 1, 1, 1}};
  NARROWS_TRY(taken, node.add(std::move(slice), {x}));
  return node.add(Reshape{{s[0] * length, s[2], s[3], s[4]}}, {taken});
}

Result<OperandId> padDepth(NodeImport& node, OperandId x, std::int64_t begin, std::int64_t end) {
  if (begin == 0 && end == 0) return x;
  return node.add(Pad{PadMode::constant, {0, begin, 0, 0, 0}, {0, end, 0, 0, 0}, 0}, {x});
}

}  // namespace

Result<OperandId> convolveVolume(NodeImport& node, OperandId x, OperandId weight, OperandId bias) {
  const Shape filter = node.shape(weight);
  NARROWS_TRY(axes, readWindowAxes(node, node.shape(x), {filter[2], filter[3], filter[4]}));
  NARROWS_TRY(groups, node.attributes.integer("group", 1));
  if (axes.kernel[0] != filter[2]) return makeError("weight {}", toString(filter));
  NARROWS_TRY(depth_first, node.add(Transpose{{0, 2, 1, 3, 4}}, {x}));
  NARROWS_TRY(padded, padDepth(node, depth_first, axes.begin[0], axes.end[0]));
  const Shape s = node.shape(padded);
  NARROWS_TRY(length, windowOutput(s[1], axes.kernel[0], axes.stride[0], axes.dilation[0], 0, 0));
  OperandId total;
  for (std::int64_t tap = 0; tap < filter[2]; ++tap) {
    NARROWS_TRY(maps, takeDepth(node, padded, tap * axes.dilation[0], axes.stride[0], length));
    Slice slice{
        {0, 0, tap, 0, 0}, {filter[0], filter[1], 1, filter[3], filter[4]}, {1, 1, 1, 1, 1}};
    NARROWS_TRY(taken, node.add(std::move(slice), {weight}));
    NARROWS_TRY(taps, node.add(Reshape{{filter[0], filter[1], filter[3], filter[4]}}, {taken}));
    std::vector<OperandId> inputs{maps, taps};
    if (tap == 0 && bias.valid()) inputs.push_back(bias);
    NARROWS_TRY(part, node.add(Conv2d{planeWindow(axes), groups}, std::move(inputs)));
    if (!total.valid()) {
      total = part;
      continue;
    }
    NARROWS_TRY(sum, node.add(Binary{BinaryKind::add}, {total, part}));
    total = sum;
  }
  const Shape y = node.shape(total);
  NARROWS_TRY(apart, node.add(Reshape{{s[0], length, y[1], y[2], y[3]}}, {total}));
  return node.add(Transpose{{0, 2, 1, 3, 4}}, {apart});
}

Result<OperandId> poolVolume(NodeImport& node, OperandId x, const WindowAxes& axes,
                             const PoolMaker& make) {
  const Shape s = node.shape(x);
  NARROWS_TRY(planes, node.add(Reshape{{s[0], s[1] * s[2], s[3], s[4]}}, {x}));
  NARROWS_TRY(wide, make(planes, planeWindow(axes)));
  const Shape flat = node.shape(wide);
  NARROWS_TRY(columns, node.add(Reshape{{s[0], s[1], s[2], flat[2] * flat[3]}}, {wide}));
  NARROWS_TRY(pooled, make(columns, depthWindow(axes)));
  return node.add(Reshape{{s[0], s[1], node.shape(pooled)[2], flat[2], flat[3]}}, {pooled});
}

}  // namespace narrows
