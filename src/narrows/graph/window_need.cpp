#include "narrows/graph/window_need.h"

#include <algorithm>
#include <optional>

namespace narrows {
namespace {

using Interval = Region::Interval;

std::int64_t floorDiv(std::int64_t a, std::int64_t b) {
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}
std::int64_t ceilDiv(std::int64_t a, std::int64_t b) {
  return -floorDiv(-a, b);
}

void include(std::optional<Interval>& hull, std::int64_t first, std::int64_t last) {
  if (!hull) {
    hull = Interval{first, last + 1};
    return;
  }
  hull->begin = std::min(hull->begin, first);
  hull->end = std::max(hull->end, last + 1);
}

/// The inputs that some tap of these outputs meets.
std::optional<Interval> met(const WindowAxis& axis, Interval outputs) {
  std::optional<Interval> hull;
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    // Input o * stride + offset of output o.
    const std::int64_t offset = k * axis.dilation - axis.pad_begin;
    const std::int64_t first = std::max(outputs.begin, ceilDiv(-offset, axis.stride));
    const std::int64_t last =
        std::min(outputs.end - 1, floorDiv(axis.input - 1 - offset, axis.stride));
    if (first > last) continue;
    include(hull, first * axis.stride + offset, last * axis.stride + offset);
  }
  return hull;
}

/// The inputs that reach one of these outputs of a transposed convolution.
std::optional<Interval> metTransposed(const WindowAxis& axis, Interval outputs) {
  std::optional<Interval> hull;
  for (std::int64_t k = 0; k < axis.kernel; ++k) {
    // Output i * stride + offset of input i.
    const std::int64_t offset = k * axis.dilation - axis.pad_begin;
    const std::int64_t first =
        std::max<std::int64_t>(0, ceilDiv(outputs.begin - offset, axis.stride));
    const std::int64_t last =
        std::min(axis.input - 1, floorDiv(outputs.end - 1 - offset, axis.stride));
    if (first > last) continue;
    include(hull, first, last);
  }
  return hull;
}

/// Widens `outputs` until `meets` finds inputs for them; all inputs when there are none at all.
template <class Meets>
Interval widenUntilMet(const WindowAxis& axis, Interval& outputs, Meets&& meets) {
  for (;;) {
    if (const auto hull = meets(axis, outputs)) return *hull;
    if (outputs.begin == 0 && outputs.end >= axis.output) return {0, axis.input};
    outputs.begin = std::max<std::int64_t>(0, outputs.begin - 1);
    outputs.end = std::min(axis.output, outputs.end + 1);
  }
}

}  // namespace

WindowAxis WindowAxis::vertical(const Window2d& w, std::int64_t input, std::int64_t output) {
  return {w.kernel.h, w.stride.h, w.dilation.h, w.pads.top, w.pads.bottom, input, output};
}
WindowAxis WindowAxis::horizontal(const Window2d& w, std::int64_t input, std::int64_t output) {
  return {w.kernel.w, w.stride.w, w.dilation.w, w.pads.left, w.pads.right, input, output};
}

WindowNeed windowNeed(const WindowAxis& axis, Interval outputs, bool overhang) {
  WindowNeed need;
  const std::int64_t reach = (axis.kernel - 1) * axis.dilation + 1;
  // A window that ceil mode lets reach out is one only behind another that fits.
  const bool reaches_out =
      outputs.begin * axis.stride - axis.pad_begin + reach > axis.input + axis.pad_end;
  if (!overhang && reaches_out && outputs.begin > 0) --outputs.begin;
  need.input = widenUntilMet(axis, outputs, met);
  need.produced = outputs;
  const std::int64_t first = outputs.begin * axis.stride - axis.pad_begin;
  std::int64_t end =
      (outputs.end - 1) * axis.stride - axis.pad_begin + (axis.kernel - 1) * axis.dilation + 1;
  if (!overhang) end = std::min(end, axis.input + axis.pad_end);
  need.pad_begin = need.input.begin - first;
  need.pad_end = end - need.input.end;
  // Inputs that no tap meets lie outside the hull; a hull of all inputs may begin before the
  // window.
  if (need.pad_begin < 0 || need.pad_end < 0) {
    need.produced = {0, axis.output};
    need.input = {0, axis.input};
    need.pad_begin = axis.pad_begin;
    need.pad_end = axis.pad_end;
  }
  return need;
}

WindowNeed transposedNeed(const WindowAxis& axis, Interval outputs) {
  WindowNeed need;
  need.input = widenUntilMet(axis, outputs, metTransposed);
  need.produced = outputs;
  const auto crop = [&] { return outputs.begin + axis.pad_begin - need.input.begin * axis.stride; };
  while (crop() < 0) --need.input.begin;
  need.pad_begin = crop();
  const auto excess = [&] {
    const std::int64_t made =
        axis.stride * (need.input.length() - 1) + axis.dilation * (axis.kernel - 1) + 1;
    return made - need.pad_begin - outputs.length();
  };
  while (excess() < 0 && need.input.end < axis.input) ++need.input.end;
  need.pad_end = std::max<std::int64_t>(0, excess());
  need.output_padding = std::max<std::int64_t>(0, -excess());
  return need;
}

}  // namespace narrows
