#include "narrows/engine/executor/layout.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace narrows::executor {
namespace {

/// Places of all elements, in the order in which they are counted.
std::vector<std::int64_t> places(const Layout& layout) {
  std::vector<std::int64_t> found;
  const std::size_t rank = layout.shape.rank();
  std::vector<std::int64_t> index(rank, 0);
  for (std::int64_t n = 0; n < layout.shape.elements(); ++n) {
    std::int64_t place = layout.offset;
    for (std::size_t axis = 0; axis < rank; ++axis) place += index[axis] * layout.strides[axis];
    found.push_back(place);
    for (std::size_t axis = rank; axis-- > 0;) {
      if (++index[axis] < layout.shape[axis]) break;
      index[axis] = 0;
    }
  }
  return found;
}

TEST(Layout, KnowsWhatItsFormIs) {
  const Shape shape{2, 5, 3, 4};
  EXPECT_TRUE(isRowMajor(rowMajor(shape)));
  EXPECT_FALSE(isMap(rowMajor(shape)));
  EXPECT_TRUE(isDenseMap(channelsLast(shape, 5)));
  EXPECT_TRUE(isMap(channelsLast(shape, 9)));
  EXPECT_FALSE(isDenseMap(channelsLast(shape, 9)));
  EXPECT_EQ(pixelPitch(channelsLast(shape, 9)), 9);
  EXPECT_EQ(rowPitch(channelsLast(shape, 9)), 36);
  EXPECT_EQ(imagePitch(channelsLast(shape, 9)), 108);
  // With one pixel or one channel the two orders are the same.
  EXPECT_TRUE(isDenseMap(rowMajor(Shape{2, 5, 1, 1})));
  EXPECT_TRUE(isDenseMap(rowMajor(Shape{2, 1, 3, 4})));
}

TEST(Layout, SlicesAndTransposesPointAtTheSameElements) {
  const Layout map = channelsLast(Shape{1, 4, 3, 5}, 4);
  const auto all = places(map);
  const Slice odd{{0, 1, 0, 4}, {1, 2, 3, 5}, {1, 2, 1, -1}};
  const auto picked = places(sliced(map, odd));
  EXPECT_EQ(picked[0], all[1 * 15 + 4]);
  EXPECT_EQ(picked.back(), all[3 * 15 + 2 * 5]);
  const Layout turned = permuted(map, std::vector<std::int64_t>{0, 2, 3, 1});
  EXPECT_TRUE(isRowMajor(turned));
}

TEST(Layout, AReshapeKeepsTheOrderOfElementsOrAsksForACopy) {
  constexpr std::uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  const std::vector<Shape> shapes{Shape{24},         Shape{2, 12},      Shape{2, 3, 4},
                                  Shape{1, 4, 2, 3}, Shape{4, 1, 6},    Shape{2, 2, 2, 3, 1},
                                  Shape{6, 4},       Shape{3, 2, 1, 4}, Shape{1, 2, 2, 6}};
  int views = 0;
  for (int round = 0; round < 500; ++round) {
    const Shape& from = shapes[random() % shapes.size()];
    const Shape& to = shapes[random() % shapes.size()];
    std::vector<std::int64_t> order(from.rank());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    std::shuffle(order.begin(), order.end(), random);
    const Layout layout = permuted(rowMajor(from), order);
    const auto result = reshaped(layout, to);
    EXPECT_TRUE(result.has_value() || !isRowMajor(layout));
    if (!result) continue;
    ++views;
    EXPECT_EQ(places(*result), places(layout)) << "seed " << kSeed << ", round " << round;
  }
  EXPECT_GT(views, 150);
}

}  // namespace
}  // namespace narrows::executor
