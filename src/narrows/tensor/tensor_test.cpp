#include "narrows/tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "narrows/tensor/region.h"

namespace narrows {
namespace {

TEST(Shape, RejectsWhatNoMachineHolds) {
  EXPECT_FALSE(Shape::create(std::vector<std::int64_t>{-1}).ok());
  EXPECT_FALSE(Shape::create(std::vector<std::int64_t>(7, 1)).ok());
  EXPECT_FALSE(Shape::create(std::vector<std::int64_t>{1LL << 40, 2}).ok());
  EXPECT_FALSE(Shape::create(std::vector<std::int64_t>{0, 1LL << 40, 1LL << 40}).ok());
  EXPECT_EQ(Shape::create(std::vector<std::int64_t>{0, 5})->elements(), 0);
  EXPECT_EQ((Shape{2, 3, 4}.elements()), 24);
  EXPECT_EQ(toString(Shape{1, 3, 8, 8}), "1x3x8x8");
}

TEST(Shape, BroadcastsAsNumPy) {
  EXPECT_EQ(*broadcast(Shape{2, 1, 4}, Shape{3, 1}), (Shape{2, 3, 4}));
  EXPECT_EQ(*broadcast(Shape{}, Shape{5}), (Shape{5}));
  EXPECT_FALSE(broadcast(Shape{2}, Shape{3}).ok());
}

TEST(Tensor, BorrowsWithoutCopyAndKeepsTheOwner) {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  std::weak_ptr<std::vector<float>> watch = owner;
  const auto* data = reinterpret_cast<const std::byte*>(owner->data());
  Tensor tensor = Tensor::borrow({DType::f32, Shape{4}}, data, std::move(owner));
  EXPECT_FALSE(tensor.writable());
  EXPECT_EQ(tensor.as<float>()[3], 4.0f);
  Tensor copy = tensor.clone();
  EXPECT_TRUE(copy.writable());
  tensor = Tensor();
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(copy.as<float>()[1], 2.0f);
}

TEST(Region, CopiesTheSameElementsAsAPlainLoop) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const std::size_t rank = random() % 5;
    std::vector<std::int64_t> source_extents, target_extents;
    std::vector<Region::Interval> from, to;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      const std::int64_t length = random() % 4;
      const std::int64_t a = random() % 3, b = random() % 3;
      from.push_back({a, a + length});
      to.push_back({b, b + length});
      source_extents.push_back(a + length + random() % 2);
      target_extents.push_back(b + length + random() % 2);
    }
    Tensor source(DType::i32, *Shape::create(source_extents));
    Tensor target(DType::i32, *Shape::create(target_extents));
    auto values = source.mutableAs<std::int32_t>();
    std::iota(values.begin(), values.end(), 1);
    const Region a = *Region::create(from), b = *Region::create(to);
    copyRegion(source, a, target.mutableView(), b);
    std::vector<std::int32_t> expected(target.as<std::int32_t>().size(), 0);
    const auto ss = source.shape().strides(), ts = target.shape().strides();
    const Shape box = a.shape();
    const auto bs = box.strides();
    for (std::int64_t i = 0; i < box.elements(); ++i) {
      std::int64_t s = 0, t = 0;
      for (std::size_t axis = 0; axis < rank; ++axis) {
        const std::int64_t at = i / bs[axis] % box[axis];
        s += (a[axis].begin + at) * ss[axis];
        t += (b[axis].begin + at) * ts[axis];
      }
      expected[static_cast<std::size_t>(t)] = values[static_cast<std::size_t>(s)];
    }
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), target.as<std::int32_t>().begin()));
  }
}

}  // namespace
}  // namespace narrows
