#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "narrows/tensor/dtype.h"

/// The operators of a graph: one struct of attributes each. Letters: N batch, C channels, H height,
/// W width, O output channels, G groups. Attributes are static and resolved: axes are counted from
/// the front, sizes are explicit. Every struct lists its fields once, in `fields`; the text form,
/// comparison and tests are visitors of that list.
namespace narrows {

// Tables of fields read best as tables.
// clang-format off

enum class UnaryKind : std::uint8_t {
  relu, sigmoid, tanh, exp, log, sqrt, abs, neg, erf, floor, ceil, round, reciprocal, sign,
  softplus, softsign, mish, silu, hard_swish, logical_not, sin, cos, tan, asin, acos, atan, sinh,
  cosh, asinh, acosh, atanh, gelu, gelu_tanh, is_nan, is_inf
};
enum class BinaryKind : std::uint8_t {
  add, sub, mul, div, pow, min, max, mod, fmod, equal, less, less_equal, greater, greater_equal,
  logical_and, logical_or, logical_xor
};
enum class ReduceKind : std::uint8_t { mean, sum, max, min, prod, l1, l2, sum_square, log_sum, log_sum_exp };
enum class PadMode : std::uint8_t { constant, reflect, edge };
enum class GlobalPoolKind : std::uint8_t { average, max };
enum class ResizeMode : std::uint8_t { nearest, linear, cubic };
/// How an output coordinate maps to an input one (ONNX Resize, same names).
enum class ResizeCoordinates : std::uint8_t {
  half_pixel, pytorch_half_pixel, align_corners, asymmetric, half_pixel_symmetric
};
enum class ResizeRounding : std::uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };
enum class ScatterReduction : std::uint8_t { none, add, mul, min, max };
enum class BlockOrder : std::uint8_t { depth_column_row, column_row_depth };

/// Vertical (H) and horizontal (W) extent.
struct Extent2d {
  std::int64_t h = 1;
  std::int64_t w = 1;
  friend bool operator==(const Extent2d&, const Extent2d&) = default;
};

/// Rows or columns of padding on each side of a map.
struct Padding2d {
  std::int64_t top = 0;
  std::int64_t left = 0;
  std::int64_t bottom = 0;
  std::int64_t right = 0;
  friend bool operator==(const Padding2d&, const Padding2d&) = default;
};

/// Geometry that convolutions and pools share.
struct Window2d {
  Extent2d kernel;
  Extent2d stride;
  Extent2d dilation;
  Padding2d pads;
  friend bool operator==(const Window2d&, const Window2d&) = default;

  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("kernel", self.kernel);
    visit("stride", self.stride);
    visit("dilation", self.dilation);
    visit("pads", self.pads);
  }
};

using Ints = std::vector<std::int64_t>;

// NARROWS_OP gives a struct its name in the text form, equality, and the list of its fields.
#define NARROWS_OP(Type, op_name)                      \
  static constexpr std::string_view kName = op_name;   \
  friend bool operator==(const Type&, const Type&) = default;

/// x (N,C,H,W), weight (O,C/G,kh,kw), optional bias (O) -> (N,O,H',W').
/// H' = floor((H + top + bottom - dilation.h * (kernel.h - 1) - 1) / stride.h) + 1; W' likewise.
struct Conv2d {
  Window2d window;
  std::int64_t groups = 1;
  NARROWS_OP(Conv2d, "conv2d")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    Window2d::fields(self.window, visit);
    visit("groups", self.groups);
  }
};

/// x (N,C,H,W), weight (C,O/G,kh,kw), optional bias (O) -> (N,O,H',W').
/// H' = stride.h * (H - 1) + output_padding.h + dilation.h * (kernel.h - 1) + 1 - top - bottom.
struct ConvTranspose2d {
  Window2d window;
  std::int64_t groups = 1;
  Extent2d output_padding{0, 0};
  NARROWS_OP(ConvTranspose2d, "conv_transpose2d")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    Window2d::fields(self.window, visit);
    visit("groups", self.groups);
    visit("output_padding", self.output_padding);
  }
};

/// x (N,C,H,W) -> (N,C,H',W'); padding never wins. With `ceil`, H' rounds up, but no window starts
/// beyond the input and its leading padding.
struct MaxPool2d {
  Window2d window;
  bool ceil = false;
  NARROWS_OP(MaxPool2d, "max_pool2d")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    Window2d::fields(self.window, visit);
    visit("ceil", self.ceil);
  }
};

/// As MaxPool2d, with the mean; `count_pads` includes the explicit padding in the divisor.
struct AveragePool2d {
  Window2d window;
  bool ceil = false;
  bool count_pads = false;
  NARROWS_OP(AveragePool2d, "average_pool2d")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    Window2d::fields(self.window, visit);
    visit("ceil", self.ceil);
    visit("count_pads", self.count_pads);
  }
};

/// x (N,C,...) -> (N,C,1,...).
struct GlobalPool {
  GlobalPoolKind kind = GlobalPoolKind::average;
  NARROWS_OP(GlobalPool, "global_pool")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind);
  }
};

/// x (N,C,...), scale (C), bias (C), mean (C), variance (C) -> x's shape:
/// scale * (x - mean) / sqrt(variance + epsilon) + bias.
struct BatchNorm {
  double epsilon = 1e-5;
  NARROWS_OP(BatchNorm, "batch_norm")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("epsilon", self.epsilon);
  }
};

/// Local response normalization over channels (Krizhevsky et al. 2012, section 3.3), as ONNX LRN.
struct LocalResponseNorm {
  std::int64_t size = 5;
  double alpha = 1e-4;
  double beta = 0.75;
  double bias = 1.0;
  NARROWS_OP(LocalResponseNorm, "local_response_norm")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("size", self.size);
    visit("alpha", self.alpha);
    visit("beta", self.beta);
    visit("bias", self.bias);
  }
};

/// a (M,K) or (K,M), b (K,N) or (N,K), optional c broadcast to (M,N) -> alpha * a * b + beta * c.
struct Gemm {
  bool transpose_a = false;
  bool transpose_b = false;
  double alpha = 1;
  double beta = 1;
  NARROWS_OP(Gemm, "gemm")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("transpose_a", self.transpose_a);
    visit("transpose_b", self.transpose_b);
    visit("alpha", self.alpha);
    visit("beta", self.beta);
  }
};

/// a (...,M,K), b (...,K,N) -> (...,M,N), leading axes broadcast; vectors as in NumPy's matmul.
struct MatMul {
  NARROWS_OP(MatMul, "matmul")
  template <class Self, class Visitor>
  static void fields(Self&, Visitor&&) {}
};

/// Elementwise, shape kept. `gelu` is x * normal distribution(x) by erf, `gelu_tanh` its approximation
/// (Hendrycks and Gimpel 2016); `is_nan` and `is_inf` give booleans.
struct Unary {
  UnaryKind kind = UnaryKind::relu;
  NARROWS_OP(Unary, "unary")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind);
  }
};

/// x < 0 ? alpha * x : x.
struct LeakyRelu {
  double alpha = 0.01;
  NARROWS_OP(LeakyRelu, "leaky_relu")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("alpha", self.alpha);
  }
};

/// x < 0 ? alpha * (exp(x) - 1) : x, times gamma (1 for ELU, SELU's constants otherwise).
struct Elu {
  double alpha = 1;
  double gamma = 1;
  NARROWS_OP(Elu, "elu")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("alpha", self.alpha);
    visit("gamma", self.gamma);
  }
};

/// min(max(x, low), high).
struct Clip {
  double low = 0;
  double high = 6;
  NARROWS_OP(Clip, "clip")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("low", self.low);
    visit("high", self.high);
  }
};

/// min(max(alpha * x + beta, 0), 1).
struct HardSigmoid {
  double alpha = 0.2;
  double beta = 0.5;
  NARROWS_OP(HardSigmoid, "hard_sigmoid")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("alpha", self.alpha);
    visit("beta", self.beta);
  }
};

/// x, slope broadcast to x -> x < 0 ? slope * x : x.
struct PRelu {
  NARROWS_OP(PRelu, "prelu")
  template <class Self, class Visitor>
  static void fields(Self&, Visitor&&) {}
};

/// a, b, broadcast as NumPy does. Comparisons and logic give booleans. Integers divide towards zero;
/// `mod` takes the sign of b (Python's %), `fmod` that of a (C's).
struct Binary {
  BinaryKind kind = BinaryKind::add;
  NARROWS_OP(Binary, "binary")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind);
  }
};

/// condition (bool), a, b, broadcast together -> condition ? a : b.
struct Where {
  NARROWS_OP(Where, "where")
  template <class Self, class Visitor>
  static void fields(Self&, Visitor&&) {}
};

/// exp(x) / sum of exp(x) along `axis`; with `log` its logarithm.
struct Softmax {
  std::int64_t axis = 1;
  bool log = false;
  NARROWS_OP(Softmax, "softmax")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
    visit("log", self.log);
  }
};

/// Inputs equal but for `axis` -> one tensor.
struct Concat {
  std::int64_t axis = 1;
  NARROWS_OP(Concat, "concat")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
  }
};

/// One output for each of `sizes`, which add up to the extent of `axis`.
struct Split {
  std::int64_t axis = 0;
  Ints sizes;
  NARROWS_OP(Split, "split")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
    visit("sizes", self.sizes);
  }
};

/// One entry for each axis of the input: elements start, start + step, ... `length` of them. `start`
/// lies in the input; a step may be negative.
struct Slice {
  Ints starts;
  Ints lengths;
  Ints steps;
  NARROWS_OP(Slice, "slice")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("starts", self.starts);
    visit("lengths", self.lengths);
    visit("steps", self.steps);
  }
};

/// data, indices (i32 or i64, negative ones from the end) -> data's extents with `axis` replaced by
/// the extents of the indices.
struct Gather {
  std::int64_t axis = 0;
  NARROWS_OP(Gather, "gather")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
  }
};

/// One entry for each axis; negative amounts crop.
struct Pad {
  PadMode mode = PadMode::constant;
  Ints before;
  Ints after;
  double value = 0;
  NARROWS_OP(Pad, "pad")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("mode", self.mode);
    visit("before", self.before);
    visit("after", self.after);
    visit("value", self.value);
  }
};

/// Resamples each axis to `sizes`. `scales` (one for each axis) map coordinates and may differ from
/// the ratio of sizes by what rounding to whole sizes took away. Linear and cubic act on every axis
/// whose scale is not 1.
struct Resize {
  ResizeMode mode = ResizeMode::nearest;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  ResizeRounding rounding = ResizeRounding::round_prefer_floor;
  double cubic_a = -0.75;
  bool exclude_outside = false;
  Ints sizes;
  std::vector<double> scales;
  NARROWS_OP(Resize, "resize")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("mode", self.mode);
    visit("coordinates", self.coordinates);
    visit("rounding", self.rounding);
    visit("cubic_a", self.cubic_a);
    visit("exclude_outside", self.exclude_outside);
    visit("sizes", self.sizes);
    visit("scales", self.scales);
  }
};

/// Axis i of the output is axis permutation[i] of the input.
struct Transpose {
  Ints permutation;
  NARROWS_OP(Transpose, "transpose")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("permutation", self.permutation);
  }
};

/// The same elements under `shape`. Flatten, Squeeze and Unsqueeze are read as this.
struct Reshape {
  Ints shape;
  NARROWS_OP(Reshape, "reshape")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("shape", self.shape);
  }
};

/// Broadcast to `shape`.
struct Expand {
  Ints shape;
  NARROWS_OP(Expand, "expand")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("shape", self.shape);
  }
};

/// Repeated along each axis.
struct Tile {
  Ints repeats;
  NARROWS_OP(Tile, "tile")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("repeats", self.repeats);
  }
};

/// Folds `axes`; they stay with extent 1 when `keep` is set.
struct Reduce {
  ReduceKind kind = ReduceKind::mean;
  Ints axes;
  bool keep = true;
  NARROWS_OP(Reduce, "reduce")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("kind", self.kind);
    visit("axes", self.axes);
    visit("keep", self.keep);
  }
};

/// Index (i64) of the largest (or smallest) element along `axis`; the first of equal ones, or the
/// last with `last`.
struct ArgReduce {
  bool largest = true;
  std::int64_t axis = 0;
  bool keep = true;
  bool last = false;
  NARROWS_OP(ArgReduce, "arg_reduce")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("largest", self.largest);
    visit("axis", self.axis);
    visit("keep", self.keep);
    visit("last", self.last);
  }
};

struct Cast {
  DType to = DType::f32;
  NARROWS_OP(Cast, "cast")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("to", self.to);
  }
};

struct Identity {
  NARROWS_OP(Identity, "identity")
  template <class Self, class Visitor>
  static void fields(Self&, Visitor&&) {}
};

/// (N,C*b*b,H,W) -> (N,C,H*b,W*b) (ONNX DepthToSpace, DCR or CRD order).
struct DepthToSpace {
  std::int64_t block = 2;
  BlockOrder order = BlockOrder::depth_column_row;
  NARROWS_OP(DepthToSpace, "depth_to_space")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("block", self.block);
    visit("order", self.order);
  }
};

/// (N,C,H*b,W*b) -> (N,C*b*b,H,W) (ONNX SpaceToDepth).
struct SpaceToDepth {
  std::int64_t block = 2;
  NARROWS_OP(SpaceToDepth, "space_to_depth")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("block", self.block);
  }
};

/// data, indices (i32 or i64, of data's rank, no longer than data but along `axis`) -> the indices'
/// shape: element (i, j, ...) is data's at the same place, but for `axis`, where the index says.
struct GatherElements {
  std::int64_t axis = 0;
  NARROWS_OP(GatherElements, "gather_elements")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
  }
};

/// data, indices (..., K): each row of K indices names a slice of data behind `batch_axes` leading
/// axes that both share -> the indices' leading extents, then the slice's.
struct GatherNd {
  std::int64_t batch_axes = 0;
  NARROWS_OP(GatherNd, "gather_nd")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("batch_axes", self.batch_axes);
  }
};

/// data, indices as for GatherElements, updates of the indices' shape -> data with the updates put
/// (or folded, in row-major order) where the indices say.
struct ScatterElements {
  std::int64_t axis = 0;
  ScatterReduction reduction = ScatterReduction::none;
  NARROWS_OP(ScatterElements, "scatter_elements")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
    visit("reduction", self.reduction);
  }
};

/// data, indices (..., K) as for GatherNd without batch axes, updates (..., slice) -> data.
struct ScatterNd {
  ScatterReduction reduction = ScatterReduction::none;
  NARROWS_OP(ScatterNd, "scatter_nd")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("reduction", self.reduction);
  }
};

/// x -> the `count` largest (or smallest) elements along `axis`, best first, of equal ones the one
/// that comes first; and their indices (i64).
struct TopK {
  std::int64_t axis = 0;
  std::int64_t count = 1;
  bool largest = true;
  NARROWS_OP(TopK, "top_k")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("axis", self.axis);
    visit("count", self.count);
    visit("largest", self.largest);
  }
};

/// boxes (N,B,4), scores (N,K,B), f32 -> rows (image, class, box), i64, (N * K * min(most, B), 3):
/// image by image, class by class, best first. How many there are only the data tell, so rows that
/// are not needed stand at the end and hold -1. Boxes are two opposite corners, or with `centred`
/// centre and size. One counts when its score is above `score_threshold` and no better one of its
/// class overlaps it by more than `overlap_threshold` (intersection over union).
struct NonMaxSuppression {
  bool centred = false;
  std::int64_t most = 0;
  double overlap_threshold = 0;
  double score_threshold = 0;
  NARROWS_OP(NonMaxSuppression, "non_max_suppression")
  template <class Self, class Visitor>
  static void fields(Self& self, Visitor&& visit) {
    visit("centred", self.centred);
    visit("most", self.most);
    visit("overlap_threshold", self.overlap_threshold);
    visit("score_threshold", self.score_threshold);
  }
};

#undef NARROWS_OP

using Op = std::variant<Conv2d, ConvTranspose2d, MaxPool2d, AveragePool2d, GlobalPool, BatchNorm,
                        LocalResponseNorm, Gemm, MatMul, Unary, LeakyRelu, Elu, Clip, HardSigmoid,
                        PRelu, Binary, Where, Softmax, Concat, Split, Slice, Gather, Pad, Resize,
                        Transpose, Reshape, Expand, Tile, Reduce, ArgReduce, Cast, Identity,
                        DepthToSpace, SpaceToDepth, GatherElements, GatherNd, ScatterElements,
                        ScatterNd, TopK, NonMaxSuppression>;

inline std::string_view opName(const Op& op) {
  return std::visit([](const auto& attributes) { return std::decay_t<decltype(attributes)>::kName; }, op);
}

// clang-format on
}  // namespace narrows
