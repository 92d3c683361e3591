#include <algorithm>

#include "narrows/engine/reference/copy.h"
#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"
#include "narrows/engine/reference/walk.h"

namespace narrows::reference {
namespace {

/// A tensor seen along one axis: `outer` blocks, each of the axis' extent times `inner` bytes.
struct AxisView {
  std::int64_t outer = 1;
  std::int64_t inner = 1;
};

AxisView viewAlong(const TensorType& type, std::size_t axis) {
  AxisView view;
  view.inner = static_cast<std::int64_t>(byteSize(type.dtype));
  for (std::size_t i = 0; i < axis; ++i) view.outer *= type.shape[i];
  for (std::size_t i = axis + 1; i < type.shape.rank(); ++i) view.inner *= type.shape[i];
  return view;
}

template <class Index>
Status gather(const AxisView& view, std::int64_t extent, const KernelTensors& t) {
  const Index* indices = elements<Index>(t.inputs[1]);
  const std::int64_t count = t.inputs[1].type().elements();
  for (std::int64_t i = 0; i < count; ++i) {
    if (indices[i] < -extent || indices[i] >= extent) {
      return makeError("element {} of the indices is {}, the axis has {} elements", i, indices[i],
                       extent);
    }
  }
  const std::byte* from = t.inputs[0].bytes().data();
  std::byte* to = t.outputs[0].bytes().data();
  for (std::int64_t block = 0; block < view.outer; ++block) {
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t index = indices[i] + (indices[i] < 0 ? extent : 0);
      copyBytes(to + (block * count + i) * view.inner, from + (block * extent + index) * view.inner,
                view.inner);
    }
  }
  return {};
}

/// The elements of the only input, unchanged.
Kernel copyAll() {
  return [](const KernelTensors& t) -> Status {
    copyBytes(t.outputs[0].bytes().data(), t.inputs[0].bytes().data(),
              static_cast<std::int64_t>(t.inputs[0].bytes().size()));
    return {};
  };
}

}  // namespace

Result<Kernel> prepare(const Concat& op, const KernelTypes& types) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const AxisView view = viewAlong(types.outputs[0], axis);
  return Kernel([view, axis](const KernelTensors& t) -> Status {
    std::byte* to = t.outputs[0].bytes().data();
    for (std::int64_t block = 0; block < view.outer; ++block) {
      for (const TensorView& input : t.inputs) {
        const std::int64_t length = input.shape()[axis] * view.inner;
        copyBytes(to, input.bytes().data() + block * length, length);
        to += length;
      }
    }
    return {};
  });
}

Result<Kernel> prepare(const Split& op, const KernelTypes& types) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const AxisView view = viewAlong(types.inputs[0], axis);
  return Kernel([view, axis](const KernelTensors& t) -> Status {
    const std::byte* from = t.inputs[0].bytes().data();
    for (std::int64_t block = 0; block < view.outer; ++block) {
      for (const MutableTensorView& output : t.outputs) {
        const std::int64_t length = output.shape()[axis] * view.inner;
        copyBytes(output.bytes().data() + block * length, from, length);
        from += length;
      }
    }
    return {};
  });
}

Result<Kernel> prepare(const Gather& op, const KernelTypes& types) {
  const auto axis = static_cast<std::size_t>(op.axis);
  const AxisView view = viewAlong(types.inputs[0], axis);
  const std::int64_t extent = types.inputs[0].shape[axis];
  if (types.inputs[1].dtype == DType::i32) {
    return Kernel(
        [view, extent](const KernelTensors& t) { return gather<std::int32_t>(view, extent, t); });
  }
  return Kernel(
      [view, extent](const KernelTensors& t) { return gather<std::int64_t>(view, extent, t); });
}

Result<Kernel> prepare(const Where&, const KernelTypes& types) {
  const BroadcastWalk<3> walk(types.outputs[0].shape, {types.inputs[0].shape, types.inputs[1].shape,
                                                       types.inputs[2].shape});
  return forSize(types.inputs[1].dtype, [&](auto size) -> Kernel {
    constexpr std::size_t kBytes = decltype(size)::kBytes;
    return [walk](const KernelTensors& t) -> Status {
      const Bool* condition = elements<Bool>(t.inputs[0]);
      const std::byte* a = t.inputs[1].bytes().data();
      const std::byte* b = t.inputs[2].bytes().data();
      std::byte* y = t.outputs[0].bytes().data();
      const auto& steps = walk.rowSteps();
      walk.forEachRow([&](std::int64_t to, const std::array<std::int64_t, 3>& from) {
        for (std::int64_t i = 0; i < walk.rowLength(); ++i) {
          if (condition[from[0] + i * steps[0]].byte != 0) {
            copyElement<kBytes>(y, to + i, a, from[1] + i * steps[1]);
          } else {
            copyElement<kBytes>(y, to + i, b, from[2] + i * steps[2]);
          }
        }
      });
      return {};
    };
  });
}

Result<Kernel> prepare(const Reshape&, const KernelTypes&) {
  return copyAll();
}

Result<Kernel> prepare(const Identity&, const KernelTypes&) {
  return copyAll();
}

}  // namespace narrows::reference
