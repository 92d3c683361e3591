#pragma once

#include <functional>

#include "narrows/base/result.h"
#include "narrows/formats/onnx_import.h"
#include "narrows/graph/ops.h"

namespace narrows {

/// The sliding window of a convolution or pool over a map (N,C,H,W) or a sequence (N,C,W), which is
/// handled as a map of height 1.
struct WindowAttributes {
  Window2d window;
  /// Whether `auto_pad` decided the padding, and that it did so as SAME_UPPER.
  bool automatic = false;
  bool same = false;
  bool same_upper = false;
};

/// The same for any number of spatial axes, one entry for each.
struct WindowAxes {
  Ints kernel, stride, dilation, begin, end;
  bool automatic = false;
  bool same = false;
  bool same_upper = false;
};

/// Reads kernel_shape and so on as `readWindow` does.
Result<WindowAxes> readWindowAxes(NodeImport& node, const Shape& x, const Ints& kernel);

/// Reads kernel_shape (`kernel` when absent), strides, dilations, pads and auto_pad for an input of
/// shape `x`. Padding of SAME is that of a convolution or pool; a transposed convolution makes its
/// own.
Result<WindowAttributes> readWindow(NodeImport& node, const Shape& x, const Ints& kernel);

/// (N,C,W) as (N,C,1,W); rank 4 is returned as it is.
Result<OperandId> asMap(NodeImport& node, OperandId x);

/// The convolution that the node's attributes describe, of a sequence, map or volume (N,C,D,H,W);
/// an invalid `bias` is none.
Result<OperandId> convolve(NodeImport& node, OperandId x, OperandId weight, OperandId bias);
/// Its part for volumes.
Result<OperandId> convolveVolume(NodeImport& node, OperandId x, OperandId weight, OperandId bias);

/// Makes a pool of a map.
using PoolMaker = std::function<Result<OperandId>(OperandId map, const Window2d& window)>;
/// A pool of a volume (N,C,D,H,W) made of two pools of maps.
Result<OperandId> poolVolume(NodeImport& node, OperandId x, const WindowAxes& axes,
                             const PoolMaker& make);

/// Finishes with `op`, and brings (N,C,1,W) back to (N,C,W) when `rank` is 3.
Status finishWindow(NodeImport& node, Op op, std::vector<OperandId> inputs, std::size_t rank);

}  // namespace narrows
