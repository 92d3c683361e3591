#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "narrows/formats/onnx_operators.h"

namespace narrows {
namespace {

Tensor intsTensor(const Ints& values) {
  return Tensor::from<std::int64_t>(Shape{static_cast<std::int64_t>(values.size())}, values);
}

constexpr double kMaxRange = 1 << 28;

/// start, start + delta, ... before limit.
template <class T>
Status finishRange(NodeImport& node, const Tensor& start, const Tensor& limit,
                   const Tensor& delta) {
  const T first = start.as<T>()[0];
  const T step = delta.as<T>()[0];
  const double span = static_cast<double>(limit.as<T>()[0]) - static_cast<double>(first);
  const double steps = std::ceil(span / static_cast<double>(step));
  if (step == T{0} || !(steps < kMaxRange)) return makeError("a range of too many elements");
  const auto count = static_cast<std::int64_t>(std::max(steps, 0.0));
  const TensorType type{dtypeOf<T>(), Shape{count}};
  NARROWS_CHECK(node.spend(type.bytes()));
  Tensor values(type);
  for (std::int64_t i = 0; i < count; ++i) {
    T& value = values.mutableAs<T>()[static_cast<std::size_t>(i)];
    if constexpr (std::is_integral_v<T>) {
      // Unsigned, since a product that is not used may wrap.
      using U = std::make_unsigned_t<T>;
      value = static_cast<T>(static_cast<U>(first) + static_cast<U>(i) * static_cast<U>(step));
    } else {
      value = first + static_cast<T>(i) * step;
    }
  }
  return node.finishConstant(std::move(values));
}

/// A tensor of `shape` whose every element is the one of `value`.
Tensor filled(const Shape& shape, const Tensor& value) {
  Tensor tensor(value.dtype(), shape);
  const ByteSpan element = value.view().bytes();
  const auto target = tensor.mutableView().bytes();
  for (std::size_t at = 0; at < target.size(); at += element.size()) {
    std::memcpy(target.data() + at, element.data(), element.size());
  }
  return tensor;
}

}  // namespace

Status mapConstant(NodeImport& node) {
  NARROWS_TRY(proto, node.attributes.tensor("value"));
  if (proto != nullptr) {
    NARROWS_TRY(tensor, takeTensor(*proto, node.files()));
    return node.finishConstant(std::move(tensor));
  }
  if (node.attributes.has("value_int")) {
    NARROWS_TRY(value, node.attributes.integer("value_int", 0));
    return node.finishConstant(Tensor::scalar(value));
  }
  if (node.attributes.has("value_ints")) {
    NARROWS_TRY(values, node.attributes.integers("value_ints"));
    return node.finishConstant(intsTensor(values));
  }
  if (node.attributes.has("value_float")) {
    NARROWS_TRY(value, node.attributes.number("value_float", 0));
    return node.finishConstant(Tensor::scalar(static_cast<float>(value)));
  }
  if (node.attributes.has("value_floats")) {
    NARROWS_TRY(values, node.attributes.numbers("value_floats"));
    const std::vector<float> floats(values.begin(), values.end());
    const Shape shape{static_cast<std::int64_t>(floats.size())};
    return node.finishConstant(Tensor::from<float>(shape, floats));
  }
  return makeError("no value that is supported");
}

Status mapConstantOfShape(NodeImport& node) {
  NARROWS_TRY(extents, node.integersInput(0, "the shape"));
  NARROWS_TRY(shape, Shape::create(extents));
  NARROWS_TRY(proto, node.attributes.tensor("value"));
  Tensor value = Tensor::scalar(0.0f);
  if (proto != nullptr) {
    NARROWS_TRY(given, takeTensor(*proto, node.files()));
    value = std::move(given);
  }
  if (value.shape().elements() != 1) return makeError("value is {}", toString(value.shape()));
  NARROWS_CHECK(node.spend(TensorType{value.dtype(), shape}.bytes()));
  return node.finishConstant(filled(shape, value));
}

Status mapShape(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  const Shape& shape = node.shape(x);
  const auto rank = static_cast<std::int64_t>(shape.rank());
  NARROWS_TRY(start, node.attributes.integer("start", 0));
  NARROWS_TRY(end, node.attributes.integer("end", rank));
  const auto clamp = [rank](std::int64_t axis) {
    return std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
  };
  Ints extents;
  for (std::int64_t axis = clamp(start); axis < clamp(end); ++axis) {
    extents.push_back(shape[static_cast<std::size_t>(axis)]);
  }
  return node.finishConstant(intsTensor(extents));
}

Status mapSize(NodeImport& node) {
  NARROWS_TRY(x, node.input(0));
  return node.finishConstant(Tensor::scalar(node.shape(x).elements()));
}

Status mapRange(NodeImport& node) {
  NARROWS_TRY(start, node.input(0));
  NARROWS_TRY(limit, node.input(1));
  NARROWS_TRY(delta, node.input(2));
  const DType dtype = node.type(start).dtype;
  for (OperandId id : {start, limit, delta}) {
    if (!node.isConstant(id)) return makeError("a bound is not known before the network runs");
    if (node.shape(id).elements() != 1 || node.type(id).dtype != dtype) {
      return makeError("bounds are not scalars of one type");
    }
  }
  const Tensor& first = node.constant(start);
  const Tensor& end = node.constant(limit);
  const Tensor& step = node.constant(delta);
  switch (dtype) {
    case DType::i64:
      return finishRange<std::int64_t>(node, first, end, step);
    case DType::i32:
      return finishRange<std::int32_t>(node, first, end, step);
    case DType::f32:
      return finishRange<float>(node, first, end, step);
    case DType::f64:
      return finishRange<double>(node, first, end, step);
    default:
      return makeError("not supported for {}", toString(dtype));
  }
}

}  // namespace narrows
