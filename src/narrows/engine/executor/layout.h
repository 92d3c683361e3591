#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "narrows/graph/ops.h"
#include "narrows/tensor/shape.h"

namespace narrows::executor {

using Strides = std::array<std::int64_t, Shape::kMaxRank>;

/// Where the elements of a tensor of `shape` lie in a buffer: element (i0, i1, ...) is at
/// offset + i0 * strides[0] + i1 * strides[1] + ..., all in elements. Transposes, slices and most
/// reshapes only change this.
struct Layout {
  Shape shape;
  Strides strides{};
  std::int64_t offset = 0;
};

/// Dense, in the order of the axes.
Layout rowMajor(const Shape& shape);
/// A map (N,C,H,W) stored N,H,W,C with `pitch` elements from one pixel to the next.
Layout channelsLast(const Shape& shape, std::int64_t pitch);
/// Dense, with the axes ordered in memory as those of `like`, which has the same rank.
Layout denseLike(const Shape& shape, const Layout& like);

/// Axis i of the result is axis permutation[i].
Layout permuted(const Layout& layout, std::span<const std::int64_t> permutation);
Layout sliced(const Layout& layout, const Slice& slice);
/// The same elements under `shape`, if that needs no copy.
std::optional<Layout> reshaped(const Layout& layout, const Shape& shape);
/// `layout` repeated (stride 0) to `shape` by NumPy's broadcasting rule, which must permit it.
Layout broadcastTo(const Layout& layout, const Shape& shape);

bool isRowMajor(const Layout& layout);
/// Whether the channels of each pixel are adjacent and pixels do not overlap: what kernels for maps
/// read and write. Rows and images may be any distance apart.
bool isMap(const Layout& layout);
/// A map in which pixel i of all rows and images is at i * pixelPitch.
bool isFlatMap(const Layout& layout);
/// A map without gaps: N,H,W,C order.
bool isDenseMap(const Layout& layout);
/// Elements from one pixel to the next in a row of a map.
std::int64_t pixelPitch(const Layout& map);
/// Elements from one row to the next.
std::int64_t rowPitch(const Layout& map);
std::int64_t imagePitch(const Layout& map);

}  // namespace narrows::executor
