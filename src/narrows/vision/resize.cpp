#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

// Pillow's Resample.c: weights carry 22 fractional bits, so that 8-bit samples, a sum of weights
// near one and two bits of headroom fill an int32.
constexpr int kPrecisionBits = 32 - 8 - 2;

/// For each output sample the input samples it is made of and their weights, all in one array.
struct Windows {
  struct Window {
    std::int64_t begin = 0;  // first input sample
    std::size_t first_weight = 0;
    std::size_t count = 0;
  };
  std::vector<Window> windows;
  std::vector<std::int32_t> weights;

  void add(std::int64_t begin, std::span<const double> real_weights) {
    windows.push_back({begin, weights.size(), real_weights.size()});
    for (double weight : real_weights) {
      // Weights of the triangle are not negative, so that adding a half rounds.
      weights.push_back(static_cast<std::int32_t>(weight * (1 << kPrecisionBits) + 0.5));
    }
  }
  std::span<const std::int32_t> of(const Window& window) const {
    return std::span(weights).subspan(window.first_weight, window.count);
  }
};

/// Triangle filter whose support grows with the downscale (Pillow's precompute_coeffs).
Windows antialiasWindows(std::int64_t in, std::int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;
  const double inverse = 1.0 / filter_scale;
  Windows windows;
  std::vector<double> weights;
  for (std::int64_t i = 0; i < out; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), in);
    weights.clear();
    double sum = 0;
    for (std::int64_t x = begin; x < end; ++x) {
      const double distance = std::abs((static_cast<double>(x) - center + 0.5) * inverse);
      weights.push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += weights.back();
    }
    if (sum != 0) {
      for (double& weight : weights) weight /= sum;
    }
    windows.add(begin, weights);
  }
  return windows;
}

/// The two neighbours of the sample's centre, whatever the scale; edges repeat.
Windows bilinearWindows(std::int64_t in, std::int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  Windows windows;
  for (std::int64_t i = 0; i < out; ++i) {
    const double center =
        std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    const auto begin = static_cast<std::int64_t>(center);
    const double fraction = center - static_cast<double>(begin);
    const std::array<double, 2> weights = {1 - fraction, fraction};
    windows.add(begin, std::span(weights).first(fraction > 0 ? 2 : 1));
  }
  return windows;
}

Windows makeWindows(std::int64_t in, std::int64_t out, Resampling resampling) {
  return resampling == Resampling::antialias ? antialiasWindows(in, out) : bilinearWindows(in, out);
}

std::uint8_t toSample(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

Image resizeRows(const Image& image, std::int64_t width, Resampling resampling) {
  const Windows windows = makeWindows(image.width, width, resampling);
  Image out = makeImage({width, image.height});
  std::uint8_t* target = out.rgb.data();
  for (std::int64_t y = 0; y < image.height; ++y) {
    const std::uint8_t* row = image.rgb.data() + y * image.width * 3;
    for (const Windows::Window& window : windows.windows) {
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      const std::uint8_t* sample = row + window.begin * 3;
      for (std::int32_t weight : windows.of(window)) {
        red += sample[0] * weight;
        green += sample[1] * weight;
        blue += sample[2] * weight;
        sample += 3;
      }
      *target++ = toSample(red);
      *target++ = toSample(green);
      *target++ = toSample(blue);
    }
  }
  return out;
}

Image resizeColumns(const Image& image, std::int64_t height, Resampling resampling) {
  const Windows windows = makeWindows(image.height, height, resampling);
  Image out = makeImage({image.width, height});
  const auto row_samples = static_cast<std::size_t>(image.width * 3);
  std::vector<std::int32_t> sums(row_samples);
  std::uint8_t* target = out.rgb.data();
  for (const Windows::Window& window : windows.windows) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* row = image.rgb.data() + window.begin * image.width * 3;
    for (std::int32_t weight : windows.of(window)) {
      for (std::size_t x = 0; x < row_samples; ++x) sums[x] += row[x] * weight;
      row += row_samples;
    }
    for (std::size_t x = 0; x < row_samples; ++x) *target++ = toSample(sums[x]);
  }
  return out;
}

}  // namespace

Image resizeImage(const Image& image, ImageSize size, Resampling resampling) {
  const bool wide = size.width != image.width;
  const bool high = size.height != image.height;
  if (wide && high) {
    return resizeColumns(resizeRows(image, size.width, resampling), size.height, resampling);
  }
  if (wide) return resizeRows(image, size.width, resampling);
  if (high) return resizeColumns(image, size.height, resampling);
  return image;
}

}  // namespace narrows
