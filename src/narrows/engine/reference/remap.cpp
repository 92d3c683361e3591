#include "narrows/engine/reference/remap.h"

#include <algorithm>

#include "narrows/engine/reference/copy.h"
#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

using ElementBytes = std::array<std::byte, 8>;

template <class T>
ElementBytes bytesOf(T value) {
  ElementBytes bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

ElementBytes fillBytes(DType dtype, double value) {
  switch (dtype) {
    case DType::f32:
      return bytesOf(convert<float>(value));
    case DType::f64:
      return bytesOf(value);
    case DType::f16:
      return bytesOf(convert<Half>(value));
    case DType::i8:
      return bytesOf(convert<std::int8_t>(value));
    case DType::u8:
      return bytesOf(convert<std::uint8_t>(value));
    case DType::i16:
      return bytesOf(convert<std::int16_t>(value));
    case DType::u16:
      return bytesOf(convert<std::uint16_t>(value));
    case DType::i32:
      return bytesOf(convert<std::int32_t>(value));
    case DType::u32:
      return bytesOf(convert<std::uint32_t>(value));
    case DType::i64:
      return bytesOf(convert<std::int64_t>(value));
    case DType::u64:
      return bytesOf(convert<std::uint64_t>(value));
    case DType::boolean:
      return bytesOf(convert<Bool>(value));
  }
  return {};
}

/// What does not change from run to run.
struct Plan {
  std::vector<AxisMap> maps;
  ElementBytes fill;
};

/// Writes the part of the output below `axis`; `at` is kFill or the input offset so far.
template <std::size_t Bytes>
void copyAxis(const Plan& plan, std::size_t axis, std::int64_t at, const std::byte* from,
              std::byte* to, std::int64_t& next) {
  const AxisMap& map = plan.maps[axis];
  const bool innermost = axis + 1 == plan.maps.size();
  for (std::int64_t step : map) {
    const std::int64_t offset = at == kFill || step == kFill ? kFill : at + step;
    if (!innermost) {
      copyAxis<Bytes>(plan, axis + 1, offset, from, to, next);
    } else if (offset == kFill) {
      copyElement<Bytes>(to, next++, plan.fill.data(), 0);
    } else {
      copyElement<Bytes>(to, next++, from, offset);
    }
  }
}

/// `count` positions, `step` elements apart, from `start` elements into the input.
AxisMap evenMap(std::int64_t start, std::int64_t step, std::int64_t count) {
  AxisMap map;
  for (std::int64_t i = 0; i < count; ++i) map.push_back(start + i * step);
  return map;
}

/// The input position that padding mode `mode` shows `index` places into an axis; `index` may lie
/// outside of it.
std::int64_t paddedIndex(PadMode mode, std::int64_t index, std::int64_t extent) {
  if (index >= 0 && index < extent) return index;
  switch (mode) {
    case PadMode::constant:
      return kFill;
    case PadMode::edge:
      return std::clamp<std::int64_t>(index, 0, extent - 1);
    case PadMode::reflect:
      return index < 0 ? -index : 2 * (extent - 1) - index;
  }
  return kFill;
}

}  // namespace

Kernel remap(DType dtype, std::vector<AxisMap> maps, double fill) {
  if (maps.empty()) maps.push_back({0});
  return forSize(dtype, [&](auto size) -> Kernel {
    constexpr std::size_t kBytes = decltype(size)::kBytes;
    auto plan = std::make_shared<const Plan>(Plan{std::move(maps), fillBytes(dtype, fill)});
    return [plan](const KernelTensors& t) -> Status {
      if (t.outputs[0].type().elements() == 0) return {};
      std::int64_t next = 0;
      copyAxis<kBytes>(*plan, 0, 0, t.inputs[0].bytes().data(), t.outputs[0].bytes().data(), next);
      return {};
    };
  });
}

Result<Kernel> prepare(const Slice& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  std::vector<AxisMap> maps;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    const std::int64_t stride = x.strides()[axis];
    maps.push_back(evenMap(op.starts[axis] * stride, op.steps[axis] * stride, op.lengths[axis]));
  }
  return remap(types.inputs[0].dtype, std::move(maps));
}

Result<Kernel> prepare(const Pad& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  std::vector<AxisMap> maps;
  for (std::size_t axis = 0; axis < x.rank(); ++axis) {
    AxisMap map;
    for (std::int64_t i = 0; i < y[axis]; ++i) {
      const std::int64_t index = paddedIndex(op.mode, i - op.before[axis], x[axis]);
      map.push_back(index == kFill ? kFill : index * x.strides()[axis]);
    }
    maps.push_back(std::move(map));
  }
  return remap(types.inputs[0].dtype, std::move(maps), op.value);
}

Result<Kernel> prepare(const Transpose& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  std::vector<AxisMap> maps;
  for (std::int64_t from : op.permutation) {
    const auto axis = static_cast<std::size_t>(from);
    maps.push_back(evenMap(0, x.strides()[axis], x[axis]));
  }
  return remap(types.inputs[0].dtype, std::move(maps));
}

Result<Kernel> prepare(const Expand&, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  const std::size_t missing = y.rank() - x.rank();
  std::vector<AxisMap> maps;
  for (std::size_t axis = 0; axis < y.rank(); ++axis) {
    const bool repeated = axis < missing || x[axis - missing] == 1;
    maps.push_back(evenMap(0, repeated ? 0 : x.strides()[axis - missing], y[axis]));
  }
  return remap(types.inputs[0].dtype, std::move(maps));
}

Result<Kernel> prepare(const Tile&, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  std::vector<AxisMap> maps;
  for (std::size_t axis = 0; axis < y.rank(); ++axis) {
    AxisMap map;
    for (std::int64_t i = 0; i < y[axis]; ++i) map.push_back(i % x[axis] * x.strides()[axis]);
    maps.push_back(std::move(map));
  }
  return remap(types.inputs[0].dtype, std::move(maps));
}

Result<Kernel> prepare(const DepthToSpace& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  const auto strides = x.strides();
  const std::int64_t b = op.block;
  // Distance in the input of neighbouring output channels, block rows and block columns.
  const bool depth_first = op.order == BlockOrder::depth_column_row;
  const std::int64_t channel = strides[1] * (depth_first ? 1 : b * b);
  const std::int64_t column = strides[1] * (depth_first ? y[1] : 1);
  const std::int64_t row = column * b;
  std::vector<AxisMap> maps{evenMap(0, strides[0], y[0]), evenMap(0, channel, y[1]), {}, {}};
  for (std::int64_t i = 0; i < y[2]; ++i) maps[2].push_back(i / b * strides[2] + i % b * row);
  for (std::int64_t i = 0; i < y[3]; ++i) maps[3].push_back(i / b * strides[3] + i % b * column);
  return remap(types.inputs[0].dtype, std::move(maps));
}

Result<Kernel> prepare(const SpaceToDepth& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  const auto strides = x.strides();
  const std::int64_t b = op.block;
  std::vector<AxisMap> maps{evenMap(0, strides[0], y[0]),
                            {},
                            evenMap(0, b * strides[2], y[2]),
                            evenMap(0, b * strides[3], y[3])};
  for (std::int64_t i = 0; i < y[1]; ++i) {
    const std::int64_t row = i / x[1] / b;
    const std::int64_t column = i / x[1] % b;
    maps[1].push_back(i % x[1] * strides[1] + row * strides[2] + column * strides[3]);
  }
  return remap(types.inputs[0].dtype, std::move(maps));
}

}  // namespace narrows::reference
