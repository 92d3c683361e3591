#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/data/dataset.h"
#include "narrows/vision/image.h"

namespace narrows::test {

/// A picture with smooth waves and some noise; the same for the same seed.
inline Image wavyImage(std::int64_t width, std::int64_t height, std::uint32_t seed) {
  Image image;
  image.width = width;
  image.height = height;
  image.rgb.reserve(static_cast<std::size_t>(width * height * 3));
  std::uint32_t noise = seed * 2654435761U + 1;
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) {
        noise = noise * 1664525U + 1013904223U;
        const double phase = 0.02 * static_cast<double>((seed % 7 + 1) * (c + 1));
        const double wave = std::sin(phase * static_cast<double>(x)) *
                            std::cos(0.5 * phase * static_cast<double>(y + c));
        image.rgb.push_back(static_cast<std::uint8_t>(128 + 90 * wave + (noise >> 28)));
      }
    }
  }
  return image;
}

/// `count` such pictures as files of a data set without truth.
inline std::vector<DataItem> wavyPictures(const std::filesystem::path& folder, std::size_t count,
                                          std::int64_t width, std::int64_t height) {
  std::vector<DataItem> items;
  for (std::size_t i = 0; i < count; ++i) {
    auto png = encodePng(wavyImage(width, height, static_cast<std::uint32_t>(i)));
    NARROWS_ASSERT(png.ok());
    DataItem item;
    item.name = "wavy" + std::to_string(i);
    item.image = folder / (item.name + ".png");
    NARROWS_ASSERT(writeFileAtomically(item.image, *png).ok());
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace narrows::test
