#include <algorithm>
#include <array>

#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/integer_weights.h"
#include "narrows/engine/executor/kernels/quads.h"

namespace narrows::executor {
namespace {

constexpr std::int64_t kQuad = 4;  // bytes
constexpr std::int64_t kLine = 64;

std::int64_t roundedUp(std::int64_t bytes) {
  return (bytes + kLine - 1) / kLine * kLine;
}

/// A first layer in integers: its planes become one map of quads, with the padding around it.
class PlanarQuads final : public ByteKernel {
 public:
  PlanarQuads(const CompactConv& conv, const QuadKernels& kernels)
      : kernels_(kernels),
        window_(conv.problem.window),
        in_(conv.problem.input.shape),
        out_(conv.problem.output.shape),
        activation_(conv.problem.activation),
        input_range_(byteRange(conv.input)),
        output_range_(byteRange(conv.output)),
        height_(in_[2] + window_.pads.top + window_.pads.bottom),
        width_(in_[3] + window_.pads.left + window_.pads.right) {
    constexpr std::int64_t kSmall = 16384;  // results that a second thread does not speed up
    parts_ = out_.elements() < kSmall ? 1 : conv.problem.threads;
    for (std::int64_t ky = 0; ky < window_.kernel.h; ++ky) {
      for (std::int64_t kx = 0; kx < window_.kernel.w; ++kx)
        offsets_.push_back((ky * width_ + kx) * kQuad);
    }
    pack(conv);
  }

  Status run(const std::byte* input, const std::byte*, std::byte* output,
             std::span<std::byte> scratch, Team& team) override {
    const auto* planes = reinterpret_cast<const float*>(input);
    auto* quads = reinterpret_cast<std::uint8_t*>(scratch.data());
    team.run(parts_, [&](std::size_t part) {
      const Share rows = share(in_[0] * height_, part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        gatherRow(planes, row, quads + row * width_ * kQuad);
    });
    auto* y = reinterpret_cast<std::uint8_t*>(output);
    team.run(parts_, [&](std::size_t part) {
      const Share rows = share(out_[0] * out_[2], part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        multiplyRow(quads, row, y + row * out_[3] * out_[1]);
    });
    return {};
  }

  std::size_t weightBytes() const override {
    return weights_.size() + (factors_.size() + shifts_.size()) * sizeof(float);
  }
  std::size_t scratchBytes() const override {
    return static_cast<std::size_t>(roundedUp(in_[0] * height_ * width_ * kQuad));
  }

 private:
  /// A row of the map with its padding, of all images' rows.
  void gatherRow(const float* planes, std::int64_t row, std::uint8_t* to) const {
    const std::int64_t image = row / height_;
    const std::int64_t y = row % height_ - window_.pads.top;
    const auto zero = static_cast<std::uint8_t>(input_range_.zero);
    if (y < 0 || y >= in_[2]) {
      std::fill_n(to, width_ * kQuad, zero);
      return;
    }
    std::fill_n(to, window_.pads.left * kQuad, zero);
    to += window_.pads.left * kQuad;
    kernels_.gather(planes + (image * in_[1] * in_[2] + y) * in_[3], in_[2] * in_[3], in_[1],
                    input_range_, to, in_[3]);
    std::fill_n(to + in_[3] * kQuad, window_.pads.right * kQuad, zero);
  }

  void multiplyRow(const std::uint8_t* quads, std::int64_t row, std::uint8_t* y) const {
    const std::int64_t top = row / out_[2] * height_ + row % out_[2] * window_.stride.h;
    QuadRun run;
    run.input = quads + top * width_ * kQuad;
    run.input_pitch = window_.stride.w * kQuad;
    run.offsets = offsets_.data();
    run.depth = static_cast<std::int64_t>(offsets_.size());
    run.output_pitch = out_[1];
    run.count = out_[3];
    for (const Part& part : panels_) {
      run.output = y + part.first;
      kernels_.multiply(run, part.panel, activation_, output_range_);
    }
  }

  void pack(const CompactConv& conv) {
    const ConvProblem& p = conv.problem;
    const IntegerWeights integers(p.weights, out_[1]);
    const std::int64_t taps = std::ssize(offsets_);
    const std::int64_t depth = in_[1] * taps;
    const std::int64_t vectors = (out_[1] + kernels_.lanes - 1) / kernels_.lanes;
    factors_.resize(static_cast<std::size_t>(vectors * kernels_.lanes), 0.0F);
    shifts_.resize(factors_.size(), 0.0F);
    for (std::int64_t o = 0; o < out_[1]; ++o) {
      const auto at = static_cast<std::size_t>(o);
      // What the integer that stands for 0 adds to each sum.
      std::int64_t sum = 0;
      for (std::int64_t k = 0; k < depth; ++k)
        sum += integers.values[static_cast<std::size_t>(o * depth + k)];
      factors_[at] = integers.scales[at] * conv.input.scale;
      shifts_[at] = (p.bias.empty() ? 0.0F : p.bias[at]) -
                    factors_[at] * static_cast<float>(sum * conv.input.zero);
    }
    weights_.resize(static_cast<std::size_t>(vectors * kernels_.lanes * taps * kQuad), 0);
    std::int8_t* to = weights_.data();
    const std::int64_t count = (vectors + kernels_.vectors - 1) / kernels_.vectors;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t first = vectors * i / count * kernels_.lanes;
      const std::int64_t wide = vectors * (i + 1) / count - vectors * i / count;
      const std::int64_t width = wide * kernels_.lanes;
      const std::int64_t channels = std::min(width, out_[1] - first);
      panels_.push_back(
          {{to, factors_.data() + first, shifts_.data() + first, wide, channels}, first});
      for (std::int64_t t = 0; t < taps; ++t) {
        for (std::int64_t o = 0; o < channels; ++o) {
          for (std::int64_t c = 0; c < in_[1]; ++c) {
            to[(t * width + o) * kQuad + c] =
                integers.values[static_cast<std::size_t>((first + o) * depth + c * taps + t)];
          }
        }
      }
      to += taps * width * kQuad;
    }
  }

  struct Part {
    QuadPanel panel;
    std::int64_t first;  // channel
  };

  const QuadKernels& kernels_;
  Window2d window_;
  Shape in_, out_;
  Activation activation_;
  ByteRange input_range_, output_range_;
  std::int64_t height_, width_;
  std::size_t parts_;
  std::vector<std::int64_t> offsets_;
  std::vector<std::int8_t> weights_;
  std::vector<float> factors_, shifts_;
  std::vector<Part> panels_;
};

}  // namespace

std::unique_ptr<ByteKernel> makePlanarQuads(const CompactConv& conv, const QuadKernels& kernels) {
  return std::make_unique<PlanarQuads>(conv, kernels);
}

}  // namespace narrows::executor
