#include "narrows/engine/xnnpack/adapter.h"

#include <algorithm>

namespace narrows::xnnpack {

using executor::ConvProblem;

namespace {

/// Results that the library's kernels compute together on this processor.
#if defined(__x86_64__)
constexpr std::int64_t kTile = 16;
#else
constexpr std::int64_t kTile = 8;
#endif
}  // namespace

std::string_view reason(xnn_status status) {
  switch (status) {
    case xnn_status_success:
      return "no error";
    case xnn_status_uninitialized:
      return "not initialised";
    case xnn_status_invalid_parameter:
      return "invalid parameter";
    case xnn_status_invalid_state:
      return "invalid state";
    case xnn_status_unsupported_parameter:
      return "unsupported parameter";
    case xnn_status_unsupported_hardware:
      return "unsupported hardware";
    case xnn_status_out_of_memory:
      return "out of memory";
  }
  return "unknown error";
}

std::vector<Part> cut(const ConvProblem& p) {
  constexpr std::int64_t kSmallWork = 100000;  // multiply-adds
  const std::int64_t inputs = p.input.shape[1] / p.groups;
  const std::int64_t outputs = p.output.shape[1] / p.groups;
  const std::int64_t work =
      p.output.shape.elements() * inputs * p.window.kernel.h * p.window.kernel.w;
  const bool depthwise = inputs == 1 && outputs == 1;
  const std::int64_t items = p.groups == 1 ? outputs : p.groups;
  const std::int64_t tile = p.groups == 1 || depthwise ? kTile : 1;
  const std::int64_t tiles = (items + tile - 1) / tile;
  const std::int64_t count =
      work < kSmallWork ? 1 : std::min(tiles, static_cast<std::int64_t>(p.threads));
  std::vector<Part> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = tiles * i / count * tile;
    const std::int64_t end = std::min(items, tiles * (i + 1) / count * tile);
    if (p.groups == 1) {
      parts.push_back({1, inputs, end - begin, 0, begin});
    } else {
      parts.push_back({end - begin, inputs, outputs, begin * inputs, begin * outputs});
    }
  }
  return parts;
}

std::size_t bytesOf(const ConvProblem& p, const Part& part, std::size_t weight_bytes) {
  const Window2d& w = p.window;
  const std::int64_t taps = w.kernel.h * w.kernel.w;
  const bool depthwise = part.group_inputs == 1 && part.group_outputs == 1;
  const std::int64_t groups = depthwise ? 1 : part.groups;
  const std::int64_t results = depthwise ? part.groups : part.group_outputs;
  const std::int64_t padded = (results + kTile - 1) / kTile * kTile;
  const auto weights = static_cast<std::size_t>(groups * padded * part.group_inputs * taps);
  const auto biases = static_cast<std::size_t>(groups * padded);
  const bool direct =
      taps == 1 && w.stride == Extent2d{1, 1} && w.pads == Padding2d{} && !depthwise;
  const std::int64_t height = p.output.shape[2];
  const std::int64_t width = p.output.shape[3];
  // Neighbours in a row share the columns of their windows where only one channel is summed.
  const std::int64_t step = w.dilation.w == 1 ? std::min(w.stride.w, w.kernel.w) : w.kernel.w;
  const std::int64_t shared = height * (taps + (width - 1) * step * w.kernel.h);
  const std::int64_t addresses = direct ? 0 : depthwise ? shared : height * width * taps;
  return weights * weight_bytes + biases * sizeof(float) +
         static_cast<std::size_t>(addresses) * sizeof(void*);
}

}  // namespace narrows::xnnpack
