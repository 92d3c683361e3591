#include <limits>

#include "narrows/engine/op_case.h"

namespace narrows::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

class PoolTest : public OpTest {};

TEST_P(PoolTest, MaxTakesTheLargestOfEachWindow) {
  const Tensor x = floats({1, 2, 2, 4}, {1, 5, 2, 0, -1, 3, 8, 1, -5, -4, -3, -2, -9, -8, -7, -6});
  Window2d w{{2, 2}, {2, 2}, {1, 1}, {}};
  expect(MaxPool2d{w, false}, {&x}, floats({1, 2, 1, 2}, {5, 8, -4, -2}));
}

TEST_P(PoolTest, PaddingNeverWinsTheMax) {
  const Tensor x = floats({1, 1, 2, 2}, {-1, -2, -3, -4});
  Window2d w{{2, 2}, {1, 1}, {1, 1}, {0, 0, 1, 1}};  // Darknet's maxpool of stride 1
  expect(MaxPool2d{w, false}, {&x}, floats({1, 1, 2, 2}, {-1, -2, -3, -4}));
}

TEST_P(PoolTest, CeilAddsTheWindowThatStartsInside) {
  const Tensor x = counting({1, 1, 1, 6});
  Window2d w{{1, 3}, {1, 2}, {1, 1}, {}};
  expect(MaxPool2d{w, false}, {&x}, floats({1, 1, 1, 2}, {3, 5}));
  expect(MaxPool2d{w, true}, {&x}, floats({1, 1, 1, 3}, {3, 5, 6}));
  expect(AveragePool2d{w, true, false}, {&x}, floats({1, 1, 1, 3}, {2, 4, 5.5f}));
}

TEST_P(PoolTest, DilatedWindowsSkip) {
  const Tensor x = counting({1, 1, 1, 7});
  Window2d w{{1, 3}, {1, 1}, {1, 2}, {}};
  expect(MaxPool2d{w, false}, {&x}, floats({1, 1, 1, 3}, {5, 6, 7}));
  expect(AveragePool2d{w, false, false}, {&x}, floats({1, 1, 1, 3}, {3, 4, 5}));
}

TEST_P(PoolTest, AverageCountsThePaddingOnlyWhenAsked) {
  const Tensor x = floats({1, 1, 2, 2}, {4, 8, 12, 16});
  Window2d w{{2, 2}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  expect(AveragePool2d{w, false, false}, {&x}, floats({1, 1, 2, 2}, {4, 8, 12, 16}));
  expect(AveragePool2d{w, false, true}, {&x}, floats({1, 1, 2, 2}, {1, 2, 3, 4}));
  // A window that ceil mode lets run beyond the padding counts what lies in the padded map.
  Window2d wide{{1, 3}, {1, 2}, {1, 1}, {0, 1, 0, 1}};
  const Tensor row = floats({1, 1, 1, 4}, {3, 6, 9, 12});
  expect(AveragePool2d{wide, true, true}, {&row}, floats({1, 1, 1, 3}, {3, 9, 6}));
  expect(AveragePool2d{wide, true, false}, {&row}, floats({1, 1, 1, 3}, {4.5f, 9, 12}));
}

TEST_P(PoolTest, GlobalFoldsEachMap) {
  const Tensor x = floats({1, 2, 2, 2}, {1, 2, 3, 6, -1, -2, -3, -6});
  expect(GlobalPool{GlobalPoolKind::average}, {&x}, floats({1, 2, 1, 1}, {3, -3}));
  expect(GlobalPool{GlobalPoolKind::max}, {&x}, floats({1, 2, 1, 1}, {6, -1}));
}

TEST_P(PoolTest, BatchNormNormalisesEachChannel) {
  const Tensor x = floats({1, 2, 1, 2}, {1, 3, 10, 20});
  const Tensor scale = floats({2}, {2, 1});
  const Tensor bias = floats({2}, {0.5f, -1});
  const Tensor mean = floats({2}, {2, 10});
  const Tensor variance = floats({2}, {3.75f, 24.75f});
  expect(BatchNorm{0.25}, {&x, &scale, &bias, &mean, &variance},
         floats({1, 2, 1, 2}, {-0.5f, 1.5f, -1, 1}));
}

TEST_P(PoolTest, LocalResponseReachesOneChannelFurtherUpWhenEven) {
  const Tensor x = floats({1, 3, 1, 1}, {1, 2, 3});
  // bias + alpha / size * sum of squares, to the power 1: of {1,2}, {2,3}, {3}.
  expect(LocalResponseNorm{2, 2, 1, 1}, {&x}, floats({1, 3, 1, 1}, {1.f / 6, 2.f / 14, 3.f / 10}));
  // Of {1,2}, {1,2,3}, {2,3}, to the power 0.5.
  expect(LocalResponseNorm{3, 3, 0.5, 2}, {&x},
         floats({1, 3, 1, 1}, {1 / std::sqrt(7.f), 2 / std::sqrt(16.f), 3 / std::sqrt(15.f)}));
}

TEST_P(PoolTest, SoftmaxStaysFiniteAndSumsToOne) {
  const Tensor x = floats({2, 3}, {1000, 1000, 1000, 0, std::log(2.f), std::log(5.f)});
  expect(Softmax{1, false}, {&x},
         floats({2, 3}, {1.f / 3, 1.f / 3, 1.f / 3, 0.125f, 0.25f, 0.625f}));
  expect(Softmax{1, true}, {&x},
         floats({2, 3}, {std::log(1.f / 3), std::log(1.f / 3), std::log(1.f / 3), std::log(0.125f),
                         std::log(0.25f), std::log(0.625f)}));
  const Tensor map = floats({1, 2, 1, 2}, {0, 0, 0, std::log(3.f)});
  expect(Softmax{1, false}, {&map}, floats({1, 2, 1, 2}, {0.5f, 0.25f, 0.5f, 0.75f}));
}

TEST_P(PoolTest, ReduceFoldsTheAxesItNames) {
  const Tensor x = floats({2, 2, 2}, {1, 2, 3, 4, -5, 6, 7, 8});
  expect(Reduce{ReduceKind::sum, {1}, false}, {&x}, floats({2, 2}, {4, 6, 2, 14}));
  expect(Reduce{ReduceKind::mean, {0, 2}, true}, {&x}, floats({1, 2, 1}, {1, 5.5f}));
  expect(Reduce{ReduceKind::max, {0, 1, 2}, false}, {&x}, floats({}, {8}));
  expect(Reduce{ReduceKind::min, {2}, true}, {&x}, floats({2, 2, 1}, {1, 3, -5, 7}));
  expect(Reduce{ReduceKind::prod, {0}, false}, {&x}, floats({2, 2}, {-5, 12, 21, 32}));
  expect(Reduce{ReduceKind::l1, {1, 2}, false}, {&x}, floats({2}, {10, 26}));
  expect(Reduce{ReduceKind::sum_square, {1, 2}, false}, {&x}, floats({2}, {30, 174}));
  expect(Reduce{ReduceKind::l2, {1, 2}, false}, {&x},
         floats({2}, {std::sqrt(30.f), std::sqrt(174.f)}));
  expect(Reduce{ReduceKind::log_sum, {1, 2}, false}, {&x},
         floats({2}, {std::log(10.f), std::log(16.f)}));
  expect(Reduce{ReduceKind::sum, {}, true}, {&x}, x);
}

TEST_P(PoolTest, LogSumExpStaysFinite) {
  const Tensor x = floats({2, 2}, {1000, 1000, -kInfinity, -kInfinity});
  expect(Reduce{ReduceKind::log_sum_exp, {1}, false}, {&x},
         floats({2}, {1000 + std::log(2.f), -kInfinity}));
}

TEST_P(PoolTest, ReducesNothingToTheNeutralElement) {
  const Tensor x(DType::f32, Shape{2, 0});
  expect(Reduce{ReduceKind::sum, {1}, false}, {&x}, floats({2}, {0, 0}));
  expect(Reduce{ReduceKind::prod, {1}, false}, {&x}, floats({2}, {1, 1}));
  expect(Reduce{ReduceKind::max, {1}, false}, {&x}, floats({2}, {-kInfinity, -kInfinity}));
  expect(Reduce{ReduceKind::min, {1}, false}, {&x}, floats({2}, {kInfinity, kInfinity}));
  expect(Reduce{ReduceKind::log_sum_exp, {1}, false}, {&x}, floats({2}, {-kInfinity, -kInfinity}));
}

TEST_P(PoolTest, ReducesIntegersAndBooleans) {
  const Tensor x = integers({1, 3}, {5, -2, 4});
  expect(Reduce{ReduceKind::mean, {1}, false}, {&x}, integers({1}, {2}));
  expect(Reduce{ReduceKind::l1, {1}, false}, {&x}, integers({1}, {11}));
  const Tensor flags = booleans({2, 2}, {true, false, true, true});
  expect(Reduce{ReduceKind::max, {1}, false}, {&flags}, booleans({2}, {true, true}));
  expect(Reduce{ReduceKind::min, {1}, false}, {&flags}, booleans({2}, {false, true}));
}

TEST_P(PoolTest, ArgReduceTakesTheFirstOrTheLastOfEqualOnes) {
  const Tensor x = floats({2, 3}, {1, 7, 7, 2, 2, 9});
  expect(ArgReduce{true, 1, false, false}, {&x}, integers({2}, {1, 2}));
  expect(ArgReduce{true, 1, true, true}, {&x}, integers({2, 1}, {2, 2}));
  expect(ArgReduce{false, 1, false, true}, {&x}, integers({2}, {0, 1}));
  expect(ArgReduce{true, 0, false, false}, {&x}, integers({3}, {1, 0, 1}));
}

NARROWS_FOR_EVERY_ENGINE(PoolTest);

}  // namespace
}  // namespace narrows::test
