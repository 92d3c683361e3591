#include "narrows/engine/executor/layout.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <vector>

namespace narrows::executor {

Layout rowMajor(const Shape& shape) {
  return {shape, shape.strides(), 0};
}

Layout channelsLast(const Shape& shape, std::int64_t pitch) {
  NARROWS_ASSERT(shape.rank() == 4 && pitch >= shape[1]);
  Layout layout{shape, {}, 0};
  layout.strides[1] = 1;
  layout.strides[3] = pitch;
  layout.strides[2] = pitch * shape[3];
  layout.strides[0] = pitch * shape[3] * shape[2];
  return layout;
}

Layout denseLike(const Shape& shape, const Layout& like) {
  NARROWS_ASSERT(shape.rank() == like.shape.rank());
  std::vector<std::size_t> order(shape.rank());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::abs(like.strides[a]) > std::abs(like.strides[b]);
  });
  Layout layout{shape, {}, 0};
  std::int64_t stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    layout.strides[order[i]] = stride;
    stride *= shape[order[i]];
  }
  return layout;
}

Layout permuted(const Layout& layout, std::span<const std::int64_t> permutation) {
  std::vector<std::int64_t> extents;
  Layout result;
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    const auto axis = static_cast<std::size_t>(permutation[i]);
    extents.push_back(layout.shape[axis]);
    result.strides[i] = layout.strides[axis];
  }
  result.shape = *Shape::create(extents);
  result.offset = layout.offset;
  return result;
}

Layout sliced(const Layout& layout, const Slice& slice) {
  Layout result{*Shape::create(slice.lengths), {}, layout.offset};
  if (result.shape.elements() == 0) return rowMajor(result.shape);
  for (std::size_t i = 0; i < slice.lengths.size(); ++i) {
    result.offset += slice.starts[i] * layout.strides[i];
    result.strides[i] = slice.steps[i] * layout.strides[i];
  }
  return result;
}

std::optional<Layout> reshaped(const Layout& layout, const Shape& shape) {
  Layout result{shape, shape.strides(), layout.offset};
  if (shape.elements() == 0) return result;
  // Axes of extent 1 carry no elements; the others are matched in groups of equal extent.
  std::vector<std::int64_t> extents;
  std::vector<std::int64_t> strides;
  for (std::size_t i = 0; i < layout.shape.rank(); ++i) {
    if (layout.shape[i] == 1) continue;
    extents.push_back(layout.shape[i]);
    strides.push_back(layout.strides[i]);
  }
  std::size_t from = 0;
  std::size_t to = 0;
  while (from < extents.size()) {
    std::size_t from_end = from + 1;
    std::size_t to_end = to;
    std::int64_t have = extents[from];
    std::int64_t want = 1;
    while (want != have || to_end == to) {
      if (want < have) {
        want *= shape[to_end++];
      } else if (have < want) {
        have *= extents[from_end++];
      } else {
        break;
      }
    }
    for (std::size_t i = from; i + 1 < from_end; ++i) {
      if (strides[i] != strides[i + 1] * extents[i + 1]) return std::nullopt;
    }
    std::int64_t stride = strides[from_end - 1];
    for (std::size_t i = to_end; i-- > to;) {
      result.strides[i] = stride;
      stride *= shape[i];
    }
    from = from_end;
    to = to_end;
  }
  return result;
}

Layout broadcastTo(const Layout& layout, const Shape& shape) {
  Layout result{shape, {}, layout.offset};
  const std::size_t lead = shape.rank() - layout.shape.rank();
  for (std::size_t i = 0; i < layout.shape.rank(); ++i) {
    NARROWS_ASSERT(layout.shape[i] == shape[lead + i] || layout.shape[i] == 1);
    if (layout.shape[i] == shape[lead + i]) result.strides[lead + i] = layout.strides[i];
  }
  return result;
}

namespace {

// Strides of axes with one element do not matter.
bool sameStrides(const Layout& layout, const Strides& strides) {
  for (std::size_t i = 0; i < layout.shape.rank(); ++i) {
    if (layout.shape[i] != 1 && layout.strides[i] != strides[i]) return false;
  }
  return true;
}

}  // namespace

bool isRowMajor(const Layout& layout) {
  return layout.shape.elements() == 0 || sameStrides(layout, layout.shape.strides());
}

bool isMap(const Layout& layout) {
  const Shape& shape = layout.shape;
  if (shape.rank() != 4) return false;
  if (shape[1] != 1 && layout.strides[1] != 1) return false;
  if (shape[3] != 1 && layout.strides[3] < shape[1]) return false;
  if (shape[2] != 1 && layout.strides[2] < shape[1]) return false;
  return shape[0] == 1 || layout.strides[0] >= shape[1];
}

bool isDenseMap(const Layout& layout) {
  return layout.shape.rank() == 4 &&
         sameStrides(layout, channelsLast(layout.shape, layout.shape[1]).strides);
}

bool isFlatMap(const Layout& layout) {
  const Shape& shape = layout.shape;
  return isMap(layout) && (shape[2] == 1 || rowPitch(layout) == shape[3] * pixelPitch(layout)) &&
         (shape[0] == 1 || imagePitch(layout) == shape[2] * rowPitch(layout));
}

std::int64_t pixelPitch(const Layout& map) {
  return map.shape[3] != 1 ? map.strides[3] : map.shape[1];
}

std::int64_t rowPitch(const Layout& map) {
  return map.shape[2] != 1 ? map.strides[2] : map.shape[3] * pixelPitch(map);
}

std::int64_t imagePitch(const Layout& map) {
  return map.shape[0] != 1 ? map.strides[0] : map.shape[2] * rowPitch(map);
}

}  // namespace narrows::executor
