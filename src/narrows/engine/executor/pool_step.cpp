#include <algorithm>

#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

struct Taps {
  std::int64_t begin;
  std::int64_t end;
};

/// The taps of a window that starts at `first` which fall on an axis of `extent`.
Taps tapsInside(std::int64_t first, std::int64_t kernel, std::int64_t dilation,
                std::int64_t extent) {
  const std::int64_t begin = first >= 0 ? 0 : (-first + dilation - 1) / dilation;
  const std::int64_t end = first >= extent ? 0 : (extent - first + dilation - 1) / dilation;
  return {std::min(begin, kernel), std::clamp(end, std::int64_t{0}, kernel)};
}

/// Folds each channel of a window of pixels.
class PoolStep final : public Step {
 public:
  PoolStep(const Window2d& window, bool mean, bool count_pads, const Operand& source,
           const Operand& target, const StepTools& tools)
      : window_(window),
        mean_(mean),
        count_pads_(count_pads),
        source_(source),
        target_(target),
        tools_(tools) {}

  Status run(const Memory& memory) override {
    const float* x = memory.read<float>(source_);
    float* y = memory.write<float>(target_);
    const Shape& out = target_.shape();
    const std::int64_t rows = out[0] * out[2];
    const std::int64_t taps = window_.kernel.h * window_.kernel.w;
    const std::size_t parts = out.elements() * taps < kSmallWork ? 1 : tools_.team.size();
    // Maps of one pixel have channels alone to share.
    const bool by_channel = rows < static_cast<std::int64_t>(parts);
    tools_.team.run(parts, [&](std::size_t part) {
      const Share range = by_channel ? Share{0, rows} : share(rows, part, parts);
      const Share channels = by_channel ? lines(part, parts) : Share{0, out[1]};
      for (std::int64_t row = range.begin; row < range.end; ++row)
        poolRow(x + row / out[2] * imagePitch(source_.layout), row % out[2], channels,
                y + row / out[2] * imagePitch(target_.layout) +
                    row % out[2] * rowPitch(target_.layout));
    });
    return {};
  }

 private:
  static constexpr std::int64_t kSmallWork = 16384;  // numbers that are folded

  /// A part's channels, whole cache lines of them.
  Share lines(std::size_t part, std::size_t parts) const {
    constexpr std::int64_t kLine = 16;
    const std::int64_t channels = target_.shape()[1];
    const Share range = share((channels + kLine - 1) / kLine, part, parts);
    return {std::min(range.begin * kLine, channels), std::min(range.end * kLine, channels)};
  }

  void poolRow(const float* image, std::int64_t out_row, Share channels, float* y) const {
    if (channels.begin == channels.end) return;
    const Shape& in = source_.shape();
    const std::int64_t top = out_row * window_.stride.h - window_.pads.top;
    WindowRow row;
    row.input = image + channels.begin;
    row.output = y + channels.begin;
    row.input_row_pitch = rowPitch(source_.layout);
    row.input_pitch = pixelPitch(source_.layout);
    row.output_pitch = pixelPitch(target_.layout);
    row.input_height = in[2];
    row.input_width = in[3];
    row.output_width = target_.shape()[3];
    row.channels = channels.end - channels.begin;
    row.top = top;
    row.kernel_h = window_.kernel.h;
    row.kernel_w = window_.kernel.w;
    row.stride = window_.stride.w;
    row.dilation_h = window_.dilation.h;
    row.dilation_w = window_.dilation.w;
    row.pad_left = window_.pads.left;
    if (!mean_) {
      tools_.kernels.max_row(row);
      return;
    }
    tools_.kernels.sum_row(row);
    const Taps tall = tapsInside(top, window_.kernel.h, window_.dilation.h, in[2]);
    for (std::int64_t column = 0; column < row.output_width; ++column) {
      const std::int64_t left = column * window_.stride.w - window_.pads.left;
      const Taps wide = tapsInside(left, window_.kernel.w, window_.dilation.w, in[3]);
      const float scale = 1.0F / static_cast<float>(divisor(top, left, tall, wide));
      float* pixel = row.output + column * row.output_pitch;
      tools_.kernels.arithmetic(Arithmetic::mul, {pixel, &scale, pixel, true, false, row.channels},
                                {});
    }
  }

  // Explicit padding counts, what ceil mode adds beyond it does not.
  std::int64_t divisor(std::int64_t top, std::int64_t left, Taps tall, Taps wide) const {
    if (!count_pads_) return (tall.end - tall.begin) * (wide.end - wide.begin);
    const Shape& in = source_.shape();
    const Taps padded_tall =
        tapsInside(top + window_.pads.top, window_.kernel.h, window_.dilation.h,
                   in[2] + window_.pads.top + window_.pads.bottom);
    const Taps padded_wide =
        tapsInside(left + window_.pads.left, window_.kernel.w, window_.dilation.w,
                   in[3] + window_.pads.left + window_.pads.right);
    return (padded_tall.end - padded_tall.begin) * (padded_wide.end - padded_wide.begin);
  }

  Window2d window_;
  bool mean_;
  bool count_pads_;
  Operand source_;
  Operand target_;
  StepTools tools_;
};

Window2d wholeMap(const Shape& shape) {
  Window2d window;
  window.kernel = {shape[2], shape[3]};
  return window;
}

}  // namespace

std::unique_ptr<Step> makeMaxPool(const Window2d& window, const Operand& source,
                                  const Operand& target, const StepTools& tools) {
  return std::make_unique<PoolStep>(window, false, false, source, target, tools);
}

std::unique_ptr<Step> makeAveragePool(const Window2d& window, bool count_pads,
                                      const Operand& source, const Operand& target,
                                      const StepTools& tools) {
  return std::make_unique<PoolStep>(window, true, count_pads, source, target, tools);
}

std::unique_ptr<Step> makeGlobalPool(GlobalPoolKind kind, const Operand& source,
                                     const Operand& target, const StepTools& tools) {
  const Window2d window = wholeMap(source.shape());
  return kind == GlobalPoolKind::max ? makeMaxPool(window, source, target, tools)
                                     : makeAveragePool(window, false, source, target, tools);
}

}  // namespace narrows::executor
