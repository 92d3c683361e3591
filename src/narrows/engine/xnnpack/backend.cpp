#include "narrows/engine/xnnpack/backend.h"

#include <xnnpack.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

namespace narrows::xnnpack {
namespace {

using executor::Activation;
using executor::ActivationKind;
using executor::ConvProblem;
using executor::Share;

/// Results that the library's kernels compute together on this processor.
#if defined(__x86_64__)
constexpr std::int64_t kTile = 16;
#else
constexpr std::int64_t kTile = 8;
#endif
/// An address at which nothing lies. The library tells padding from pixels by the address alone, so
/// one that its own memory may get would turn a pixel into padding.
constexpr std::uintptr_t kNowhere = std::uintptr_t{1} << 62;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct OperatorDeleter {
  void operator()(xnn_operator* made) const { xnn_delete_operator(made); }
};
using Operator = std::unique_ptr<xnn_operator, OperatorDeleter>;

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

/// Some result channels of a convolution, as one of its own. Channels of each group of `problem`
/// are counted from its first.
struct Part {
  std::int64_t groups = 1;
  std::int64_t group_inputs = 0;
  std::int64_t group_outputs = 0;
  std::int64_t first_input = 0;
  std::int64_t first_output = 0;

  std::int64_t outputs() const { return groups * group_outputs; }
};

/// A problem in parts for its threads: by results, so that no weight is packed twice, and by tiles,
/// so that no part computes more of them than the whole would.
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

/// Weights (O, C/G, kh, kw) in the library's order (O, kh, kw, C/G).
std::vector<float> channelsLast(std::span<const float> weights, std::int64_t inputs,
                                std::int64_t taps) {
  std::vector<float> turned(weights.size());
  const std::size_t each = static_cast<std::size_t>(inputs * taps);
  for (std::size_t first = 0; first < weights.size(); first += each) {
    for (std::int64_t c = 0; c < inputs; ++c) {
      for (std::int64_t tap = 0; tap < taps; ++tap)
        turned[first + static_cast<std::size_t>(tap * inputs + c)] =
            weights[first + static_cast<std::size_t>(c * taps + tap)];
    }
  }
  return turned;
}

std::uint32_t narrow(std::int64_t number) {
  return static_cast<std::uint32_t>(number);
}

class Conv final : public executor::ConvKernel {
 public:
  static Result<std::unique_ptr<executor::ConvKernel>> create(const ConvProblem& p) {
    std::unique_ptr<Conv> conv(new Conv(p));
    const std::int64_t taps = p.window.kernel.h * p.window.kernel.w;
    for (const Part& part : cut(p)) {
      const std::int64_t depth = part.group_inputs * taps;
      auto weights = p.weights.subspan(static_cast<std::size_t>(part.first_output * depth),
                                       static_cast<std::size_t>(part.outputs() * depth));
      std::vector<float> turned;
      if (taps > 1 && part.group_inputs > 1)
        weights = turned = channelsLast(weights, part.group_inputs, taps);
      Operator made;
      xnn_status status = make(p, part, weights, made);
      // Settles what depends on the map's size; a run only moves the addresses by a difference.
      if (status == xnn_status_success) {
        auto* nowhere = reinterpret_cast<float*>(kNowhere);
        status = conv->setUp(made.get(), nowhere, nowhere);
      }
      if (status != xnn_status_success) {
        return makeError("XNNPACK has no convolution {} -> {} with {} groups: {}",
                         toString(p.input.shape), toString(p.output.shape), p.groups,
                         reason(status));
      }
      conv->calls_.push_back({std::move(made), part.first_input, part.first_output});
      conv->weight_bytes_ += bytesOf(p, part);
    }
    return std::unique_ptr<executor::ConvKernel>(std::move(conv));
  }

  Status run(const float* input, const float*, float* output, std::span<std::byte>,
             executor::Team& team) override {
    failed_.store(false, std::memory_order_relaxed);
    team.run(calls_.size(), [&](std::size_t i) {
      const Call& call = calls_[i];
      xnn_operator* made = call.made.get();
      if (setUp(made, input + call.first_input, output + call.first_output) != xnn_status_success ||
          xnn_run_operator(made, nullptr) != xnn_status_success)
        failed_.store(true, std::memory_order_relaxed);
    });
    if (failed_.load(std::memory_order_relaxed)) return makeError("XNNPACK convolution failed");
    return {};
  }
  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return 0; }

 private:
  struct Call {
    Operator made;
    std::int64_t first_input;
    std::int64_t first_output;
  };

  explicit Conv(const ConvProblem& p)
      : images_(static_cast<std::size_t>(p.input.shape[0])),
        height_(static_cast<std::size_t>(p.input.shape[2])),
        width_(static_cast<std::size_t>(p.input.shape[3])) {}

  static xnn_status make(const ConvProblem& p, const Part& part, std::span<const float> weights,
                         Operator& made) {
    const Window2d& w = p.window;
    const bool clipped = p.activation.kind == ActivationKind::clip;
    xnn_operator* raw = nullptr;
    const xnn_status status = xnn_create_convolution2d_nhwc_f32(
        narrow(w.pads.top), narrow(w.pads.right), narrow(w.pads.bottom), narrow(w.pads.left),
        narrow(w.kernel.h), narrow(w.kernel.w), narrow(w.stride.h), narrow(w.stride.w),
        narrow(w.dilation.h), narrow(w.dilation.w), narrow(part.groups),
        static_cast<std::size_t>(part.group_inputs), static_cast<std::size_t>(part.group_outputs),
        static_cast<std::size_t>(executor::pixelPitch(p.input)),
        static_cast<std::size_t>(executor::pixelPitch(p.output)), weights.data(),
        p.bias.empty() ? nullptr : p.bias.data() + part.first_output,
        clipped ? p.activation.alpha : -kInfinity, clipped ? p.activation.beta : kInfinity, 0,
        &raw);
    made.reset(raw);
    return status;
  }

  xnn_status setUp(xnn_operator* made, const float* input, float* output) const {
    return xnn_setup_convolution2d_nhwc_f32(made, images_, height_, width_, input, output, nullptr);
  }

  /// What the library keeps for a part: weights and biases, padded to whole tiles, and, where a
  /// window or padding needs it, the address of the input of each result and tap.
  static std::size_t bytesOf(const ConvProblem& p, const Part& part) {
    const Window2d& w = p.window;
    const std::int64_t taps = w.kernel.h * w.kernel.w;
    const bool depthwise = part.group_inputs == 1 && part.group_outputs == 1;
    const std::int64_t groups = depthwise ? 1 : part.groups;
    const std::int64_t results = depthwise ? part.groups : part.group_outputs;
    const std::int64_t padded = (results + kTile - 1) / kTile * kTile;
    const std::int64_t floats = groups * padded * (part.group_inputs * taps + 1);
    const bool direct =
        taps == 1 && w.stride == Extent2d{1, 1} && w.pads == Padding2d{} && !depthwise;
    const std::int64_t pixels = p.output.shape[2] * p.output.shape[3];
    const std::int64_t addresses = direct ? 0 : pixels * taps;
    return static_cast<std::size_t>(floats) * sizeof(float) +
           static_cast<std::size_t>(addresses) * sizeof(void*);
  }

  std::size_t images_, height_, width_;
  std::vector<Call> calls_;
  std::atomic<bool> failed_{false};
  std::size_t weight_bytes_ = 0;
};

class XnnPack final : public executor::Backend {
 public:
  std::string_view name() const override { return "xnnpack"; }

  bool takes(const ConvProblem& p) const override {
    return prefers(p) && executor::isFlatMap(p.input) && executor::isFlatMap(p.output);
  }

  bool prefers(const ConvProblem& p) const override {
    const Padding2d& pads = p.window.pads;
    return std::min({pads.top, pads.left, pads.bottom, pads.right}) >= 0 &&
           p.input.shape.elements() > 0 && p.output.shape.elements() > 0;
  }

  bool applies(const Activation& activation) const override {
    return activation.kind == ActivationKind::none ||
           (activation.kind == ActivationKind::clip && activation.alpha < activation.beta);
  }
  bool addsResiduals() const override { return false; }
  std::size_t overread() const override { return XNN_EXTRA_BYTES; }

  Result<std::unique_ptr<executor::ConvKernel>> makeConv(
      const ConvProblem& problem) const override {
    return Conv::create(problem);
  }
};

}  // namespace

Result<std::unique_ptr<executor::Backend>> makeBackend() {
  const xnn_status status = xnn_initialize(nullptr);
  if (status != xnn_status_success) return makeError("XNNPACK does not start: {}", reason(status));
  return std::unique_ptr<executor::Backend>(std::make_unique<XnnPack>());
}

}  // namespace narrows::xnnpack
