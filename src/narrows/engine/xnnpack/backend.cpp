#include "narrows/engine/xnnpack/backend.h"

#include <algorithm>
#include <limits>

#include "narrows/engine/xnnpack/adapter.h"
#include "narrows/engine/xnnpack/integer_conv.h"

namespace narrows::xnnpack {
namespace {

using executor::Activation;
using executor::ActivationKind;
using executor::ConvProblem;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Conv final : public executor::ConvKernel {
 public:
  static Result<std::unique_ptr<executor::ConvKernel>> create(const ConvProblem& p) {
    std::unique_ptr<Conv> conv(new Conv(p));
    const std::int64_t taps = p.window.kernel.h * p.window.kernel.w;
    for (const Part& part : cut(p)) {
      const auto weights = weightsOf(p.weights, part, taps);
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
      conv->weight_bytes_ += bytesOf(p, part, sizeof(float));
    }
    return std::unique_ptr<executor::ConvKernel>(std::move(conv));
  }

  Status run(const float* input, const float*, float* output, std::span<std::byte>,
             executor::Team& team) override {
    return runParts(team, calls_.size(), "a convolution", [&](std::size_t i) {
      const Call& call = calls_[i];
      xnn_operator* made = call.made.get();
      const xnn_status status = setUp(made, input + call.first_input, output + call.first_output);
      return status == xnn_status_success ? xnn_run_operator(made, nullptr) : status;
    });
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

  std::size_t images_, height_, width_;
  std::vector<Call> calls_;
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
  /// Sums start with the bias and take the window's taps one after another, each channel by
  /// channel, with one rounding where both have fused instructions.
  bool roundsLikeOwn([[maybe_unused]] const ConvProblem& p) const override {
#if defined(__x86_64__)
    return p.groups == 1 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
  }
  bool storesIntegersOnly() const override {
    return true;
  }
  std::size_t overread() const override {
    return XNN_EXTRA_BYTES;
  }
  bool worksApart() const override {
    return true;
  }

  Result<std::unique_ptr<executor::ConvKernel>> makeConv(
      const ConvProblem& problem) const override {
    return Conv::create(problem);
  }
  Result<std::unique_ptr<executor::ByteKernel>> makeCompactConv(
      const executor::CompactConv& conv) const override {
    return xnnpack::makeIntegerConv(conv);
  }
  Result<std::unique_ptr<executor::ByteKernel>> makeRescale(const executor::ScaledMap& from,
                                                            const executor::ScaledMap& to,
                                                            std::size_t threads) const override {
    return xnnpack::makeRescale(from, to, threads);
  }
};

}  // namespace

Result<std::unique_ptr<executor::Backend>> makeBackend() {
  const xnn_status status = xnn_initialize(nullptr);
  if (status != xnn_status_success) return makeError("XNNPACK does not start: {}", reason(status));
  return std::unique_ptr<executor::Backend>(std::make_unique<XnnPack>());
}

}  // namespace narrows::xnnpack
