#include "narrows/graph/evaluate.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "narrows/graph/infer.h"
#include "narrows/tensor/half.h"

namespace narrows {
namespace {

using Inputs = std::span<const Tensor* const>;
using Outputs = std::vector<Tensor>;
using Coordinates = std::array<std::int64_t, Shape::kMaxRank>;

/// Most elements of one result; what is larger is work for an engine.
constexpr std::int64_t kMostElements = std::int64_t{1} << 26;

/// Calls `body(coordinates, index)` for every element in row-major order.
template <class Body>
void forEachElement(const Shape& shape, Body body) {
  Coordinates at{};
  const std::int64_t count = shape.elements();
  for (std::int64_t index = 0; index < count; ++index) {
    body(at, index);
    for (std::size_t axis = shape.rank(); axis-- > 0;) {
      if (++at[axis] < shape[axis]) break;
      at[axis] = 0;
    }
  }
}

/// Fills `result` with elements of `source`; `index_of` gives the flat index of each.
template <class IndexOf>
void gatherElements(const Tensor& source, Tensor& result, IndexOf index_of) {
  const std::size_t size = byteSize(source.dtype());
  const std::byte* from = source.view().bytes().data();
  std::byte* to = result.mutableView().bytes().data();
  forEachElement(result.shape(), [&](const Coordinates& at, std::int64_t index) {
    std::memcpy(to + static_cast<std::size_t>(index) * size,
                from + static_cast<std::size_t>(index_of(at)) * size, size);
  });
}

Outputs one(Tensor tensor) {
  Outputs outputs;
  outputs.push_back(std::move(tensor));
  return outputs;
}

/// Strides with which a tensor of `from` is read along the axes of `to`, 0 where it is broadcast.
Coordinates broadcastStrides(const Shape& from, const Shape& to) {
  Coordinates strides{};
  const auto own = from.strides();
  const std::size_t lead = to.rank() - from.rank();
  for (std::size_t axis = 0; axis < from.rank(); ++axis) {
    strides[lead + axis] = from[axis] == 1 ? 0 : own[axis];
  }
  return strides;
}

std::int64_t dot(const Coordinates& at, const Coordinates& strides, std::size_t rank) {
  std::int64_t index = 0;
  for (std::size_t axis = 0; axis < rank; ++axis) index += at[axis] * strides[axis];
  return index;
}

/// One visitor for each operator; those that are not listed give nothing.
class Evaluator {
 public:
  Evaluator(Inputs inputs, std::span<const TensorType> types) : inputs_(inputs), types_(types) {}

  template <class Any>
  std::optional<Outputs> operator()(const Any&) const {
    return std::nullopt;
  }

  std::optional<Outputs> operator()(const Identity&) const { return one(inputs_[0]->clone()); }
  std::optional<Outputs> operator()(const Reshape&) const {
    return one(inputs_[0]->clone().reshaped(types_[0].shape));
  }

  std::optional<Outputs> operator()(const Transpose& op) const {
    Tensor result(types_[0]);
    const auto own = inputs_[0]->shape().strides();
    Coordinates strides{};
    for (std::size_t axis = 0; axis < op.permutation.size(); ++axis) {
      strides[axis] = own[static_cast<std::size_t>(op.permutation[axis])];
    }
    gatherElements(*inputs_[0], result,
                   [&](const Coordinates& at) { return dot(at, strides, result.shape().rank()); });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Expand&) const {
    Tensor result(types_[0]);
    const Coordinates strides = broadcastStrides(inputs_[0]->shape(), result.shape());
    gatherElements(*inputs_[0], result,
                   [&](const Coordinates& at) { return dot(at, strides, result.shape().rank()); });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Tile&) const {
    Tensor result(types_[0]);
    const Shape& source = inputs_[0]->shape();
    const auto strides = source.strides();
    gatherElements(*inputs_[0], result, [&](const Coordinates& at) {
      std::int64_t index = 0;
      for (std::size_t axis = 0; axis < source.rank(); ++axis) {
        index += at[axis] % source[axis] * strides[axis];
      }
      return index;
    });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Slice& op) const {
    Tensor result(types_[0]);
    const auto strides = inputs_[0]->shape().strides();
    gatherElements(*inputs_[0], result, [&](const Coordinates& at) {
      std::int64_t index = 0;
      for (std::size_t axis = 0; axis < op.starts.size(); ++axis) {
        index += (op.starts[axis] + at[axis] * op.steps[axis]) * strides[axis];
      }
      return index;
    });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Split& op) const {
    const auto strides = inputs_[0]->shape().strides();
    const auto axis = static_cast<std::size_t>(op.axis);
    Outputs outputs;
    std::int64_t begin = 0;
    for (const TensorType& type : types_) {
      Tensor result(type);
      gatherElements(*inputs_[0], result, [&](Coordinates at) {
        at[axis] += begin;
        return dot(at, strides, type.shape.rank());
      });
      begin += type.shape[axis];
      outputs.push_back(std::move(result));
    }
    return outputs;
  }

  std::optional<Outputs> operator()(const Concat& op) const {
    const auto axis = static_cast<std::size_t>(op.axis);
    Tensor result(types_[0]);
    const auto strides = result.shape().strides();
    const std::size_t size = byteSize(result.dtype());
    std::byte* to = result.mutableView().bytes().data();
    std::int64_t begin = 0;
    for (const Tensor* input : inputs_) {
      const std::byte* from = input->view().bytes().data();
      forEachElement(input->shape(), [&](Coordinates at, std::int64_t index) {
        at[axis] += begin;
        const std::int64_t place = dot(at, strides, result.shape().rank());
        std::memcpy(to + static_cast<std::size_t>(place) * size,
                    from + static_cast<std::size_t>(index) * size, size);
      });
      begin += input->shape()[axis];
    }
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Gather& op) const {
    const auto axis = static_cast<std::size_t>(op.axis);
    const Shape& data = inputs_[0]->shape();
    std::vector<std::int64_t> indices;
    if (inputs_[1]->dtype() == DType::i64) {
      for (std::int64_t index : inputs_[1]->as<std::int64_t>()) indices.push_back(index);
    } else {
      for (std::int32_t index : inputs_[1]->as<std::int32_t>()) indices.push_back(index);
    }
    for (std::int64_t& index : indices) {
      if (index < -data[axis] || index >= data[axis]) return std::nullopt;
      if (index < 0) index += data[axis];
    }
    Tensor result(types_[0]);
    const auto strides = data.strides();
    const auto index_strides = inputs_[1]->shape().strides();
    const std::size_t index_rank = inputs_[1]->shape().rank();
    gatherElements(*inputs_[0], result, [&](const Coordinates& at) {
      std::int64_t which = 0;
      for (std::size_t i = 0; i < index_rank; ++i) which += at[axis + i] * index_strides[i];
      std::int64_t index = indices[static_cast<std::size_t>(which)] * strides[axis];
      for (std::size_t i = 0; i < data.rank(); ++i) {
        if (i != axis) index += at[i < axis ? i : i + index_rank - 1] * strides[i];
      }
      return index;
    });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Where&) const {
    Tensor result(types_[0]);
    const std::size_t rank = result.shape().rank();
    const Coordinates condition = broadcastStrides(inputs_[0]->shape(), result.shape());
    const Coordinates yes = broadcastStrides(inputs_[1]->shape(), result.shape());
    const Coordinates no = broadcastStrides(inputs_[2]->shape(), result.shape());
    const auto flags = inputs_[0]->as<bool>();
    const std::size_t size = byteSize(result.dtype());
    std::byte* to = result.mutableView().bytes().data();
    forEachElement(result.shape(), [&](const Coordinates& at, std::int64_t index) {
      const bool first = flags[static_cast<std::size_t>(dot(at, condition, rank))];
      const Tensor& from = first ? *inputs_[1] : *inputs_[2];
      const auto place = static_cast<std::size_t>(dot(at, first ? yes : no, rank));
      std::memcpy(to + static_cast<std::size_t>(index) * size,
                  from.view().bytes().data() + place * size, size);
    });
    return one(std::move(result));
  }

  std::optional<Outputs> operator()(const Cast&) const { return castFrom(*inputs_[0]); }
  std::optional<Outputs> operator()(const Unary& op) const {
    // Questions about numbers are answered with booleans.
    if (types_[0].dtype != inputs_[0]->dtype()) return std::nullopt;
    if (inputs_[0]->dtype() == DType::f32) return unary<float>(op.kind);
    if (inputs_[0]->dtype() == DType::i64) return unary<std::int64_t>(op.kind);
    if (inputs_[0]->dtype() == DType::i32) return unary<std::int32_t>(op.kind);
    return std::nullopt;
  }
  std::optional<Outputs> operator()(const Binary& op) const {
    if (inputs_[0]->dtype() != inputs_[1]->dtype()) return std::nullopt;
    if (inputs_[0]->dtype() == DType::f32) return binary<float>(op.kind);
    if (inputs_[0]->dtype() == DType::i64) return binary<std::int64_t>(op.kind);
    if (inputs_[0]->dtype() == DType::i32) return binary<std::int32_t>(op.kind);
    return std::nullopt;
  }
  std::optional<Outputs> operator()(const Reduce& op) const {
    if (inputs_[0]->dtype() == DType::i64) return reduce(op);
    return std::nullopt;
  }

 private:
  std::optional<Outputs> castFrom(const Tensor& source) const {
    switch (source.dtype()) {
      case DType::f16:
        return castElements(std::span<const float>(widened(source)));
      case DType::f32:
        return castElements(source.as<float>());
      case DType::i64:
        return castElements(source.as<std::int64_t>());
      case DType::i32:
        return castElements(source.as<std::int32_t>());
      case DType::boolean:
        return castElements(source.as<bool>());
      default:
        return std::nullopt;
    }
  }

  static std::vector<float> widened(const Tensor& halves) {
    std::vector<float> wide(static_cast<std::size_t>(halves.type().elements()));
    const std::byte* from = halves.view().bytes().data();
    for (float& value : wide) {
      std::uint16_t bits;
      std::memcpy(&bits, from, sizeof bits);
      from += sizeof bits;
      value = halfToFloat(bits);
    }
    return wide;
  }

  template <class From>
  std::optional<Outputs> castElements(std::span<const From> from) const {
    switch (types_[0].dtype) {
      case DType::f32:
        return castTo<float>(from);
      case DType::i64:
        return castTo<std::int64_t>(from);
      case DType::i32:
        return castTo<std::int32_t>(from);
      case DType::boolean:
        return castTo<bool>(from);
      default:
        return std::nullopt;
    }
  }

  template <class To, class From>
  std::optional<Outputs> castTo(std::span<const From> from) const {
    Tensor result(types_[0]);
    const auto to = result.mutableAs<To>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      if constexpr (std::is_same_v<From, float> && std::is_integral_v<To> &&
                    !std::is_same_v<To, bool>) {
        // Beyond the range the result differs between machines.
        if (!(from[i] >= -2147483648.0F && from[i] < 2147483648.0F)) return std::nullopt;
      }
      to[i] =
          std::is_same_v<To, bool> ? static_cast<To>(from[i] != From{}) : static_cast<To>(from[i]);
    }
    return one(std::move(result));
  }

  template <class T>
  std::optional<Outputs> unary(UnaryKind kind) const {
    const auto from = inputs_[0]->as<T>();
    Tensor result(types_[0]);
    const auto to = result.mutableAs<T>();
    for (std::size_t i = 0; i < from.size(); ++i) {
      const auto value = unaryOf(kind, from[i]);
      if (!value) return std::nullopt;
      to[i] = *value;
    }
    return one(std::move(result));
  }

  static std::optional<float> unaryOf(UnaryKind kind, float x) {
    switch (kind) {
      case UnaryKind::relu:
        return x > 0 ? x : 0.0F;
      case UnaryKind::abs:
        return std::fabs(x);
      case UnaryKind::neg:
        return -x;
      case UnaryKind::sqrt:
        return std::sqrt(x);
      case UnaryKind::floor:
        return std::floor(x);
      case UnaryKind::ceil:
        return std::ceil(x);
      case UnaryKind::reciprocal:
        return 1.0F / x;
      default:
        return std::nullopt;
    }
  }
  template <class Integer>
  static std::optional<Integer> unaryOf(UnaryKind kind, Integer x) {
    const bool has_negative = x != std::numeric_limits<Integer>::min();
    if (kind == UnaryKind::neg && has_negative) return static_cast<Integer>(-x);
    if (kind == UnaryKind::abs && has_negative) return static_cast<Integer>(x < 0 ? -x : x);
    if (kind == UnaryKind::relu) return x > 0 ? x : Integer{0};
    return std::nullopt;
  }

  template <class T>
  std::optional<Outputs> binary(BinaryKind kind) const {
    if (kind >= BinaryKind::logical_and) return std::nullopt;
    if (types_[0].dtype == DType::boolean) {
      return combine<T, bool>([kind](T a, T b) { return compared(kind, a, b); });
    }
    return combine<T, T>([kind](T a, T b) { return arithmetic(kind, a, b); });
  }

  template <class T, class To, class Function>
  std::optional<Outputs> combine(Function function) const {
    Tensor result(types_[0]);
    const std::size_t rank = result.shape().rank();
    const Coordinates strides_a = broadcastStrides(inputs_[0]->shape(), result.shape());
    const Coordinates strides_b = broadcastStrides(inputs_[1]->shape(), result.shape());
    const auto a = inputs_[0]->as<T>();
    const auto b = inputs_[1]->as<T>();
    const auto to = result.mutableAs<To>();
    bool defined = true;
    forEachElement(result.shape(), [&](const Coordinates& at, std::int64_t index) {
      const auto value = function(a[static_cast<std::size_t>(dot(at, strides_a, rank))],
                                  b[static_cast<std::size_t>(dot(at, strides_b, rank))]);
      defined = defined && value.has_value();
      if (value) to[static_cast<std::size_t>(index)] = *value;
    });
    if (!defined) return std::nullopt;
    return one(std::move(result));
  }

  template <class T>
  static std::optional<bool> compared(BinaryKind kind, T a, T b) {
    switch (kind) {
      case BinaryKind::equal:
        return a == b;
      case BinaryKind::less:
        return a < b;
      case BinaryKind::less_equal:
        return a <= b;
      case BinaryKind::greater:
        return a > b;
      case BinaryKind::greater_equal:
        return a >= b;
      default:
        return std::nullopt;
    }
  }

  static std::optional<float> arithmetic(BinaryKind kind, float a, float b) {
    switch (kind) {
      case BinaryKind::add:
        return a + b;
      case BinaryKind::sub:
        return a - b;
      case BinaryKind::mul:
        return a * b;
      case BinaryKind::div:
        return a / b;
      default:
        return std::nullopt;  // min and max of NaN are an engine's choice
    }
  }
  template <class Integer>
  static std::optional<Integer> arithmetic(BinaryKind kind, Integer a, Integer b) {
    Integer result = 0;
    switch (kind) {
      case BinaryKind::add:
        if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
        return result;
      case BinaryKind::sub:
        if (__builtin_sub_overflow(a, b, &result)) return std::nullopt;
        return result;
      case BinaryKind::mul:
        if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
        return result;
      case BinaryKind::div:
        if (b == 0 || (b == -1 && a == std::numeric_limits<Integer>::min())) return std::nullopt;
        return static_cast<Integer>(a / b);
      case BinaryKind::min:
        return std::min(a, b);
      case BinaryKind::max:
        return std::max(a, b);
      default:
        return std::nullopt;
    }
  }

  std::optional<Outputs> reduce(const Reduce& op) const {
    const Tensor& source = *inputs_[0];
    Tensor result(types_[0]);
    if (source.type().elements() == 0) return std::nullopt;
    const auto from = source.as<std::int64_t>();
    const auto to = result.mutableAs<std::int64_t>();
    // Strides of the result along the source's axes: 0 on folded ones.
    Coordinates strides{};
    std::int64_t stride = 1;
    for (std::size_t axis = source.shape().rank(); axis-- > 0;) {
      const bool folded = std::find(op.axes.begin(), op.axes.end(),
                                    static_cast<std::int64_t>(axis)) != op.axes.end();
      strides[axis] = folded ? 0 : stride;
      if (!folded) stride *= source.shape()[axis];
    }
    std::vector<bool> started(to.size(), false);
    bool defined = true;
    forEachElement(source.shape(), [&](const Coordinates& at, std::int64_t index) {
      const auto place = static_cast<std::size_t>(dot(at, strides, source.shape().rank()));
      const std::int64_t element = from[static_cast<std::size_t>(index)];
      const auto folded = started[place] ? fold(op.kind, to[place], element)
                                         : fold(op.kind, identityOf(op.kind, element), element);
      defined = defined && folded.has_value();
      started[place] = true;
      if (folded) to[place] = *folded;
    });
    if (!defined) return std::nullopt;
    return one(std::move(result));
  }

  static std::int64_t identityOf(ReduceKind kind, std::int64_t first) {
    if (kind == ReduceKind::sum) return 0;
    if (kind == ReduceKind::prod) return 1;
    return first;
  }
  static std::optional<std::int64_t> fold(ReduceKind kind, std::int64_t a, std::int64_t b) {
    switch (kind) {
      case ReduceKind::sum:
        return arithmetic(BinaryKind::add, a, b);
      case ReduceKind::prod:
        return arithmetic(BinaryKind::mul, a, b);
      case ReduceKind::min:
        return std::min(a, b);
      case ReduceKind::max:
        return std::max(a, b);
      default:
        return std::nullopt;
    }
  }

  Inputs inputs_;
  std::span<const TensorType> types_;
};

}  // namespace

std::optional<std::vector<Tensor>> evaluateConstant(const Op& op, Inputs inputs) {
  std::vector<std::optional<TensorType>> input_types;
  for (const Tensor* input : inputs) {
    // None of the operators here has optional inputs.
    if (input == nullptr) return std::nullopt;
    input_types.emplace_back(input->type());
  }
  const auto types = inferTypes(op, input_types);
  if (!types.ok()) return std::nullopt;
  for (const TensorType& type : *types) {
    if (type.elements() > kMostElements) return std::nullopt;
  }
  return std::visit(Evaluator(inputs, *types), op);
}

}  // namespace narrows
