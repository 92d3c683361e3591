#include <algorithm>

#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The positions p in [0, count) for which p * stride + offset lies in [0, extent).
Interval reach(std::int64_t count, std::int64_t stride, std::int64_t offset, std::int64_t extent) {
  Interval hit;
  hit.begin = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
  hit.end = offset >= extent ? 0 : std::min(count, (extent - 1 - offset) / stride + 1);
  hit.end = std::max(hit.begin, hit.end);
  return hit;
}

/// For each tap of a kernel along one axis, where `reach` puts it.
std::vector<Interval> reachOfTaps(std::int64_t kernel, std::int64_t dilation, std::int64_t pad,
                                  std::int64_t count, std::int64_t stride, std::int64_t extent) {
  std::vector<Interval> taps;
  for (std::int64_t k = 0; k < kernel; ++k) {
    taps.push_back(reach(count, stride, k * dilation - pad, extent));
  }
  return taps;
}

/// out[i] += weight * in[i * step].
template <class T>
void addScaled(const T* __restrict in, std::int64_t step, T weight, T* __restrict out,
               std::int64_t count) {
  if (step == 1) {
    for (std::int64_t i = 0; i < count; ++i) out[i] += weight * in[i];
  } else {
    for (std::int64_t i = 0; i < count; ++i) out[i] += weight * in[i * step];
  }
}

/// Columns that are computed at once, so that they stay in the nearest cache over all taps.
constexpr std::int64_t kColumns = 512;

struct ConvGeometry {
  Window2d window;
  std::int64_t groups;
  std::int64_t batch, channels, height, width;       // of the input
  std::int64_t out_channels, out_height, out_width;  // of the output
  std::vector<Interval> columns;                     // per tap of a kernel row
};

ConvGeometry describe(const Conv2d& op, const Shape& x, const Shape& y) {
  ConvGeometry g{op.window, op.groups, x[0], x[1], x[2], x[3], y[1], y[2], y[3], {}};
  const bool pointwise = op.window.kernel == Extent2d{1, 1} && op.window.stride == Extent2d{1, 1} &&
                         op.window.pads == Padding2d{};
  if (pointwise) {  // the map is one row
    g.width = g.out_width = g.height * g.width;
    g.height = g.out_height = 1;
  }
  g.columns = reachOfTaps(op.window.kernel.w, op.window.dilation.w, op.window.pads.left,
                          g.out_width, op.window.stride.w, g.width);
  return g;
}

/// Columns [first, last) of row `oy` of one output map; `x` is the first map of its group, `weight`
/// its filter. Every output is summed in the order channel, kernel row, kernel column, then bias.
template <class T>
void convolveRow(const ConvGeometry& g, const T* x, const T* weight, T bias, std::int64_t oy,
                 std::int64_t first, std::int64_t last, T* row) {
  const Window2d& w = g.window;
  std::fill(row + first, row + last, T{0});
  for (std::int64_t c = 0; c < g.channels / g.groups; ++c) {
    for (std::int64_t kh = 0; kh < w.kernel.h; ++kh) {
      const T* taps = weight + (c * w.kernel.h + kh) * w.kernel.w;
      const std::int64_t iy = oy * w.stride.h + kh * w.dilation.h - w.pads.top;
      if (iy < 0 || iy >= g.height) continue;
      const T* line = x + (c * g.height + iy) * g.width;
      for (std::int64_t kw = 0; kw < w.kernel.w; ++kw) {
        const Interval& hit = g.columns[static_cast<std::size_t>(kw)];
        const std::int64_t begin = std::max(first, hit.begin);
        const std::int64_t end = std::min(last, hit.end);
        if (begin >= end) continue;
        const std::int64_t ix = begin * w.stride.w + kw * w.dilation.w - w.pads.left;
        addScaled(line + ix, w.stride.w, taps[kw], row + begin, end - begin);
      }
    }
  }
  for (std::int64_t ox = first; ox < last; ++ox) row[ox] += bias;
}

template <class T>
void convolve(const ConvGeometry& g, const T* x, const T* weight, const T* bias, T* y) {
  const std::int64_t in_group = g.channels / g.groups;
  const std::int64_t out_group = g.out_channels / g.groups;
  const std::int64_t filter = in_group * g.window.kernel.h * g.window.kernel.w;
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t group = 0; group < g.groups; ++group) {
      const T* maps = x + (n * g.channels + group * in_group) * g.height * g.width;
      for (std::int64_t oy = 0; oy < g.out_height; ++oy) {
        for (std::int64_t first = 0; first < g.out_width; first += kColumns) {
          const std::int64_t last = std::min(first + kColumns, g.out_width);
          for (std::int64_t o = group * out_group; o < (group + 1) * out_group; ++o) {
            T* row = y + ((n * g.out_channels + o) * g.out_height + oy) * g.out_width;
            convolveRow(g, maps, weight + o * filter, bias != nullptr ? bias[o] : T{0}, oy, first,
                        last, row);
          }
        }
      }
    }
  }
}

struct TransposedGeometry {
  Window2d window;
  std::int64_t groups;
  std::int64_t batch, channels, height, width;
  std::int64_t out_channels, out_height, out_width;
  std::vector<Interval> rows, columns;  // of the input, per tap
};

/// Adds what input map `x` gives to output map `y` through the kernel `taps`.
template <class T>
void spread(const TransposedGeometry& g, const T* x, const T* taps, T* y) {
  const Window2d& w = g.window;
  for (std::int64_t kh = 0; kh < w.kernel.h; ++kh) {
    const Interval& rows = g.rows[static_cast<std::size_t>(kh)];
    for (std::int64_t kw = 0; kw < w.kernel.w; ++kw) {
      const Interval& columns = g.columns[static_cast<std::size_t>(kw)];
      const T weight = taps[kh * w.kernel.w + kw];
      for (std::int64_t iy = rows.begin; iy < rows.end; ++iy) {
        const T* line = x + iy * g.width;
        T* row = y + (iy * w.stride.h + kh * w.dilation.h - w.pads.top) * g.out_width;
        const std::int64_t shift = kw * w.dilation.w - w.pads.left;
        for (std::int64_t ix = columns.begin; ix < columns.end; ++ix) {
          row[ix * w.stride.w + shift] += weight * line[ix];
        }
      }
    }
  }
}

template <class T>
void convolveTransposed(const TransposedGeometry& g, const T* x, const T* weight, const T* bias,
                        T* y) {
  const std::int64_t in_group = g.channels / g.groups;
  const std::int64_t out_group = g.out_channels / g.groups;
  const std::int64_t taps = g.window.kernel.h * g.window.kernel.w;
  const std::int64_t map = g.out_height * g.out_width;
  for (std::int64_t n = 0; n < g.batch; ++n) {
    for (std::int64_t o = 0; o < g.out_channels; ++o) {
      T* out = y + (n * g.out_channels + o) * map;
      std::fill(out, out + map, T{0});
      const std::int64_t group = o / out_group;
      for (std::int64_t c = group * in_group; c < (group + 1) * in_group; ++c) {
        spread(g, x + (n * g.channels + c) * g.height * g.width,
               weight + (c * out_group + o % out_group) * taps, out);
      }
      if (bias == nullptr) continue;
      for (std::int64_t i = 0; i < map; ++i) out[i] += bias[o];
    }
  }
}

}  // namespace

Result<Kernel> prepare(const Conv2d& op, const KernelTypes& types) {
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [g = describe(op, types.inputs[0].shape, types.outputs[0].shape)](
               const KernelTensors& t) -> Status {
      convolve<T>(g, elements<T>(t.inputs[0]), elements<T>(t.inputs[1]),
                  t.has(2) ? elements<T>(t.inputs[2]) : nullptr, elements<T>(t.outputs[0]));
      return {};
    };
  });
}

Result<Kernel> prepare(const ConvTranspose2d& op, const KernelTypes& types) {
  const Shape& x = types.inputs[0].shape;
  const Shape& y = types.outputs[0].shape;
  const Window2d& w = op.window;
  TransposedGeometry geometry{w, op.groups, x[0], x[1], x[2], x[3], y[1], y[2], y[3], {}, {}};
  geometry.rows = reachOfTaps(w.kernel.h, w.dilation.h, w.pads.top, x[2], w.stride.h, y[2]);
  geometry.columns = reachOfTaps(w.kernel.w, w.dilation.w, w.pads.left, x[3], w.stride.w, y[3]);
  return forFloating(types.inputs[0].dtype, [&](auto tag) -> Kernel {
    using T = TypeOf<decltype(tag)>;
    return [geometry](const KernelTensors& t) -> Status {
      convolveTransposed<T>(geometry, elements<T>(t.inputs[0]), elements<T>(t.inputs[1]),
                            t.has(2) ? elements<T>(t.inputs[2]) : nullptr,
                            elements<T>(t.outputs[0]));
      return {};
    };
  });
}

}  // namespace narrows::reference
