#include <algorithm>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

/// Calls `window(map, oy, ox, output_offset)` for every output of a pool.
template <class Window>
void forEachOutput(const Shape& y, Window&& window) {
  std::int64_t offset = 0;
  for (std::int64_t map = 0; map < y[0] * y[1]; ++map) {
    for (std::int64_t oy = 0; oy < y[2]; ++oy) {
      for (std::int64_t ox = 0; ox < y[3]; ++ox) window(map, oy, ox, offset++);
    }
  }
}

/// Calls `tap(iy, ix)` for the taps of window (oy, ox) that lie in the padded input.
template <class Tap>
void forEachTap(const Window2d& w, const Shape& x, std::int64_t oy, std::int64_t ox, Tap&& tap) {
  for (std::int64_t kh = 0; kh < w.kernel.h; ++kh) {
    const std::int64_t iy = oy * w.stride.h + kh * w.dilation.h - w.pads.top;
    if (iy >= x[2] + w.pads.bottom) break;
    for (std::int64_t kw = 0; kw < w.kernel.w; ++kw) {
      const std::int64_t ix = ox * w.stride.w + kw * w.dilation.w - w.pads.left;
      if (ix >= x[3] + w.pads.right) break;
      tap(iy, ix);
    }
  }
}

bool inside(const Shape& x, std::int64_t iy, std::int64_t ix) {
  return iy >= 0 && iy < x[2] && ix >= 0 && ix < x[3];
}

template <class T>
void maxPool(const Window2d& window, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const T* x = elements<T>(t.inputs[0]);
  T* y = elements<T>(t.outputs[0]);
  forEachOutput(t.outputs[0].shape(),
                [&](std::int64_t map, std::int64_t oy, std::int64_t ox, std::int64_t offset) {
                  const T* from = x + map * shape[2] * shape[3];
                  T best = lowest<T>();
                  forEachTap(window, shape, oy, ox, [&](std::int64_t iy, std::int64_t ix) {
                    if (inside(shape, iy, ix)) best = larger(best, from[iy * shape[3] + ix]);
                  });
                  y[offset] = best;
                });
}

template <class T>
void averagePool(const AveragePool2d& op, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const T* x = elements<T>(t.inputs[0]);
  T* y = elements<T>(t.outputs[0]);
  forEachOutput(t.outputs[0].shape(), [&](std::int64_t map, std::int64_t oy, std::int64_t ox,
                                          std::int64_t offset) {
    const T* from = x + map * shape[2] * shape[3];
    double total = 0;
    std::int64_t count = 0;
    forEachTap(op.window, shape, oy, ox, [&](std::int64_t iy, std::int64_t ix) {
      const bool hit = inside(shape, iy, ix);
      if (hit) total += static_cast<double>(from[iy * shape[3] + ix]);
      if (hit || op.count_pads) ++count;
    });
    // Dilated taps may all lie in the padding.
    y[offset] = count == 0 ? T{0} : static_cast<T>(total / static_cast<double>(count));
  });
}

template <class T>
void globalPool(GlobalPoolKind kind, const KernelTensors& t) {
  const Shape& shape = t.inputs[0].shape();
  const std::int64_t maps = shape[0] * shape[1];
  const std::int64_t size = maps == 0 ? 0 : shape.elements() / maps;
  const T* x = elements<T>(t.inputs[0]);
  T* y = elements<T>(t.outputs[0]);
  for (std::int64_t map = 0; map < maps; ++map, x += size) {
    if (kind == GlobalPoolKind::average) {
      double total = 0;
      for (std::int64_t i = 0; i < size; ++i) total += static_cast<double>(x[i]);
      y[map] = static_cast<T>(total / static_cast<double>(size));
    } else {
      T best = lowest<T>();
      for (std::int64_t i = 0; i < size; ++i) best = larger(best, x[i]);
      y[map] = best;
    }
  }
}

}  // namespace

Result<Kernel> prepare(const MaxPool2d& op, const KernelTypes& types) {
  return forNumber(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [window = op.window](const KernelTensors& t) -> Status {
      maxPool<T>(window, t);
      return {};
    };
  });
}

Result<Kernel> prepare(const AveragePool2d& op, const KernelTypes& types) {
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [op](const KernelTensors& t) -> Status {
      averagePool<T>(op, t);
      return {};
    };
  });
}

Result<Kernel> prepare(const GlobalPool& op, const KernelTypes& types) {
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [kind = op.kind](const KernelTensors& t) -> Status {
      globalPool<T>(kind, t);
      return {};
    };
  });
}

}  // namespace narrows::reference
