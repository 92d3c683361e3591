#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <vector>

#include "narrows/torch/task.h"
#include "narrows/vision/image.h"

namespace narrows {

/// A picture at the network's size with what is in it; boxes are shares of the network's input.
struct Example {
  Image image;
  int label = -1;
  std::vector<BoxTarget> boxes;
};

/// How pictures are varied. Zeros and false change nothing.
struct Augmentation {
  /// Half of the pictures are mirrored left to right.
  bool flip = false;
  /// Half of the pictures are turned upside down.
  bool flip_vertical = false;
  /// The picture is magnified or made smaller by up to this share, each side on its own by half of
  /// it, and moved as far as that leaves room or shows border.
  double zoom = 0;
  /// Largest move as a share of each side, beyond what `zoom` gives.
  double shift = 0;
  /// Largest change of brightness, contrast and saturation, as a share.
  double color = 0;
  /// Share of examples that are put together from four.
  double mosaic = 0;
  /// 8-bit value of what lies outside the picture.
  std::uint8_t fill = 114;
};

/// Random draws that are the same on every machine.
class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  /// In [low, high).
  double between(double low, double high) {
    return low + (high - low) * static_cast<double>(random_() >> 11) * 0x1p-53;
  }
  bool chance(double share) { return between(0, 1) < share; }
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(random_() % count); }

 private:
  std::mt19937_64 random_;
};

/// The example varied. Boxes go along, are clipped, and go when under a third of them is left.
Example augment(const Example& example, const Augmentation& options, Draw& draw);

/// Parts of four examples of one size around a point near the middle (Bochkovskiy et al. 2020,
/// section 3.3).
Example makeMosaic(std::span<const Example* const, 4> examples, std::uint8_t fill, Draw& draw);

}  // namespace narrows
