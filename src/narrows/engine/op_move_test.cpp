#include "narrows/engine/op_case.h"

namespace narrows::test {
namespace {

class MoveTest : public OpTest {};

TEST_P(MoveTest, ConcatAndSplitAreInverse) {
  const Tensor a = floats({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = floats({2, 2, 2}, {10, 20, 30, 40, 50, 60, 70, 80});
  const Tensor joined = floats({2, 3, 2}, {1, 2, 10, 20, 30, 40, 3, 4, 50, 60, 70, 80});
  expect(Concat{1}, {&a, &b}, joined);
  auto parts = evaluate(GetParam(), Split{1, {1, 2}}, {&joined}, false);
  ASSERT_TRUE(parts.ok()) << parts.error().message;
  ASSERT_EQ(parts->size(), 2u);
  expectTensor((*parts)[0], a);
  expectTensor((*parts)[1], b);
}

TEST_P(MoveTest, SliceStepsForwardsAndBackwards) {
  const Tensor x = counting({3, 4});
  expect(Slice{{0, 1}, {2, 2}, {2, 2}}, {&x}, floats({2, 2}, {2, 4, 10, 12}));
  expect(Slice{{2, 3}, {3, 2}, {-1, -3}}, {&x}, floats({3, 2}, {12, 9, 8, 5, 4, 1}));
  expect(Slice{{0, 0}, {0, 4}, {1, 1}}, {&x}, Tensor(DType::f32, Shape{0, 4}));
}

TEST_P(MoveTest, GatherCountsNegativeIndicesFromTheEnd) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor indices = integers({2, 2}, {0, -1, 1, 0});
  expect(Gather{1}, {&x, &indices}, floats({2, 2, 2}, {1, 3, 2, 1, 4, 6, 5, 4}));
  const Tensor one = Tensor::scalar<std::int32_t>(-2);
  expect(Gather{0}, {&x, &one}, floats({3}, {1, 2, 3}));
  const Tensor beyond = integers({2}, {0, 3});
  expectError(Gather{1}, {&x, &beyond}, "element 1 of the indices is 3, the axis has 3 elements");
  const Tensor before = integers({1}, {-4});
  expectError(Gather{1}, {&x, &before}, "element 0 of the indices is -4");
}

TEST_P(MoveTest, PadFillsReflectsRepeatsAndCrops) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expect(Pad{PadMode::constant, {1, 0}, {0, 1}, 9}, {&x},
         floats({3, 4}, {9, 9, 9, 9, 1, 2, 3, 9, 4, 5, 6, 9}));
  expect(Pad{PadMode::reflect, {1, 2}, {0, 1}, 0}, {&x},
         floats({3, 6}, {6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5}));
  expect(Pad{PadMode::edge, {0, 2}, {1, 1}, 0}, {&x},
         floats({3, 6}, {1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 6, 4, 4, 4, 5, 6, 6}));
  expect(Pad{PadMode::constant, {-1, 1}, {0, -1}, -7}, {&x}, floats({1, 3}, {-7, 4, 5}));
}

TEST_P(MoveTest, TransposeExpandAndTile) {
  const Tensor x = counting({2, 1, 3});
  expect(Transpose{{2, 0, 1}}, {&x}, floats({3, 2, 1}, {1, 4, 2, 5, 3, 6}));
  expect(Expand{{2, 2, 3}}, {&x}, floats({2, 2, 3}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  const Tensor row = floats({2}, {1, 2});
  expect(Expand{{2, 1, 2}}, {&row}, floats({2, 1, 2}, {1, 2, 1, 2}));
  expect(Tile{{1, 2, 1}}, {&x}, floats({2, 2, 3}, {1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}));
  expect(Tile{{2}}, {&row}, floats({4}, {1, 2, 1, 2}));
  expect(Reshape{{3, 2}}, {&x}, counting({3, 2}));
  expect(Identity{}, {&x}, x);
}

TEST_P(MoveTest, MovesEveryElementSize) {
  const Tensor bytes = Tensor::from<std::uint8_t>({2, 2}, {1, 2, 3, 4});
  expect(Transpose{{1, 0}}, {&bytes}, Tensor::from<std::uint8_t>({2, 2}, {1, 3, 2, 4}));
  const Tensor shorts = Tensor::from<std::int16_t>({2, 2}, {1, -2, 3, 4});
  expect(Transpose{{1, 0}}, {&shorts}, Tensor::from<std::int16_t>({2, 2}, {1, 3, -2, 4}));
  const Tensor longs = integers({2, 2}, {1, -2, 3, 1LL << 40});
  expect(Pad{PadMode::constant, {0, 0}, {0, 1}, -1}, {&longs},
         integers({2, 3}, {1, -2, -1, 3, 1LL << 40, -1}));
  const Tensor flags = booleans({2}, {true, false});
  expect(Pad{PadMode::constant, {0}, {1}, 1}, {&flags}, booleans({3}, {true, false, true}));
}

TEST_P(MoveTest, DepthAndSpaceInBothOrders) {
  const Tensor x = counting({1, 8, 1, 1});
  expect(DepthToSpace{2, BlockOrder::depth_column_row}, {&x},
         floats({1, 2, 2, 2}, {1, 3, 5, 7, 2, 4, 6, 8}));
  expect(DepthToSpace{2, BlockOrder::column_row_depth}, {&x}, counting({1, 2, 2, 2}));
  const Tensor map = counting({1, 2, 2, 2});
  expect(SpaceToDepth{2}, {&map}, floats({1, 8, 1, 1}, {1, 5, 2, 6, 3, 7, 4, 8}));
}

class ResizeTest : public OpTest {
 protected:
  /// Resamples a row.
  void expectRow(Resize op, std::initializer_list<float> x, double scale,
                 std::initializer_list<float> y) {
    const Tensor row = floats({1, static_cast<std::int64_t>(x.size())}, x);
    op.sizes = {1, static_cast<std::int64_t>(y.size())};
    op.scales = {1, scale};
    expect(op, {&row}, floats({1, static_cast<std::int64_t>(y.size())}, y));
  }
  static Resize nearest(ResizeCoordinates coordinates, ResizeRounding rounding) {
    Resize op;
    op.coordinates = coordinates;
    op.rounding = rounding;
    return op;
  }
  static Resize smooth(ResizeMode mode, ResizeCoordinates coordinates) {
    Resize op;
    op.mode = mode;
    op.coordinates = coordinates;
    return op;
  }
};

TEST_P(ResizeTest, NearestRoundsAsAsked) {
  using C = ResizeCoordinates;
  using R = ResizeRounding;
  expectRow(nearest(C::asymmetric, R::floor), {1, 2, 3}, 2, {1, 1, 2, 2, 3, 3});
  expectRow(nearest(C::asymmetric, R::ceil), {1, 2, 3}, 2, {1, 2, 2, 3, 3, 3});
  // Coordinates 0, 0.5, 1, 1.5, 2, 2.5.
  expectRow(nearest(C::asymmetric, R::round_prefer_floor), {1, 2, 3}, 2, {1, 1, 2, 2, 3, 3});
  expectRow(nearest(C::asymmetric, R::round_prefer_ceil), {1, 2, 3}, 2, {1, 2, 2, 3, 3, 3});
  // Coordinates 0.5 and 2.5.
  expectRow(nearest(C::half_pixel, R::round_prefer_floor), {1, 2, 3, 4}, 0.5, {1, 3});
  expectRow(nearest(C::half_pixel, R::round_prefer_ceil), {1, 2, 3, 4}, 0.5, {2, 4});
  expectRow(nearest(C::align_corners, R::floor), {1, 2, 3}, 5.0 / 3, {1, 1, 2, 2, 3});
  // A scale rounded to single precision still reaches the last element.
  expectRow(nearest(C::align_corners, R::floor), {1, 2, 3}, 5.0f / 3, {1, 1, 2, 2, 3});
  expectRow(nearest(C::asymmetric, R::floor), {1, 2, 3, 4, 5, 6}, 1.0f / 3, {1, 4});
}

TEST_P(ResizeTest, LinearMapsCoordinatesAsAsked) {
  using C = ResizeCoordinates;
  // Coordinates -0.25, 0.25, 0.75, 1.25.
  expectRow(smooth(ResizeMode::linear, C::half_pixel), {0, 4}, 2, {0, 1, 3, 4});
  expectRow(smooth(ResizeMode::linear, C::pytorch_half_pixel), {0, 4}, 0.5, {0});
  expectRow(smooth(ResizeMode::linear, C::half_pixel), {0, 4}, 0.5, {2});
  expectRow(smooth(ResizeMode::linear, C::asymmetric), {0, 4}, 2, {0, 2, 4, 4});
  expectRow(smooth(ResizeMode::linear, C::align_corners), {0, 3}, 2, {0, 1, 2, 3});
  // Scale 1.4 of 2 gives 2 of 2.8: the centre of the output stays at the centre of the input, so
  // its coordinates are 0.5 -+ 0.5 / 1.4.
  expectRow(smooth(ResizeMode::linear, C::half_pixel_symmetric), {0, 14}, 1.4, {2, 12});
}

TEST_P(ResizeTest, CubicFollowsKeys) {
  using C = ResizeCoordinates;
  // Half way between two samples the weights are a/8 = -0.09375 and 0.59375 twice, with a = -0.75.
  expectRow(smooth(ResizeMode::cubic, C::asymmetric), {0, 1, 0, 0}, 2,
            {0, 0.59375f, 1, 0.59375f, 0, -0.09375f, 0, 0});
  // The first sample stands in for what lies before it: 0.59375 + 0.59375 * 0 - 0.09375 * 1.
  expectRow(smooth(ResizeMode::cubic, C::asymmetric), {1, 0}, 2, {1, 0.5f, 0, -0.09375f});
  Resize without = smooth(ResizeMode::cubic, C::asymmetric);
  without.exclude_outside = true;
  expectRow(without, {1, 0}, 2, {1, 0.5f, 0, -0.1875f});
}

TEST_P(ResizeTest, ActsOnEachAxis) {
  const Tensor x = floats({1, 1, 2, 2}, {0, 4, 8, 12});
  Resize op = smooth(ResizeMode::linear, ResizeCoordinates::align_corners);
  op.sizes = {1, 1, 3, 3};
  op.scales = {1, 1, 1.5, 1.5};
  expect(op, {&x}, floats({1, 1, 3, 3}, {0, 2, 4, 4, 6, 8, 8, 10, 12}));
  Resize up;
  up.coordinates = ResizeCoordinates::asymmetric;
  up.rounding = ResizeRounding::floor;
  up.sizes = {1, 1, 4, 4};
  up.scales = {1, 1, 2, 2};
  expect(up, {&x}, floats({1, 1, 4, 4}, {0, 0, 4, 4, 0, 0, 4, 4, 8, 8, 12, 12, 8, 8, 12, 12}));
}

TEST_P(ResizeTest, TakesAScaleNearZero) {
  using C = ResizeCoordinates;
  expectRow(nearest(C::asymmetric, ResizeRounding::floor), {1, 2, 3}, 1e-300, {1, 3});
  expectRow(smooth(ResizeMode::cubic, C::asymmetric), {1, 2, 3}, 1e-300, {1, 3});
}

NARROWS_FOR_EVERY_ENGINE(MoveTest);
NARROWS_FOR_EVERY_ENGINE(ResizeTest);

}  // namespace
}  // namespace narrows::test
