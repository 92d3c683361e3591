#include <algorithm>
#include <array>

#include "narrows/engine/reference/copy.h"
#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

/// Element `at` of indices of either dtype.
std::int64_t indexAt(const TensorView& indices, std::int64_t at) {
  if (indices.dtype() == DType::i32) return elements<std::int32_t>(indices)[at];
  return elements<std::int64_t>(indices)[at];
}

/// An index counted from the front, or an error that names its place.
Result<std::int64_t> resolve(const TensorView& indices, std::int64_t at, std::int64_t extent) {
  const std::int64_t index = indexAt(indices, at);
  if (index < -extent || index >= extent) {
    return makeError("element {} of the indices is {}, the axis has {} elements", at, index,
                     extent);
  }
  return index < 0 ? index + extent : index;
}

/// Where element `at` of indices along an axis points to in `data`.
Result<std::int64_t> alongAxis(const Shape& data, std::size_t axis, const TensorView& indices,
                               std::int64_t at) {
  const Shape& shape = indices.shape();
  const auto strides = data.strides();
  NARROWS_TRY(index, resolve(indices, at, data[axis]));
  std::int64_t offset = index * strides[axis];
  std::int64_t rest = at;
  for (std::size_t i = shape.rank(); i-- > 0;) {
    if (i != axis) offset += rest % shape[i] * strides[i];
    rest /= shape[i];
  }
  return offset;
}

/// Rows of `width` indices behind `batch` shared axes, each naming `inner` adjacent elements.
struct Rows {
  std::int64_t count = 0, width = 1, inner = 1, rows_per_batch = 1, batch_stride = 0;
  std::size_t batch = 0;

  Rows(const Shape& data, const Shape& indices, std::int64_t batch_axes)
      : batch(static_cast<std::size_t>(batch_axes)) {
    const std::size_t last = indices.rank() - 1;
    width = indices[last];
    count = indices.elements() / width;
    for (std::size_t i = batch; i < last; ++i) rows_per_batch *= indices[i];
    if (batch > 0) batch_stride = data.strides()[batch - 1];
    for (std::size_t i = batch + static_cast<std::size_t>(width); i < data.rank(); ++i)
      inner *= data[i];
  }

  Result<std::int64_t> offset(const Shape& data, const TensorView& indices,
                              std::int64_t row) const {
    std::int64_t at = row / rows_per_batch * batch_stride;
    for (std::int64_t i = 0; i < width; ++i) {
      const std::size_t axis = batch + static_cast<std::size_t>(i);
      NARROWS_TRY(index, resolve(indices, row * width + i, data[axis]));
      at += index * data.strides()[axis];
    }
    return at;
  }
};

template <class T>
T combined(ScatterReduction reduction, T old, T update) {
  switch (reduction) {
    case ScatterReduction::none:
      return update;
    case ScatterReduction::add:
      return sum(old, update);
    case ScatterReduction::mul:
      return product(old, update);
    case ScatterReduction::min:
      return smaller(old, update);
    case ScatterReduction::max:
      return larger(old, update);
  }
  return update;
}

void copyData(const KernelTensors& t) {
  copyBytes(t.outputs[0].bytes().data(), t.inputs[0].bytes().data(),
            static_cast<std::int64_t>(t.inputs[0].bytes().size()));
}

/// A scatter: `offset_of(data shape, indices, i)` says where update i, `length` elements, goes.
template <class OffsetOf>
Result<Kernel> makeScatter(DType dtype, ScatterReduction reduction, std::int64_t count,
                           std::int64_t length, OffsetOf offset_of) {
  if (reduction == ScatterReduction::none) {
    const auto bytes = length * static_cast<std::int64_t>(byteSize(dtype));
    const auto size = static_cast<std::int64_t>(byteSize(dtype));
    return Kernel([=](const KernelTensors& t) -> Status {
      copyData(t);
      for (std::int64_t i = 0; i < count; ++i) {
        NARROWS_TRY(offset, offset_of(t.inputs[0].shape(), t.inputs[1], i));
        copyBytes(t.outputs[0].bytes().data() + offset * size,
                  t.inputs[2].bytes().data() + i * bytes, bytes);
      }
      return {};
    });
  }
  return forNumber(dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [=](const KernelTensors& t) -> Status {
      copyData(t);
      for (std::int64_t i = 0; i < count; ++i) {
        NARROWS_TRY(offset, offset_of(t.inputs[0].shape(), t.inputs[1], i));
        T* to = elements<T>(t.outputs[0]) + offset;
        const T* from = elements<T>(t.inputs[2]) + i * length;
        for (std::int64_t k = 0; k < length; ++k) to[k] = combined(reduction, to[k], from[k]);
      }
      return {};
    };
  });
}

}  // namespace

Result<Kernel> prepare(const GatherElements& op, const KernelTypes& types) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const std::int64_t count = types.outputs[0].elements();
  return forSize(types.inputs[0].dtype, [&](auto size) -> Kernel {
    constexpr std::size_t kBytes = decltype(size)::kBytes;
    return [axis, count](const KernelTensors& t) -> Status {
      for (std::int64_t i = 0; i < count; ++i) {
        NARROWS_TRY(from, alongAxis(t.inputs[0].shape(), axis, t.inputs[1], i));
        copyElement<kBytes>(t.outputs[0].bytes().data(), i, t.inputs[0].bytes().data(), from);
      }
      return {};
    };
  });
}

Result<Kernel> prepare(const GatherNd& op, const KernelTypes& types) {
  const Rows rows(types.inputs[0].shape, types.inputs[1].shape, op.batch_axes);
  const auto size = static_cast<std::int64_t>(byteSize(types.inputs[0].dtype));
  return Kernel([rows, size](const KernelTensors& t) -> Status {
    const std::int64_t bytes = rows.inner * size;
    for (std::int64_t row = 0; row < rows.count; ++row) {
      NARROWS_TRY(from, rows.offset(t.inputs[0].shape(), t.inputs[1], row));
      copyBytes(t.outputs[0].bytes().data() + row * bytes, t.inputs[0].bytes().data() + from * size,
                bytes);
    }
    return {};
  });
}

Result<Kernel> prepare(const ScatterElements& op, const KernelTypes& types) {
  const auto axis = static_cast<std::size_t>(op.axis);
  return makeScatter(types.inputs[0].dtype, op.reduction, types.inputs[1].elements(), 1,
                     [axis](const Shape& data, const TensorView& indices, std::int64_t i) {
                       return alongAxis(data, axis, indices, i);
                     });
}

Result<Kernel> prepare(const ScatterNd& op, const KernelTypes& types) {
  const Rows rows(types.inputs[0].shape, types.inputs[1].shape, 0);
  return makeScatter(types.inputs[0].dtype, op.reduction, rows.count, rows.inner,
                     [rows](const Shape& data, const TensorView& indices, std::int64_t i) {
                       return rows.offset(data, indices, i);
                     });
}

}  // namespace narrows::reference
