#include "narrows/engine/xnnpack/integer_conv.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "narrows/engine/executor/integer_weights.h"
#include "narrows/engine/xnnpack/adapter.h"

namespace narrows::xnnpack {
namespace {

using executor::ActivationKind;
using executor::ByteKernel;
using executor::CompactConv;
using executor::ScaledMap;

/// What stands for 0 in a map.
std::int8_t zeroOf(const ScaledMap& map) {
  return map.dtype == DType::u8 ? std::int8_t{-128} : std::int8_t{0};
}

/// The integer of a map that is nearest to a number.
std::int8_t nearest(const ScaledMap& map, float number) {
  const float quotient = number / map.scale + static_cast<float>(zeroOf(map));
  return static_cast<std::int8_t>(std::lrintf(std::clamp(quotient, -128.0F, 127.0F)));
}

struct Limits {
  std::int8_t low = -128;
  std::int8_t high = 127;
};

/// What the activation leaves of a map's integers; two at least, as the library asks.
Limits limitsOf(const ScaledMap& map, const executor::Activation& activation) {
  Limits limits;
  if (activation.kind != ActivationKind::clip) return limits;
  limits.low = std::min<std::int8_t>(nearest(map, activation.alpha), 126);
  limits.high = std::max<std::int8_t>(nearest(map, activation.beta),
                                      static_cast<std::int8_t>(limits.low + 1));
  return limits;
}

class IntegerConvKernel final : public ByteKernel {
 public:
  static Result<std::unique_ptr<ByteKernel>> create(const CompactConv& conv) {
    const executor::ConvProblem& p = conv.problem;
    std::unique_ptr<IntegerConvKernel> kernel(new IntegerConvKernel(p));
    const executor::IntegerWeights integers(p.weights, p.output.shape[1]);
    for (const Part& part : cut(p)) {
      Operator made;
      xnn_status status = make(conv, integers, part, made);
      // Settles what depends on the map's size; a run only moves the addresses by a difference.
      if (status == xnn_status_success) {
        auto* nowhere = reinterpret_cast<std::int8_t*>(kNowhere);
        status = kernel->setUp(made.get(), nowhere, nowhere);
      }
      if (status != xnn_status_success) {
        return makeError("XNNPACK has no integer convolution {} -> {}: {}", toString(p.input.shape),
                         toString(p.output.shape), reason(status));
      }
      kernel->calls_.push_back({std::move(made), part.first_output});
      kernel->weight_bytes_ += bytesOf(p, part, 1);
    }
    return std::unique_ptr<ByteKernel>(std::move(kernel));
  }

  Status run(const std::byte* input, const std::byte*, std::byte* output, std::span<std::byte>,
             executor::Team& team) override {
    return runParts(team, calls_.size(), "a convolution of integers", [&](std::size_t i) {
      const Call& call = calls_[i];
      auto* target = reinterpret_cast<std::int8_t*>(output) + call.first_output;
      const xnn_status status =
          setUp(call.made.get(), reinterpret_cast<const std::int8_t*>(input), target);
      return status == xnn_status_success ? xnn_run_operator(call.made.get(), nullptr) : status;
    });
  }
  std::size_t weightBytes() const override { return weight_bytes_; }
  std::size_t scratchBytes() const override { return 0; }

 private:
  struct Call {
    Operator made;
    std::int64_t first_output;
  };

  explicit IntegerConvKernel(const executor::ConvProblem& p)
      : images_(static_cast<std::size_t>(p.input.shape[0])),
        height_(static_cast<std::size_t>(p.input.shape[2])),
        width_(static_cast<std::size_t>(p.input.shape[3])) {}

  static xnn_status make(const CompactConv& conv, const executor::IntegerWeights& integers,
                         const Part& part, Operator& made) {
    const executor::ConvProblem& p = conv.problem;
    const Window2d& w = p.window;
    const auto first = static_cast<std::size_t>(part.first_output);
    const auto weights =
        weightsOf(std::span<const std::int8_t>(integers.values), part, w.kernel.h * w.kernel.w);
    std::vector<std::int32_t> bias;
    for (std::size_t c = 0; !p.bias.empty() && c < static_cast<std::size_t>(part.outputs()); ++c) {
      constexpr double kMost = std::numeric_limits<std::int32_t>::max();
      const double scale =
          static_cast<double>(integers.scales[first + c]) * static_cast<double>(conv.input.scale);
      const double quotient = static_cast<double>(p.bias[first + c]) / scale;
      bias.push_back(static_cast<std::int32_t>(std::llrint(std::clamp(quotient, -kMost, kMost))));
    }
    const Limits limits = limitsOf(conv.output, p.activation);
    xnn_operator* raw = nullptr;
    const xnn_status status = xnn_create_convolution2d_nhwc_qc8(
        narrow(w.pads.top), narrow(w.pads.right), narrow(w.pads.bottom), narrow(w.pads.left),
        narrow(w.kernel.h), narrow(w.kernel.w), narrow(w.stride.h), narrow(w.stride.w),
        narrow(w.dilation.h), narrow(w.dilation.w), narrow(part.groups),
        static_cast<std::size_t>(part.group_inputs), static_cast<std::size_t>(part.group_outputs),
        static_cast<std::size_t>(executor::pixelPitch(p.input)),
        static_cast<std::size_t>(executor::pixelPitch(p.output)), zeroOf(conv.input),
        conv.input.scale, integers.scales.data() + first, weights.data(),
        bias.empty() ? nullptr : bias.data(), zeroOf(conv.output), conv.output.scale, limits.low,
        limits.high, 0, &raw);
    made.reset(raw);
    return status;
  }

  xnn_status setUp(xnn_operator* made, const std::int8_t* input, std::int8_t* output) const {
    return xnn_setup_convolution2d_nhwc_qc8(made, images_, height_, width_, input, output, nullptr);
  }

  std::size_t images_, height_, width_;
  std::vector<Call> calls_;
  std::size_t weight_bytes_ = 0;
};

/// Stores the rows of a map in another element, some rows a thread.
class RescaleKernel final : public ByteKernel {
 public:
  static Result<std::unique_ptr<ByteKernel>> create(const ScaledMap& from, const ScaledMap& to,
                                                    std::size_t threads) {
    const Shape& shape = from.layout.shape;
    std::unique_ptr<RescaleKernel> kernel(new RescaleKernel(from, to));
    constexpr std::int64_t kSmall = 8192;  // below this a second thread costs more than it brings
    const std::int64_t count =
        shape.elements() < kSmall
            ? 1
            : std::clamp<std::int64_t>(kernel->rows(), 1, static_cast<std::int64_t>(threads));
    const auto channels = static_cast<std::size_t>(shape[1]);
    const auto source = static_cast<std::size_t>(executor::pixelPitch(from.layout));
    const auto target = static_cast<std::size_t>(executor::pixelPitch(to.layout));
    for (std::int64_t i = 0; i < count; ++i) {
      xnn_operator* made = nullptr;
      const Limits limits;
      const xnn_status status =
          kernel->to_integers_
              ? xnn_create_convert_nc_f32_qs8(channels, source, target, to.scale / from.scale,
                                              zeroOf(to), limits.low, limits.high, 0, &made)
              : xnn_create_convert_nc_qs8_f32(channels, source, target, from.scale / to.scale,
                                              zeroOf(from), 0, &made);
      kernel->parts_.emplace_back(made);
      if (status != xnn_status_success) {
        return makeError("XNNPACK does not rescale a map {} from scale {} to {}: {}",
                         toString(shape), from.scale, to.scale, reason(status));
      }
    }
    return std::unique_ptr<ByteKernel>(std::move(kernel));
  }

  Status run(const std::byte* input, const std::byte*, std::byte* output, std::span<std::byte>,
             executor::Team& team) override {
    return runParts(team, parts_.size(), "a rescaling", [&](std::size_t part) {
      const executor::Share range = executor::share(rows(), part, parts_.size());
      xnn_status status = xnn_status_success;
      for (std::int64_t row = range.begin; row < range.end && status == xnn_status_success; ++row)
        status = convert(parts_[part].get(), input + offset(from_, row), output + offset(to_, row));
      return status;
    });
  }
  std::size_t weightBytes() const override { return 0; }
  std::size_t scratchBytes() const override { return 0; }

 private:
  RescaleKernel(const ScaledMap& from, const ScaledMap& to)
      : from_(from), to_(to), to_integers_(from.dtype == DType::f32) {}

  std::int64_t rows() const { return from_.layout.shape[0] * from_.layout.shape[2]; }

  /// Bytes before a row, counted over all images.
  static std::int64_t offset(const ScaledMap& map, std::int64_t row) {
    const std::int64_t height = map.layout.shape[2];
    return (row / height * executor::imagePitch(map.layout) +
            row % height * executor::rowPitch(map.layout)) *
           static_cast<std::int64_t>(byteSize(map.dtype));
  }

  xnn_status convert(xnn_operator* made, const std::byte* input, std::byte* output) const {
    const auto pixels = static_cast<std::size_t>(from_.layout.shape[3]);
    const xnn_status status =
        to_integers_
            ? xnn_setup_convert_nc_f32_qs8(made, pixels, reinterpret_cast<const float*>(input),
                                           reinterpret_cast<std::int8_t*>(output), nullptr)
            : xnn_setup_convert_nc_qs8_f32(made, pixels,
                                           reinterpret_cast<const std::int8_t*>(input),
                                           reinterpret_cast<float*>(output), nullptr);
    return status == xnn_status_success ? xnn_run_operator(made, nullptr) : status;
  }

  ScaledMap from_, to_;
  bool to_integers_;
  std::vector<Operator> parts_;
};

}  // namespace

Result<std::unique_ptr<ByteKernel>> makeIntegerConv(const CompactConv& conv) {
  if (conv.residual || conv.output.dtype == DType::f32)
    return makeError("XNNPACK's convolutions of integers store integers and add nothing");
  return IntegerConvKernel::create(conv);
}

Result<std::unique_ptr<ByteKernel>> makeRescale(const ScaledMap& from, const ScaledMap& to,
                                                std::size_t threads) {
  if ((from.dtype == DType::f32) == (to.dtype == DType::f32))
    return makeError("XNNPACK rescales between f32 and integers only");
  return RescaleKernel::create(from, to, threads);
}

}  // namespace narrows::xnnpack
