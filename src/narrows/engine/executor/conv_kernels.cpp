#include "narrows/engine/executor/conv_kernels.h"

#include <algorithm>
#include <cstring>

#include "narrows/engine/executor/packed_weights.h"

namespace narrows::executor {
namespace {

constexpr std::int64_t kMostPlanarDepth = 256;
// What is kept near: weights up to this are read again for each group of pixels, larger ones once.
constexpr std::size_t kNearWeights = 256 * 1024;
constexpr std::int64_t kNearPixelBytes = 24 * 1024;

bool isDepthwise(const ConvProblem& p) {
  return p.groups > 1 && p.groups == p.input.shape[1] && p.groups == p.output.shape[1];
}

bool isPointwise(const ConvProblem& p) {
  return p.window.kernel == Extent2d{1, 1} && p.window.stride == Extent2d{1, 1} &&
         p.window.pads == Padding2d{};
}

Finish finishOf(const ConvProblem& p) {
  return {p.activation, p.residual_after_activation};
}

/// Splits `items` over threads, or over one when the work is too small to share.
std::size_t partsFor(const ConvProblem& p, std::int64_t items) {
  constexpr std::int64_t kSmallWork = 100000;    // multiply-adds
  constexpr std::int64_t kSmallWeights = 16384;  // floats
  const std::int64_t sum = p.input.shape[1] / p.groups * p.window.kernel.h * p.window.kernel.w;
  if (p.output.shape.elements() * sum < kSmallWork && p.output.shape[1] * sum < kSmallWeights)
    return 1;
  return static_cast<std::size_t>(
      std::clamp<std::int64_t>(items, 1, static_cast<std::int64_t>(p.threads)));
}

/// Kernel 1x1: a product of all pixels with the weights.
class PointwiseConv final : public ConvKernel {
 public:
  PointwiseConv(const ConvProblem& p, const KernelTable& table)
      : table_(table),
        weights_(packWeights(p, table, DepthOrder::tap_channel)),
        finish_(finishOf(p)),
        groups_(p.groups),
        depth_(p.input.shape[1] / p.groups),
        outputs_(p.output.shape[1] / p.groups),
        has_residual_(p.residual.has_value()) {
    const Shape& shape = p.output.shape;
    const bool flat = isFlatMap(p.input);
    rows_ = flat ? 1 : shape[0] * shape[2];
    row_pixels_ = flat ? shape[0] * shape[2] * shape[3] : shape[3];
    rows_per_image_ = flat ? 1 : shape[2];
    input_row_pitch_ = rowPitch(p.input);
    input_image_pitch_ = imagePitch(p.input);
    input_pitch_ = pixelPitch(p.input);
    output_pitch_ = pixelPitch(p.output);
    residual_pitch_ = p.residual ? pixelPitch(*p.residual) : 0;
    near_ = weights_.item->bytes() <= kNearWeights;
    const std::int64_t block = std::max<std::int64_t>(
        kNearPixelBytes / std::max<std::int64_t>(4 * p.input.shape[1], 1) / table.pixels, 1);
    const auto panels = static_cast<std::int64_t>(weights_.item->partsPerGroup());
    by_panel_ = !near_ && panels >= static_cast<std::int64_t>(p.threads);
    chunk_ = near_ ? block * table.pixels : row_pixels_;
    parts_ = partsFor(p, by_panel_ ? panels : row_pixels_ * rows_ / table.pixels);
    // Far weights of one pixel: a thread that gets them slowly leaves some to the others.
    constexpr std::size_t kPartsOfThread = 4;
    if (by_panel_ && rows_ * row_pixels_ == 1 && parts_ > 1) {
      parts_ = std::clamp(static_cast<std::size_t>(panels / kMostStreams), parts_,
                          kPartsOfThread * parts_);
    }
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte>,
             Team& team) override {
    team.run(parts_, [&](std::size_t part) {
      const auto panels = static_cast<std::int64_t>(weights_.item->partsPerGroup());
      const Share pixels =
          by_panel_ ? Share{0, rows_ * row_pixels_} : share(rows_ * row_pixels_, part, parts_);
      const Share columns = by_panel_ ? share(panels, part, parts_) : Share{0, panels};
      for (std::int64_t first = pixels.begin; first < pixels.end;) {
        const std::int64_t row = first / row_pixels_;
        const std::int64_t column = first - row * row_pixels_;
        const std::int64_t count = std::min({chunk_, pixels.end - first, row_pixels_ - column});
        const float* x = input + row / rows_per_image_ * input_image_pitch_ +
                         row % rows_per_image_ * input_row_pitch_ + column * input_pitch_;
        const bool more =
            count == chunk_ && first + 2 * count <= pixels.end && column + 2 * count <= row_pixels_;
        runPixels(x, residual, output, {first, first + count}, columns, first == pixels.begin,
                  more);
        first += count;
      }
    });
    return {};
  }
  std::size_t weightBytes() const override { return weights_.item->bytes(); }
  std::size_t sharedBytes() const override { return weights_.shared ? weightBytes() : 0; }
  std::size_t scratchBytes() const override { return 0; }

 private:
  /// `cold`: the weights have not been read in this run. `more`: as many pixels follow.
  void runPixels(const float* x, const float* residual, float* output, Share pixels, Share columns,
                 bool cold, bool more) const {
    const std::int64_t first = pixels.begin;
    const std::int64_t count = pixels.end - first;
    if (count == 1 && !near_) return runPixel(x, residual, output, first, columns);
    const bool gapless = groups_ == 1 && input_pitch_ == depth_;
    for (std::int64_t g = 0; g < groups_; ++g) {
      const auto parts = weights_.item->group(g);
      for (std::int64_t i = columns.begin; i < columns.end; ++i) {
        const PackedWeights::Part& part = parts[static_cast<std::size_t>(i)];
        const std::int64_t channel = g * outputs_ + part.first;
        PixelRun run;
        run.input = x + g * depth_;
        run.input_pitch = input_pitch_;
        run.output = output + first * output_pitch_ + channel;
        run.output_pitch = output_pitch_;
        if (has_residual_) run.residual = residual + first * residual_pitch_ + channel;
        run.residual_pitch = residual_pitch_;
        run.count = count;
        if (gapless && more && i + 1 == columns.end) run.next = x + count * input_pitch_;
        // Pixels that stay far are fetched shortly before the first weights meet them.
        if (gapless && cold && !near_ && i == columns.begin)
          run.next = x + table_.pixels * input_pitch_;
        if (cold && i + 1 < columns.end)
          run.ahead = parts[static_cast<std::size_t>(i) + 1].panel.weights;
        table_.multiply(run, depth_, part.panel, finish_);
      }
    }
  }

  /// Panels of as many vectors go together; their numbers of vectors differ by one at most.
  void runPixel(const float* x, const float* residual, float* output, std::int64_t pixel,
                Share columns) const {
    for (std::int64_t g = 0; g < groups_; ++g) {
      const auto parts =
          weights_.item->group(g).subspan(static_cast<std::size_t>(columns.begin),
                                          static_cast<std::size_t>(columns.end - columns.begin));
      for (std::int64_t vectors = 1; vectors <= table_.vectors; ++vectors) {
        std::array<PanelResult, kMostStreams> results;
        std::int64_t count = 0;
        const auto multiply = [&] {
          if (count > 0)
            table_.multiply_pixel(x + g * depth_, depth_, results.data(), count, finish_);
          count = 0;
        };
        for (const PackedWeights::Part& part : parts) {
          if (part.panel.vectors != vectors) continue;
          const std::int64_t at = g * outputs_ + part.first;
          const float* added = has_residual_ ? residual + pixel * residual_pitch_ + at : nullptr;
          results[static_cast<std::size_t>(count++)] = {part.panel, added,
                                                        output + pixel * output_pitch_ + at};
          if (count == kMostStreams) multiply();
        }
        multiply();
      }
    }
  }

  const KernelTable& table_;
  WeightStore::Found<PackedWeights> weights_;
  Finish finish_;
  std::int64_t groups_, depth_, outputs_;
  std::int64_t rows_, row_pixels_, rows_per_image_;
  std::int64_t input_row_pitch_, input_image_pitch_, input_pitch_, output_pitch_, residual_pitch_;
  std::int64_t chunk_;
  bool has_residual_;
  bool near_;
  bool by_panel_;
  std::size_t parts_;
};

/// Any window: each tile of pixels gathers, for every tap, where its input pixels are.
class WindowConv final : public ConvKernel {
 public:
  WindowConv(const ConvProblem& p, const KernelTable& table)
      : table_(table),
        problem_(p),
        weights_(packWeights(p, table, DepthOrder::tap_channel)),
        finish_(finishOf(p)),
        depth_(p.input.shape[1] / p.groups),
        outputs_(p.output.shape[1] / p.groups),
        taps_(p.window.kernel.h * p.window.kernel.w),
        zeros_(static_cast<std::size_t>(p.input.shape[1]), 0.0F) {
    problem_.weights = {};
    problem_.bias = {};
    const Shape& shape = p.output.shape;
    pixels_ = shape[0] * shape[2] * shape[3];
    const std::int64_t tiles = (pixels_ + table.pixels - 1) / table.pixels;
    const auto panels = static_cast<std::int64_t>(weights_.item->partsPerGroup());
    panel_first_ = weights_.item->bytes() > 2 * kNearWeights;
    by_panel_ = panel_first_ && panels >= static_cast<std::int64_t>(p.threads);
    parts_ = partsFor(p, by_panel_ ? panels : tiles);
    pointers_per_part_ = taps_ * table.pixels;
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte> scratch,
             Team& team) override {
    team.run(parts_, [&](std::size_t part) {
      auto** pointers = reinterpret_cast<const float**>(scratch.data()) +
                        static_cast<std::int64_t>(part) * pointers_per_part_;
      const std::int64_t tiles = (pixels_ + table_.pixels - 1) / table_.pixels;
      const auto panels = static_cast<std::int64_t>(weights_.item->partsPerGroup());
      const Share own_tiles = by_panel_ ? Share{0, tiles} : share(tiles, part, parts_);
      const Share own_panels = by_panel_ ? share(panels, part, parts_) : Share{0, panels};
      if (panel_first_) {
        for (std::int64_t panel = own_panels.begin; panel < own_panels.end; ++panel)
          runTiles(input, residual, output, own_tiles, {panel, panel + 1}, pointers);
      } else {
        runTiles(input, residual, output, own_tiles, own_panels, pointers);
      }
    });
    return {};
  }
  std::size_t weightBytes() const override { return weights_.item->bytes(); }
  std::size_t sharedBytes() const override { return weights_.shared ? weightBytes() : 0; }
  std::size_t scratchBytes() const override {
    return parts_ * static_cast<std::size_t>(pointers_per_part_) * sizeof(const float*);
  }

 private:
  void runTiles(const float* input, const float* residual, float* output, Share tiles, Share panels,
                const float** pointers) const {
    const std::int64_t output_pitch = pixelPitch(problem_.output);
    const std::int64_t residual_pitch = problem_.residual ? pixelPitch(*problem_.residual) : 0;
    for (std::int64_t tile = tiles.begin; tile < tiles.end; ++tile) {
      const std::int64_t first = tile * table_.pixels;
      const std::int64_t count = std::min(table_.pixels, pixels_ - first);
      for (std::int64_t g = 0; g < problem_.groups; ++g) {
        point(input + g * depth_, first, count, pointers);
        for (std::int64_t i = panels.begin; i < panels.end; ++i) {
          const PackedWeights::Part& part = weights_.item->group(g)[static_cast<std::size_t>(i)];
          const std::int64_t channel = g * outputs_ + part.first;
          TappedPixels pixels;
          pixels.inputs = pointers;
          pixels.output = output + first * output_pitch + channel;
          pixels.output_pitch = output_pitch;
          if (problem_.residual) pixels.residual = residual + first * residual_pitch + channel;
          pixels.residual_pitch = residual_pitch;
          pixels.count = count;
          table_.multiply_tapped(pixels, taps_, depth_, part.panel, finish_);
        }
      }
    }
  }

  /// Fills in where tap t of pixel i is, at t * pixels + i; taps in the padding point at zeros.
  void point(const float* x, std::int64_t first, std::int64_t count, const float** pointers) const {
    const Layout& in = problem_.input;
    const Window2d& w = problem_.window;
    const Shape& out = problem_.output.shape;
    const std::int64_t row_pitch = rowPitch(in);
    const std::int64_t pitch = pixelPitch(in);
    std::array<const float*, kMostPixels> corner{};
    std::array<std::int64_t, kMostPixels> top{};
    std::array<std::int64_t, kMostPixels> left{};
    bool inside = true;
    std::int64_t column = first % out[3];
    std::int64_t row = first / out[3] % out[2];
    std::int64_t image = first / (out[3] * out[2]);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto at = static_cast<std::size_t>(i);
      top[at] = row * w.stride.h - w.pads.top;
      left[at] = column * w.stride.w - w.pads.left;
      corner[at] = x + image * imagePitch(in) + top[at] * row_pitch + left[at] * pitch;
      inside = inside && top[at] >= 0 && left[at] >= 0 &&
               top[at] + (w.kernel.h - 1) * w.dilation.h < in.shape[2] &&
               left[at] + (w.kernel.w - 1) * w.dilation.w < in.shape[3];
      if (++column == out[3]) {
        column = 0;
        if (++row == out[2]) {
          row = 0;
          ++image;
        }
      }
    }
    for (std::int64_t ky = 0; ky < w.kernel.h; ++ky) {
      for (std::int64_t kx = 0; kx < w.kernel.w; ++kx) {
        const std::int64_t shift = ky * w.dilation.h * row_pitch + kx * w.dilation.w * pitch;
        for (std::int64_t i = 0; i < count; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const auto y = static_cast<std::uint64_t>(top[at] + ky * w.dilation.h);
          const auto z = static_cast<std::uint64_t>(left[at] + kx * w.dilation.w);
          const bool valid = inside || (y < static_cast<std::uint64_t>(in.shape[2]) &&
                                        z < static_cast<std::uint64_t>(in.shape[3]));
          pointers[i] = valid ? corner[at] + shift : zeros_.data();
        }
        pointers += table_.pixels;
      }
    }
  }

  static constexpr std::size_t kMostPixels = 16;

  const KernelTable& table_;
  ConvProblem problem_;
  WeightStore::Found<PackedWeights> weights_;
  Finish finish_;
  std::int64_t depth_, outputs_, taps_, pixels_;
  std::int64_t pointers_per_part_;
  std::vector<float> zeros_;
  bool panel_first_;
  bool by_panel_;
  std::size_t parts_;
};

/// A first layer that reads its few channels as planes.
class PlanarConv final : public ConvKernel {
 public:
  PlanarConv(const ConvProblem& p, const KernelTable& table)
      : table_(table),
        window_(p.window),
        in_(p.input.shape),
        out_(p.output.shape),
        output_pitch_(pixelPitch(p.output)),
        weights_(packWeights(p, table, DepthOrder::channel_tap)),
        finish_(finishOf(p)),
        padded_(!(p.window.pads == Padding2d{})),
        height_(in_[2] + p.window.pads.top + p.window.pads.bottom),
        width_(in_[3] + p.window.pads.left + p.window.pads.right) {
    for (std::int64_t c = 0; c < in_[1]; ++c) {
      for (std::int64_t ky = 0; ky < window_.kernel.h; ++ky) {
        for (std::int64_t kx = 0; kx < window_.kernel.w; ++kx)
          offsets_.push_back((c * height_ + ky) * width_ + kx);
      }
    }
    parts_ = partsFor(p, out_[2]);
  }

  Status run(const float* input, const float*, float* output, std::span<std::byte> scratch,
             Team& team) override {
    const float* planes = padded(input, scratch, team);
    team.run(parts_, [&](std::size_t part) {
      const Share rows = share(out_[0] * out_[2], part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row)
        runRow(planes, row, output + row * out_[3] * output_pitch_);
    });
    return {};
  }

  /// The input with its padding: itself or a copy in the scratch memory.
  const float* padded(const float* input, std::span<std::byte> scratch, Team& team) const {
    if (!padded_) return input;
    auto* copy = reinterpret_cast<float*>(scratch.data());
    pad(input, copy, team);
    return copy;
  }
  /// A row of results, of all images' rows.
  void runRow(const float* planes, std::int64_t row, float* y) const {
    const std::int64_t image = row / out_[2];
    const std::int64_t top = row % out_[2] * window_.stride.h;
    runColumns(planes + (image * in_[1] * height_ + top) * width_, y);
  }
  std::size_t parts() const { return parts_; }
  std::size_t weightBytes() const override { return weights_.item->bytes(); }
  std::size_t sharedBytes() const override { return weights_.shared ? weightBytes() : 0; }
  std::size_t scratchBytes() const override {
    return padded_ ? static_cast<std::size_t>(in_[0] * in_[1] * height_ * width_) * sizeof(float)
                   : 0;
  }

 private:
  void pad(const float* from, float* to, Team& team) const {
    team.run(parts_, [&](std::size_t part) {
      const Share rows = share(in_[0] * in_[1] * height_, part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const std::int64_t plane = row / height_;
        const std::int64_t y = row % height_ - window_.pads.top;
        float* line = to + row * width_;
        if (y < 0 || y >= in_[2]) {
          std::fill_n(line, width_, 0.0F);
          continue;
        }
        std::fill_n(line, window_.pads.left, 0.0F);
        std::copy_n(from + (plane * in_[2] + y) * in_[3], in_[3], line + window_.pads.left);
        std::fill_n(line + window_.pads.left + in_[3], window_.pads.right, 0.0F);
      }
    });
  }

  void runColumns(const float* x, float* y) const {
    constexpr std::int64_t kMost = 48;
    std::array<const float*, kMost> inputs{};
    for (std::int64_t column = 0; column < out_[3]; column += kMost) {
      OffsetPixels pixels;
      pixels.count = std::min(kMost, out_[3] - column);
      for (std::int64_t i = 0; i < pixels.count; ++i)
        inputs[static_cast<std::size_t>(i)] = x + (column + i) * window_.stride.w;
      pixels.inputs = inputs.data();
      pixels.offsets = offsets_.data();
      pixels.depth = static_cast<std::int64_t>(offsets_.size());
      pixels.output_pitch = output_pitch_;
      for (const PackedWeights::Part& part : weights_.item->group(0)) {
        pixels.output = y + column * output_pitch_ + part.first;
        table_.multiply_offset(pixels, part.panel, finish_);
      }
    }
  }

  const KernelTable& table_;
  Window2d window_;
  Shape in_, out_;
  std::int64_t output_pitch_;
  WeightStore::Found<PackedWeights> weights_;
  Finish finish_;
  bool padded_;
  std::int64_t height_, width_;
  std::vector<std::int64_t> offsets_;
  std::size_t parts_;
};

/// A first layer whose results are stored in integers, row by row.
class PlanarBytes final : public ByteKernel {
 public:
  PlanarBytes(const CompactConv& conv, const KernelTable& table)
      : table_(table), planar_(conv.problem, table), range_(byteRange(conv.output)) {
    const Shape& out = conv.output.layout.shape;
    rows_ = out[0] * out[2];
    row_numbers_ = out[3] * out[1];
  }

  Status run(const std::byte* input, const std::byte*, std::byte* output,
             std::span<std::byte> scratch, Team& team) override {
    const float* planes = planar_.padded(reinterpret_cast<const float*>(input), scratch, team);
    auto* rows = reinterpret_cast<float*>(scratch.data() + rowsAt());
    auto* y = reinterpret_cast<std::uint8_t*>(output);
    team.run(planar_.parts(), [&](std::size_t part) {
      float* sums = rows + static_cast<std::int64_t>(part) * rowPitch();
      const Share own = share(rows_, part, planar_.parts());
      for (std::int64_t row = own.begin; row < own.end; ++row) {
        planar_.runRow(planes, row, sums);
        table_.quantize(sums, range_, y + row * row_numbers_, row_numbers_);
      }
    });
    return {};
  }
  std::size_t weightBytes() const override { return planar_.weightBytes(); }
  std::size_t sharedBytes() const override { return planar_.sharedBytes(); }
  std::size_t scratchBytes() const override {
    return rowsAt() + planar_.parts() * static_cast<std::size_t>(rowPitch()) * sizeof(float);
  }

 private:
  static constexpr std::size_t kLine = 64;  // bytes

  std::size_t rowsAt() const { return (planar_.scratchBytes() + kLine - 1) / kLine * kLine; }
  std::int64_t rowPitch() const { return (row_numbers_ + 15) / 16 * 16; }

  const KernelTable& table_;
  PlanarConv planar_;
  ByteRange range_;
  std::int64_t rows_;
  std::int64_t row_numbers_;
};

/// One filter for each channel.
class DepthwiseConv final : public ConvKernel {
 public:
  DepthwiseConv(const ConvProblem& p, const KernelTable& table)
      : table_(table), problem_(p), finish_(finishOf(p)) {
    const std::int64_t channels = p.input.shape[1];
    const std::int64_t taps = p.window.kernel.h * p.window.kernel.w;
    pitch_ = (channels + table.lanes - 1) / table.lanes * table.lanes;
    weights_ = Tensor(DType::f32, Shape{taps + 1, pitch_});
    float* to = weights_.mutableAs<float>().data();
    for (std::int64_t c = 0; c < channels; ++c) {
      if (!p.bias.empty()) to[c] = p.bias[static_cast<std::size_t>(c)];
      for (std::int64_t t = 0; t < taps; ++t)
        to[(t + 1) * pitch_ + c] = p.weights[static_cast<std::size_t>(c * taps + t)];
    }
    problem_.weights = {};
    problem_.bias = {};
    parts_ = partsFor(p, p.output.shape[0] * p.output.shape[2]);
  }

  Status run(const float* input, const float* residual, float* output, std::span<std::byte>,
             Team& team) override {
    const ConvProblem& p = problem_;
    const Shape& out = p.output.shape;
    team.run(parts_, [&](std::size_t part) {
      WindowRow row;
      row.input_row_pitch = rowPitch(p.input);
      row.input_pitch = pixelPitch(p.input);
      row.output_pitch = pixelPitch(p.output);
      row.residual_pitch = p.residual ? pixelPitch(*p.residual) : 0;
      row.input_height = p.input.shape[2];
      row.input_width = p.input.shape[3];
      row.output_width = out[3];
      row.channels = out[1];
      row.kernel_h = p.window.kernel.h;
      row.kernel_w = p.window.kernel.w;
      row.stride = p.window.stride.w;
      row.dilation_h = p.window.dilation.h;
      row.dilation_w = p.window.dilation.w;
      row.pad_left = p.window.pads.left;
      row.bias = weights_.as<float>().data();
      row.weights = row.bias + pitch_;
      row.weight_pitch = pitch_;
      const Share rows = share(out[0] * out[2], part, parts_);
      for (std::int64_t i = rows.begin; i < rows.end; ++i) {
        row.input = input + i / out[2] * imagePitch(p.input);
        row.top = i % out[2] * p.window.stride.h - p.window.pads.top;
        row.output = output + i * out[3] * row.output_pitch;
        if (p.residual) row.residual = residual + i * out[3] * row.residual_pitch;
        table_.depthwise_row(row, finish_);
      }
    });
    return {};
  }
  std::size_t weightBytes() const override { return weights_.type().bytes(); }
  std::size_t scratchBytes() const override { return 0; }

 private:
  const KernelTable& table_;
  ConvProblem problem_;
  Finish finish_;
  Tensor weights_;
  std::int64_t pitch_;
  std::size_t parts_;
};

}  // namespace

bool isPlanar(const ConvProblem& p) {
  return !isMap(p.input) && isRowMajor(p.input) && p.groups == 1 && !p.residual &&
         p.input.shape[1] <= kMostPlanes &&
         p.input.shape[1] * p.window.kernel.h * p.window.kernel.w <= kMostPlanarDepth &&
         p.window.dilation == Extent2d{1, 1};
}

bool ownConvTakes(const ConvProblem& p) {
  if (!isFlatMap(p.output) || (p.residual && !isFlatMap(*p.residual))) return false;
  return isMap(p.input) || isPlanar(p);
}

std::unique_ptr<ConvKernel> makeOwnConv(const ConvProblem& p, const KernelTable& table) {
  if (isPlanar(p)) return std::make_unique<PlanarConv>(p, table);
  if (isDepthwise(p)) return std::make_unique<DepthwiseConv>(p, table);
  if (isPointwise(p)) return std::make_unique<PointwiseConv>(p, table);
  return std::make_unique<WindowConv>(p, table);
}

std::size_t ownStripeScratch(const ConvProblem& p, const KernelTable& table) {
  if (isPointwise(p)) return 0;
  const std::int64_t taps = p.window.kernel.h * p.window.kernel.w;
  return static_cast<std::size_t>(taps * table.pixels) * sizeof(const float*);
}

ByteRange byteRange(const ScaledMap& map) {
  const float low = map.dtype == DType::u8 ? 0.0F : -128.0F;
  return {1.0F / map.scale, static_cast<float>(map.zero), low, low + 255.0F};
}

std::unique_ptr<ByteKernel> makePlanarBytes(const CompactConv& conv, const KernelTable& table) {
  return std::make_unique<PlanarBytes>(conv, table);
}

}  // namespace narrows::executor
