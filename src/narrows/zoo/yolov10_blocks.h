#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "narrows/zoo/conv_block.h"

/// The blocks of YOLOv10 (Wang et al. 2024, section 3.2; the published code's names).
namespace narrows {

/// Convolution, normalisation, SiLU.
Result<ValueId> siluConv(LayerBuilder& layers, ValueId x, std::int64_t channels,
                         std::int64_t kernel, std::int64_t stride, const std::string& name);

/// Depthwise 3 x 3 convolution, normalisation, SiLU.
Result<ValueId> depthwise(LayerBuilder& layers, ValueId x, const std::string& name);

/// What stands in a C2f.
enum class InnerBlock : std::uint8_t {
  bottleneck,  // two 3 x 3 convolutions
  compact,     // compact inverted block with a 7 x 7 depthwise convolution in its middle
};

struct C2fShape {
  std::int64_t channels = 0;
  int blocks = 1;
  /// Whether the input of an inner block is added to its output.
  bool shortcut = false;
  InnerBlock inner = InnerBlock::bottleneck;
};

/// Half of the channels passes through the blocks, and every block's output joins the result.
Result<ValueId> c2f(LayerBuilder& layers, ValueId x, const C2fShape& shape,
                    const std::string& name);

/// Halves the extents: a pointwise convolution, then a depthwise one with stride 2.
Result<ValueId> scDown(LayerBuilder& layers, ValueId x, std::int64_t channels,
                       const std::string& name);

/// Spatial pyramid: three 5 x 5 maxima in a row, all joined.
Result<ValueId> sppf(LayerBuilder& layers, ValueId x, const std::string& name);

/// Partial self-attention: half of the channels passes attention and a feed-forward layer.
Result<ValueId> psa(LayerBuilder& layers, ValueId x, const std::string& name);

}  // namespace narrows
