#pragma once

#include <cstdint>

#include "narrows/graph/ops.h"
#include "narrows/tensor/region.h"

/// Region arithmetic of sliding windows along one axis.
namespace narrows {

/// One axis of a convolution or pool.
struct WindowAxis {
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;
  std::int64_t input = 0;   // extent
  std::int64_t output = 0;  // extent

  static WindowAxis vertical(const Window2d& window, std::int64_t input, std::int64_t output);
  static WindowAxis horizontal(const Window2d& window, std::int64_t input, std::int64_t output);
};

/// The outputs that are made, the inputs they read, and the padding around those.
struct WindowNeed {
  Region::Interval produced;
  Region::Interval input;
  std::int64_t pad_begin = 0;
  std::int64_t pad_end = 0;
  std::int64_t output_padding = 0;  // of a transposed convolution
};

/// For outputs [begin, end), not empty. The inputs are the hull of those that a tap meets. Outputs
/// whose windows lie in the padding alone bring neighbours along that meet an input. With
/// `overhang` the last window may reach beyond the padding, which is then made longer; without, the
/// padding stays and the window needs ceil mode.
WindowNeed windowNeed(const WindowAxis& axis, Region::Interval outputs, bool overhang);

/// The same for a transposed convolution, whose padding crops.
WindowNeed transposedNeed(const WindowAxis& axis, Region::Interval outputs);

}  // namespace narrows
