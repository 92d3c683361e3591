#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "narrows/formats/onnx_attributes.h"
#include "narrows/formats/onnx_emitter.h"
#include "narrows/formats/onnx_names.h"
#include "narrows/graph/op_names.h"
#include "narrows/tensor/half.h"

namespace narrows {
namespace {

using Attribute = OnnxEmitter::Attribute;
using Attributes = std::initializer_list<Attribute>;

/// A rank-0 tensor of any dtype.
Tensor scalarOf(double value, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return Tensor::scalar(value);
    case DType::f16: {
      Tensor half(DType::f16, Shape{});
      const std::uint16_t bits = floatToHalf(static_cast<float>(value));
      std::memcpy(half.mutableView().bytes().data(), &bits, sizeof(bits));
      return half;
    }
    case DType::i8:
      return Tensor::scalar(static_cast<std::int8_t>(value));
    case DType::u8:
      return Tensor::scalar(static_cast<std::uint8_t>(value));
    case DType::i16:
      return Tensor::scalar(static_cast<std::int16_t>(value));
    case DType::u16:
      return Tensor::scalar(static_cast<std::uint16_t>(value));
    case DType::i32:
      return Tensor::scalar(static_cast<std::int32_t>(value));
    case DType::u32:
      return Tensor::scalar(static_cast<std::uint32_t>(value));
    case DType::i64:
      return Tensor::scalar(static_cast<std::int64_t>(value));
    case DType::u64:
      return Tensor::scalar(static_cast<std::uint64_t>(value));
    case DType::boolean:
      return Tensor::scalar(value != 0);
    case DType::f32:
      break;
  }
  return Tensor::scalar(static_cast<float>(value));
}

/// Writes one node of the graph.
class NodeWriter {
 public:
  NodeWriter(OnnxEmitter& emitter, const Node& node) : emitter_(emitter), node_(node) {
    for (ValueId input : node.inputs) {
      inputs_.push_back(input.valid() ? emitter.graph().value(input).name : std::string());
    }
    for (ValueId output : node.outputs) outputs_.push_back(emitter.graph().value(output).name);
  }

  const std::string& input(std::size_t index) const { return inputs_[index]; }
  const std::string& x() const { return inputs_[0]; }
  const TensorType& inputType(std::size_t index) const {
    return emitter_.graph().type(node_.inputs[index]);
  }
  const TensorType& outputType() const { return emitter_.graph().type(node_.outputs[0]); }

  /// The node as one operator with the node's own inputs and outputs.
  Status same(std::string_view operator_name, Attributes attributes = {}) {
    return last(operator_name, inputs_, attributes);
  }
  /// The operator that gives the node's outputs.
  Status last(std::string_view operator_name, const std::vector<std::string>& inputs,
              Attributes attributes = {}) {
    emitter_.addNode(operator_name, node_.name, inputs, outputs_, attributes);
    return {};
  }
  /// An operator before the last one; returns its output.
  std::string step(std::string_view operator_name, const std::vector<std::string>& inputs,
                   Attributes attributes = {}) {
    std::string name = emitter_.freshName(fmt::format("{}/{}", node_.name, operator_name));
    const std::string outputs[] = {name};
    emitter_.addNode(operator_name, name, inputs, outputs, attributes);
    return name;
  }
  std::string constant(std::string_view what, Tensor tensor) {
    return emitter_.addConstant(fmt::format("{}/{}", node_.name, what), std::move(tensor));
  }
  std::string ints(std::string_view what, const Ints& values) {
    return constant(
        what, Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(values.size())}, values));
  }
  std::string scalar(std::string_view what, double value) {
    return constant(what, scalarOf(value, inputType(0).dtype));
  }

 private:
  OnnxEmitter& emitter_;
  const Node& node_;
  std::vector<std::string> inputs_;
  std::vector<std::string> outputs_;
};

Ints extents(const Extent2d& extent) {
  return {extent.h, extent.w};
}

Ints padding(const Padding2d& pads) {
  return {pads.top, pads.left, pads.bottom, pads.right};
}

Status write(const Conv2d& op, NodeWriter& out) {
  return out.same("Conv", {{"kernel_shape", extents(op.window.kernel)},
                           {"strides", extents(op.window.stride)},
                           {"dilations", extents(op.window.dilation)},
                           {"pads", padding(op.window.pads)},
                           {"group", op.groups}});
}

Status write(const ConvTranspose2d& op, NodeWriter& out) {
  return out.same("ConvTranspose", {{"kernel_shape", extents(op.window.kernel)},
                                    {"strides", extents(op.window.stride)},
                                    {"dilations", extents(op.window.dilation)},
                                    {"pads", padding(op.window.pads)},
                                    {"output_padding", extents(op.output_padding)},
                                    {"group", op.groups}});
}

Status write(const MaxPool2d& op, NodeWriter& out) {
  return out.same("MaxPool", {{"kernel_shape", extents(op.window.kernel)},
                              {"strides", extents(op.window.stride)},
                              {"dilations", extents(op.window.dilation)},
                              {"pads", padding(op.window.pads)},
                              {"ceil_mode", op.ceil}});
}

/// Rows or columns that the windows of an axis reach over.
struct Coverage {
  std::int64_t input, kernel, stride, dilation, front, back, outputs;
  /// Padding behind that the last window needs.
  std::int64_t needed() const {
    return std::max(back, (outputs - 1) * stride + dilation * (kernel - 1) + 1 - front - input);
  }
  /// How many elements of window `index` divide its sum.
  std::int64_t divisor(std::int64_t index, bool count_pads) const {
    std::int64_t count = 0;
    for (std::int64_t k = 0; k < kernel; ++k) {
      const std::int64_t at = index * stride + k * dilation - front;
      const bool inside = count_pads ? at < input + back : at >= 0 && at < input;
      if (inside) ++count;
    }
    return count;
  }
};

/// A mean as a depthwise convolution with ones and a product with the reciprocal counts, for what
/// AveragePool cannot do in opset 17: dilation, and a rounded-up last window that counts padding.
Status writeAverageAsConvolution(const AveragePool2d& op, NodeWriter& out) {
  const Shape x = out.inputType(0).shape;
  const Shape y = out.outputType().shape;
  const Window2d& w = op.window;
  const Coverage rows{x[2], w.kernel.h, w.stride.h, w.dilation.h, w.pads.top, w.pads.bottom, y[2]};
  const Coverage columns{x[3],        w.kernel.w,   w.stride.w, w.dilation.w,
                         w.pads.left, w.pads.right, y[3]};
  if (out.inputType(0).dtype != DType::f32) {
    return makeError("this average pool of {} cannot be written", toString(out.inputType(0).dtype));
  }
  Tensor ones(DType::f32, Shape{x[1], 1, w.kernel.h, w.kernel.w});
  std::fill(ones.mutableAs<float>().begin(), ones.mutableAs<float>().end(), 1.0f);
  Tensor reciprocals(DType::f32, Shape{1, 1, y[2], y[3]});
  for (std::int64_t i = 0; i < y[2]; ++i) {
    for (std::int64_t j = 0; j < y[3]; ++j) {
      const std::int64_t count = rows.divisor(i, op.count_pads) * columns.divisor(j, op.count_pads);
      reciprocals.mutableAs<float>()[static_cast<std::size_t>(i * y[3] + j)] =
          static_cast<float>(1.0 / static_cast<double>(count));
    }
  }
  const std::string weights = out.constant("ones", std::move(ones));
  const std::string sums =
      out.step("Conv", {out.x(), weights},
               {{"kernel_shape", extents(w.kernel)},
                {"strides", extents(w.stride)},
                {"dilations", extents(w.dilation)},
                {"pads", Ints{w.pads.top, w.pads.left, rows.needed(), columns.needed()}},
                {"group", x[1]}});
  const std::string factors = out.constant("reciprocals", std::move(reciprocals));
  return out.last("Mul", {sums, factors});
}

Status write(const AveragePool2d& op, NodeWriter& out) {
  const bool dilated = op.window.dilation != Extent2d{1, 1};
  if (dilated || (op.ceil && op.count_pads)) return writeAverageAsConvolution(op, out);
  return out.same("AveragePool", {{"kernel_shape", extents(op.window.kernel)},
                                  {"strides", extents(op.window.stride)},
                                  {"pads", padding(op.window.pads)},
                                  {"ceil_mode", op.ceil},
                                  {"count_include_pad", op.count_pads}});
}

Status write(const GlobalPool& op, NodeWriter& out) {
  if (out.inputType(0).shape.rank() < 3) return out.same("Identity");
  return out.same(op.kind == GlobalPoolKind::average ? "GlobalAveragePool" : "GlobalMaxPool");
}

Status write(const BatchNorm& op, NodeWriter& out) {
  return out.same("BatchNormalization", {{"epsilon", op.epsilon}});
}

Status write(const LocalResponseNorm& op, NodeWriter& out) {
  return out.same("LRN",
                  {{"size", op.size}, {"alpha", op.alpha}, {"beta", op.beta}, {"bias", op.bias}});
}

Status write(const Gemm& op, NodeWriter& out) {
  return out.same("Gemm", {{"transA", op.transpose_a},
                           {"transB", op.transpose_b},
                           {"alpha", op.alpha},
                           {"beta", op.beta}});
}

Status write(const MatMul&, NodeWriter& out) {
  return out.same("MatMul");
}

/// x / 2 * (1 + gate)
Status writeGate(NodeWriter& out, const std::string& gate) {
  const std::string raised = out.step("Add", {gate, out.scalar("one", 1)});
  const std::string half = out.step("Mul", {out.x(), out.scalar("half", 0.5)});
  return out.last("Mul", {half, raised});
}

// 0.5 x (1 + erf(x / sqrt(2)))
Status writeGelu(NodeWriter& out) {
  const std::string inner =
      out.step("Mul", {out.x(), out.scalar("factor", 1 / std::numbers::sqrt2)});
  return writeGate(out, out.step("Erf", {inner}));
}

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
Status writeGeluTanh(NodeWriter& out) {
  const double root = std::sqrt(2 / std::numbers::pi);
  const std::string square = out.step("Mul", {out.x(), out.x()});
  const std::string scaled = out.step("Mul", {square, out.scalar("cubic", 0.044715 * root)});
  const std::string factor = out.step("Add", {scaled, out.scalar("linear", root)});
  const std::string inner = out.step("Mul", {factor, out.x()});
  return writeGate(out, out.step("Tanh", {inner}));
}

Status write(const Unary& op, NodeWriter& out) {
  switch (op.kind) {
    case UnaryKind::mish: {
      const std::string softplus = out.step("Softplus", {out.x()});
      return out.last("Mul", {out.x(), out.step("Tanh", {softplus})});
    }
    case UnaryKind::silu:
      return out.last("Mul", {out.x(), out.step("Sigmoid", {out.x()})});
    case UnaryKind::gelu:
      return writeGelu(out);
    case UnaryKind::gelu_tanh:
      return writeGeluTanh(out);
    default:
      return out.same(onnxName(op.kind));
  }
}

Status write(const LeakyRelu& op, NodeWriter& out) {
  return out.same("LeakyRelu", {{"alpha", op.alpha}});
}

Status write(const Elu& op, NodeWriter& out) {
  if (op.gamma == 1) return out.same("Elu", {{"alpha", op.alpha}});
  return out.same("Selu", {{"alpha", op.alpha}, {"gamma", op.gamma}});
}

Status write(const Clip& op, NodeWriter& out) {
  return out.last("Clip", {out.x(), out.scalar("min", op.low), out.scalar("max", op.high)});
}

Status write(const HardSigmoid& op, NodeWriter& out) {
  return out.same("HardSigmoid", {{"alpha", op.alpha}, {"beta", op.beta}});
}

Status write(const PRelu&, NodeWriter& out) {
  return out.same("PRelu");
}

Status write(const Binary& op, NodeWriter& out) {
  const std::string& a = out.input(0);
  const std::string& b = out.input(1);
  if (op.kind == BinaryKind::fmod) return out.same("Mod", {{"fmod", true}});
  if (op.kind == BinaryKind::mod && isFloating(out.inputType(0).dtype)) {
    // a - floor(a / b) * b: Mod itself takes floats with fmod's sign only.
    const std::string whole = out.step("Floor", {out.step("Div", {a, b})});
    return out.last("Sub", {a, out.step("Mul", {whole, b})});
  }
  return out.same(onnxName(op.kind));
}

Status write(const Where&, NodeWriter& out) {
  return out.same("Where");
}

Status write(const Softmax& op, NodeWriter& out) {
  return out.same(op.log ? "LogSoftmax" : "Softmax", {{"axis", op.axis}});
}

Status write(const Concat& op, NodeWriter& out) {
  return out.same("Concat", {{"axis", op.axis}});
}

Status write(const Split& op, NodeWriter& out) {
  return out.last("Split", {out.x(), out.ints("split", op.sizes)}, {{"axis", op.axis}});
}

Status write(const Slice& op, NodeWriter& out) {
  Ints ends;
  Ints axes;
  for (std::size_t i = 0; i < op.starts.size(); ++i) {
    const std::int64_t end = op.starts[i] + op.lengths[i] * op.steps[i];
    // An end before element 0 would count from the back.
    ends.push_back(end < 0 ? std::numeric_limits<std::int64_t>::min() : end);
    axes.push_back(static_cast<std::int64_t>(i));
  }
  return out.last("Slice", {out.x(), out.ints("starts", op.starts), out.ints("ends", ends),
                            out.ints("axes", axes), out.ints("steps", op.steps)});
}

Status write(const Gather& op, NodeWriter& out) {
  return out.same("Gather", {{"axis", op.axis}});
}

Status write(const Pad& op, NodeWriter& out) {
  Ints pads = op.before;
  pads.insert(pads.end(), op.after.begin(), op.after.end());
  std::vector<std::string> inputs{out.x(), out.ints("pads", pads)};
  if (op.mode == PadMode::constant) inputs.push_back(out.scalar("value", op.value));
  return out.last("Pad", inputs, {{"mode", onnxName(op.mode)}});
}

Status write(const Resize& op, NodeWriter& out) {
  const Shape& x = out.inputType(0).shape;
  bool by_size = true;
  bool by_scale = true;
  std::vector<float> scales;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const auto extent = static_cast<double>(x[axis]);
    const auto size = static_cast<double>(op.sizes[axis]);
    scales.push_back(static_cast<float>(op.scales[axis]));
    by_size = by_size && op.scales[axis] == size / extent;
    by_scale = by_scale && std::floor(extent * decimalValue(scales.back())) == size;
  }
  // Opset 17 takes sizes or scales, and rounds the size that a scale gives down; the symmetric form
  // differs from half_pixel only where a size is a rounded one.
  const bool symmetric = op.coordinates == ResizeCoordinates::half_pixel_symmetric;
  if (!by_size && (!by_scale || symmetric)) {
    return makeError("this pair of sizes and scales cannot be written in opset 17");
  }
  std::vector<std::string> inputs{out.x(), ""};
  if (by_size) {
    inputs.emplace_back();
    inputs.push_back(out.ints("sizes", op.sizes));
  } else {
    const Shape count{static_cast<std::int64_t>(scales.size())};
    inputs.push_back(out.constant("scales", Tensor::from<float>(count, scales)));
  }
  return out.last("Resize", inputs,
                  {{"mode", onnxName(op.mode)},
                   {"coordinate_transformation_mode", onnxName(op.coordinates)},
                   {"nearest_mode", onnxName(op.rounding)},
                   {"cubic_coeff_a", op.cubic_a},
                   {"exclude_outside", op.exclude_outside}});
}

Status write(const Transpose& op, NodeWriter& out) {
  return out.same("Transpose", {{"perm", op.permutation}});
}

Status write(const Reshape& op, NodeWriter& out) {
  const bool zero = std::find(op.shape.begin(), op.shape.end(), 0) != op.shape.end();
  const std::vector<std::string> inputs{out.x(), out.ints("shape", op.shape)};
  if (zero) return out.last("Reshape", inputs, {{"allowzero", true}});
  return out.last("Reshape", inputs);
}

Status write(const Expand& op, NodeWriter& out) {
  return out.last("Expand", {out.x(), out.ints("shape", op.shape)});
}

Status write(const Tile& op, NodeWriter& out) {
  return out.last("Tile", {out.x(), out.ints("repeats", op.repeats)});
}

/// A reduction over no axes; ONNX would read it as one over all.
Status writeReductionOfNothing(ReduceKind kind, NodeWriter& out) {
  switch (kind) {
    case ReduceKind::l1:
    case ReduceKind::l2:
      return out.same("Abs");
    case ReduceKind::sum_square:
      return out.last("Mul", {out.x(), out.x()});
    case ReduceKind::log_sum:
      return out.same("Log");
    default:
      return out.same("Identity");
  }
}

Status write(const Reduce& op, NodeWriter& out) {
  if (op.axes.empty()) return writeReductionOfNothing(op.kind, out);
  if (op.kind == ReduceKind::sum) {
    return out.last("ReduceSum", {out.x(), out.ints("axes", op.axes)}, {{"keepdims", op.keep}});
  }
  return out.same(onnxName(op.kind), {{"axes", op.axes}, {"keepdims", op.keep}});
}

Status write(const ArgReduce& op, NodeWriter& out) {
  return out.same(op.largest ? "ArgMax" : "ArgMin",
                  {{"axis", op.axis}, {"keepdims", op.keep}, {"select_last_index", op.last}});
}

Status write(const Cast& op, NodeWriter& out) {
  return out.same("Cast", {{"to", std::int64_t{onnxCode(op.to)}}});
}

Status write(const Identity&, NodeWriter& out) {
  return out.same("Identity");
}

Status write(const DepthToSpace& op, NodeWriter& out) {
  const bool depth_first = op.order == BlockOrder::depth_column_row;
  return out.same("DepthToSpace", {{"blocksize", op.block}, {"mode", depth_first ? "DCR" : "CRD"}});
}

Status write(const SpaceToDepth& op, NodeWriter& out) {
  return out.same("SpaceToDepth", {{"blocksize", op.block}});
}

Status write(const GatherElements& op, NodeWriter& out) {
  return out.same("GatherElements", {{"axis", op.axis}});
}

Status write(const GatherNd& op, NodeWriter& out) {
  return out.same("GatherND", {{"batch_dims", op.batch_axes}});
}

/// Opset 17 has no reduction by the smallest or largest.
Status checkReduction(ScatterReduction reduction) {
  if (reduction != ScatterReduction::min && reduction != ScatterReduction::max) return {};
  return makeError("a scatter by {} cannot be written in opset 17", enumName(reduction));
}

Status write(const ScatterElements& op, NodeWriter& out) {
  NARROWS_CHECK(checkReduction(op.reduction));
  return out.same("ScatterElements", {{"axis", op.axis}, {"reduction", enumName(op.reduction)}});
}

Status write(const ScatterNd& op, NodeWriter& out) {
  NARROWS_CHECK(checkReduction(op.reduction));
  return out.same("ScatterND", {{"reduction", enumName(op.reduction)}});
}

Status write(const TopK& op, NodeWriter& out) {
  return out.last("TopK", {out.x(), out.ints("count", {op.count})},
                  {{"axis", op.axis}, {"largest", op.largest}});
}

Status write(const NonMaxSuppression&, NodeWriter&) {
  return makeError(
      "ONNX's NonMaxSuppression has as many rows as there are boxes, ours a fixed "
      "number; it cannot be written");
}

}  // namespace

Status emitNode(OnnxEmitter& emitter, const Node& node) {
  NodeWriter out(emitter, node);
  Status status = std::visit([&out](const auto& op) { return write(op, out); }, node.op);
  return std::move(status).within(fmt::format("node \"{}\"", node.name));
}

}  // namespace narrows
