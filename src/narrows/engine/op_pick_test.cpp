#include "narrows/engine/op_case.h"

namespace narrows::test {
namespace {

class PickTest : public OpTest {};

TEST_P(PickTest, GatherElementsFollowsIndicesAlongItsAxis) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor columns = integers({2, 2}, {0, -1, 2, 1});
  expect(GatherElements{1}, {&x, &columns}, floats({2, 2}, {1, 3, 6, 5}));
  const Tensor rows = integers({1, 3}, {1, 0, -1});
  expect(GatherElements{0}, {&x, &rows}, floats({1, 3}, {4, 2, 6}));
  const Tensor beyond = integers({1, 1}, {3});
  expectError(GatherElements{1}, {&x, &beyond},
              "element 0 of the indices is 3, the axis has 3 elements");
}

TEST_P(PickTest, GatherNdTakesSlicesAndBatches) {
  const Tensor x = counting({2, 2, 2});
  const Tensor rows = integers({2, 2}, {0, 1, 1, 0});
  expect(GatherNd{0}, {&x, &rows}, floats({2, 2}, {3, 4, 5, 6}));
  const Tensor each = integers({2, 1}, {1, 0});
  expect(GatherNd{1}, {&x, &each}, floats({2, 2}, {3, 4, 5, 6}));
  const Tensor whole = integers({1, 3}, {-1, -1, -2});
  expect(GatherNd{0}, {&x, &whole}, floats({1}, {7}));
}

TEST_P(PickTest, ScatterPutsAndFolds) {
  const Tensor x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor indices = integers({2, 2}, {0, 2, 1, 1});
  const Tensor updates = floats({2, 2}, {10, 20, 30, 40});
  const Operands operands{&x, &indices, &updates};
  expect(ScatterElements{1, ScatterReduction::none}, operands,
         floats({2, 3}, {10, 2, 20, 4, 40, 6}));
  expect(ScatterElements{1, ScatterReduction::add}, operands,
         floats({2, 3}, {11, 2, 23, 4, 75, 6}));
  expect(ScatterElements{1, ScatterReduction::mul}, operands,
         floats({2, 3}, {10, 2, 60, 4, 6000, 6}));
  expect(ScatterElements{1, ScatterReduction::max}, operands,
         floats({2, 3}, {10, 2, 20, 4, 40, 6}));
  expect(ScatterElements{1, ScatterReduction::min}, operands, floats({2, 3}, {1, 2, 3, 4, 5, 6}));
  const Tensor row = integers({1, 1}, {-1});
  const Tensor slice = floats({1, 3}, {7, 8, 9});
  expect(ScatterNd{ScatterReduction::none}, {&x, &row, &slice}, floats({2, 3}, {1, 2, 3, 7, 8, 9}));
  expect(ScatterNd{ScatterReduction::add}, {&x, &row, &slice},
         floats({2, 3}, {1, 2, 3, 11, 13, 15}));
}

TEST_P(PickTest, TopKSortsAndPrefersTheFirstOfEqualOnes) {
  const Tensor x = floats({2, 4}, {3, 7, 7, 1, -1, 2, 0, 2});
  const auto check = [&](const TopK& op, const Tensor& source, const Tensor& values,
                         const Tensor& indices) {
    auto outputs = evaluate(GetParam(), op, {&source}, false);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    ASSERT_EQ(outputs->size(), 2u);
    expectTensor((*outputs)[0], values);
    expectTensor((*outputs)[1], indices);
  };
  check({1, 3, true}, x, floats({2, 3}, {7, 7, 3, 2, 2, 0}), integers({2, 3}, {1, 2, 0, 1, 3, 2}));
  check({1, 2, false}, x, floats({2, 2}, {1, 3, -1, 0}), integers({2, 2}, {3, 0, 0, 2}));
  check({0, 1, true}, x, floats({1, 4}, {3, 7, 7, 2}), integers({1, 4}, {0, 0, 0, 1}));
  check({1, 0, true}, x, Tensor(DType::f32, Shape{2, 0}), Tensor(DType::i64, Shape{2, 0}));
}

TEST_P(PickTest, SuppressionKeepsTheBestOfEachClassAndFillsUp) {
  // Boxes 0 and 1 overlap by 0.9 / 1.1, box 2 is apart.
  const Tensor boxes = floats({1, 3, 4}, {0, 0, 1, 1, 0, 0.1F, 1, 1.1F, 0, 5, 1, 6});
  const Tensor scores = floats({1, 2, 3}, {0.5F, 0.9F, 0.7F, 0.4F, 0.1F, 0.05F});
  expect(NonMaxSuppression{false, 2, 0.5, 0.2}, {&boxes, &scores},
         integers({4, 3}, {0, 0, 1, 0, 0, 2, 0, 1, 0, -1, -1, -1}));
  expect(NonMaxSuppression{false, 3, 0.9, 0.2}, {&boxes, &scores},
         integers({6, 3}, {0, 0, 1, 0, 0, 2, 0, 0, 0, 0, 1, 0, -1, -1, -1, -1, -1, -1}));
  const Tensor centres = floats({1, 3, 4}, {0.5F, 0.5F, 1, 1, 0.6F, 0.5F, 1, 1, 5.5F, 0.5F, 1, 1});
  expect(NonMaxSuppression{true, 2, 0.5, 0.2}, {&centres, &scores},
         integers({4, 3}, {0, 0, 1, 0, 0, 2, 0, 1, 0, -1, -1, -1}));
}

NARROWS_FOR_EVERY_ENGINE(PickTest);

}  // namespace
}  // namespace narrows::test
