#include <algorithm>
#include <cmath>
#include <vector>

#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

// Pillow's Resample.c: weights carry 22 fractional bits, so that 8-bit samples, a sum of weights
// near one and two bits of headroom fill an int32.
constexpr int kPrecisionBits = 32 - 8 - 2;

struct Window {
  std::int64_t begin = 0;
  std::vector<std::int32_t> weights;
};

/// For each output sample the input samples it is made of and their weights.
using Windows = std::vector<Window>;

Windows fixedPoint(std::int64_t begin_count, const std::vector<std::vector<double>>& weights,
                   const std::vector<std::int64_t>& begins) {
  Windows windows(static_cast<std::size_t>(begin_count));
  for (std::size_t i = 0; i < windows.size(); ++i) {
    windows[i].begin = begins[i];
    for (double weight : weights[i]) {
      const double scaled = weight * (1 << kPrecisionBits);
      windows[i].weights.push_back(
          static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return windows;
}

/// Triangle filter whose support grows with the downscale (Pillow's precompute_coeffs).
Windows antialiasWindows(std::int64_t in, std::int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_scale;
  const double inverse = 1.0 / filter_scale;
  std::vector<std::vector<double>> weights(static_cast<std::size_t>(out));
  std::vector<std::int64_t> begins(static_cast<std::size_t>(out));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(center - support + 0.5), 0);
    const auto end = std::min(static_cast<std::int64_t>(center + support + 0.5), in);
    begins[i] = begin;
    double sum = 0;
    for (std::int64_t x = begin; x < end; ++x) {
      const double distance = std::abs((static_cast<double>(x) - center + 0.5) * inverse);
      weights[i].push_back(distance < 1.0 ? 1.0 - distance : 0.0);
      sum += weights[i].back();
    }
    if (sum != 0) {
      for (double& weight : weights[i]) weight /= sum;
    }
  }
  return fixedPoint(out, weights, begins);
}

/// The two neighbours of the sample's centre, whatever the scale; edges repeat.
Windows bilinearWindows(std::int64_t in, std::int64_t out) {
  const double scale = static_cast<double>(in) / static_cast<double>(out);
  std::vector<std::vector<double>> weights(static_cast<std::size_t>(out));
  std::vector<std::int64_t> begins(static_cast<std::size_t>(out));
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double center =
        std::clamp((static_cast<double>(i) + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    begins[i] = static_cast<std::int64_t>(center);
    const double fraction = center - static_cast<double>(begins[i]);
    weights[i].push_back(1 - fraction);
    if (fraction > 0) weights[i].push_back(fraction);
  }
  return fixedPoint(out, weights, begins);
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
    for (const Window& window : windows) {
      std::int32_t red = kHalf, green = kHalf, blue = kHalf;
      const std::uint8_t* sample = row + window.begin * 3;
      for (std::int32_t weight : window.weights) {
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
  for (const Window& window : windows) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* row = image.rgb.data() + window.begin * image.width * 3;
    for (std::int32_t weight : window.weights) {
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
