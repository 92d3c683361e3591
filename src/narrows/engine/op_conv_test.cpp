#include <random>

#include "narrows/engine/op_case.h"

namespace narrows::test {
namespace {

Window2d window(Extent2d kernel, Extent2d stride, Padding2d pads, Extent2d dilation = {1, 1}) {
  return {kernel, stride, dilation, pads};
}

class ConvTest : public OpTest {};

TEST_P(ConvTest, SumsTheTapsOfEachWindow) {
  // 1 2 3 / 4 5 6 / 7 8 9 under 1 0 / 0 -1: x[i][j] - x[i+1][j+1] = -4.
  const Tensor x = counting({1, 1, 3, 3});
  const Tensor w = floats({1, 1, 2, 2}, {1, 0, 0, -1});
  const Tensor bias = floats({1}, {10});
  expect(Conv2d{window({2, 2}, {1, 1}, {}), 1}, {&x, &w}, floats({1, 1, 2, 2}, {-4, -4, -4, -4}));
  expect(Conv2d{window({2, 2}, {1, 1}, {}), 1}, {&x, &w, &bias},
         floats({1, 1, 2, 2}, {6, 6, 6, 6}));
}

TEST_P(ConvTest, PadsEachSideByItsOwnAmount) {
  const Tensor x = counting({1, 1, 2, 2});
  const Tensor w = floats({1, 1, 2, 2}, {1, 10, 100, 1000});
  // Padded by a row above and two columns on the right: 0 0 0 0 / 1 2 0 0 / 3 4 0 0.
  expect(Conv2d{window({2, 2}, {1, 1}, {1, 0, 0, 2}), 1}, {&x, &w},
         floats({1, 1, 2, 3}, {2100, 200, 0, 4321, 402, 0}));
}

TEST_P(ConvTest, KeepsGroupsApart) {
  const Tensor x = counting({1, 2, 1, 2});  // maps 1 2 and 3 4
  const Tensor w = floats({4, 1, 1, 1}, {1, 2, 3, 4});
  expect(Conv2d{window({1, 1}, {1, 1}, {}), 2}, {&x, &w},
         floats({1, 4, 1, 2}, {1, 2, 2, 4, 9, 12, 12, 16}));
}

TEST_P(ConvTest, TransposedSpreadsEachElement) {
  const Tensor x = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const Tensor w = floats({1, 1, 2, 2}, {1, 10, 100, 1000});
  expect(ConvTranspose2d{window({2, 2}, {2, 2}, {}), 1, {0, 0}}, {&x, &w},
         floats({1, 1, 4, 4}, {1, 10, 2, 20, 100, 1000, 200, 2000,  //
                               3, 30, 4, 40, 300, 3000, 400, 4000}));
  // Overlapping windows add; the padding cuts the outer ring away.
  expect(ConvTranspose2d{window({2, 2}, {1, 1}, {1, 1, 0, 0}), 1, {0, 0}}, {&x, &w},
         floats({1, 1, 2, 2}, {1234, 2000 + 40, 3000 + 400, 4000}), 1e-6);
}

/// Shapes of one random convolution.
struct Case {
  Conv2d op;
  Shape x, weight;
};

Case randomCase(std::mt19937& random) {
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  Case c;
  c.op.groups = pick(1, 3);
  const std::int64_t in = c.op.groups * pick(1, 5);
  const std::int64_t out = c.op.groups * pick(1, 9);
  c.op.window = window({pick(1, 4), pick(1, 5)}, {pick(1, 3), pick(1, 3)},
                       {pick(0, 3), pick(0, 3), pick(0, 3), pick(0, 3)}, {pick(1, 2), pick(1, 2)});
  if (pick(0, 2) == 0) c.op.window = window({1, 1}, {1, 1}, {});
  c.x = Shape{pick(1, 2), in, pick(8, 24), pick(10, 40)};
  c.weight = Shape{out, in / c.op.groups, c.op.window.kernel.h, c.op.window.kernel.w};
  return c;
}

Tensor randomFloats(const Shape& shape, std::mt19937& random) {
  Tensor tensor(DType::f32, shape);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (float& element : tensor.mutableAs<float>()) element = uniform(random);
  return tensor;
}

/// x[n][c][y][x], or 0 in the padding.
double paddedAt(const Tensor& x, std::int64_t n, std::int64_t c, std::int64_t row,
                std::int64_t column) {
  const Shape& s = x.shape();
  if (row < 0 || row >= s[2] || column < 0 || column >= s[3]) return 0;
  return x.as<float>()[static_cast<std::size_t>(((n * s[1] + c) * s[2] + row) * s[3] + column)];
}

/// The definition, output by output, in double.
Tensor defined(const Conv2d& op, const Tensor& x, const Tensor& weight, const Tensor& bias,
               const Shape& result) {
  Tensor y(DType::f32, result);
  std::size_t next = 0;
  const std::int64_t per_group = weight.shape()[1];
  for (std::int64_t n = 0; n < result[0]; ++n) {
    for (std::int64_t o = 0; o < result[1]; ++o) {
      const std::int64_t first = o / (result[1] / op.groups) * per_group;
      for (std::int64_t i = 0; i < result[2] * result[3]; ++i) {
        double total = bias.as<float>()[static_cast<std::size_t>(o)];
        std::size_t tap = static_cast<std::size_t>(o * per_group) *
                          static_cast<std::size_t>(op.window.kernel.h * op.window.kernel.w);
        for (std::int64_t c = first; c < first + per_group; ++c) {
          for (std::int64_t kh = 0; kh < op.window.kernel.h; ++kh) {
            for (std::int64_t kw = 0; kw < op.window.kernel.w; ++kw) {
              const std::int64_t row = i / result[3] * op.window.stride.h +
                                       kh * op.window.dilation.h - op.window.pads.top;
              const std::int64_t column = i % result[3] * op.window.stride.w +
                                          kw * op.window.dilation.w - op.window.pads.left;
              total += paddedAt(x, n, c, row, column) * weight.as<float>()[tap++];
            }
          }
        }
        y.mutableAs<float>()[next++] = static_cast<float>(total);
      }
    }
  }
  return y;
}

TEST_P(ConvTest, EqualsItsDefinitionOnRandomGeometry) {
  constexpr std::uint32_t kSeed = 20240611;
  for (std::uint32_t i = 0; i < 40; ++i) {
    SCOPED_TRACE(fmt::format("seed {} case {}", kSeed, i));
    std::mt19937 random(kSeed + i);
    const Case c = randomCase(random);
    const Tensor x = randomFloats(c.x, random);
    const Tensor weight = randomFloats(c.weight, random);
    const Tensor bias = randomFloats(Shape{c.weight[0]}, random);
    auto outputs = evaluate(GetParam(), c.op, {&x, &weight, &bias}, true);
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    expectTensor((*outputs)[0], defined(c.op, x, weight, bias, (*outputs)[0].shape()), 2e-5);
    if (HasFailure()) return;
  }
}

/// A transposed convolution is the adjoint of the convolution of the same geometry:
/// <conv(x), y> = <x, conv_transpose(y)> for any x and y.
TEST_P(ConvTest, TransposedIsTheAdjoint) {
  constexpr std::uint32_t kSeed = 77;
  for (std::uint32_t i = 0; i < 30; ++i) {
    SCOPED_TRACE(fmt::format("seed {} case {}", kSeed, i));
    std::mt19937 random(kSeed + i);
    const Case c = randomCase(random);
    const Tensor x = randomFloats(c.x, random);
    const Tensor weight = randomFloats(c.weight, random);
    auto forward = evaluate(GetParam(), c.op, {&x, &weight}, true);
    ASSERT_TRUE(forward.ok()) << forward.error().message;
    const Tensor y = randomFloats((*forward)[0].shape(), random);
    ConvTranspose2d back{c.op.window, c.op.groups, {0, 0}};
    // What the forward stride left over at the end of each axis.
    const auto rest = [](std::int64_t extent, std::int64_t pads, std::int64_t reach,
                         std::int64_t stride) { return (extent + pads - reach) % stride; };
    const Window2d& w = c.op.window;
    back.output_padding.h =
        rest(c.x[2], w.pads.top + w.pads.bottom, w.dilation.h * (w.kernel.h - 1) + 1, w.stride.h);
    back.output_padding.w =
        rest(c.x[3], w.pads.left + w.pads.right, w.dilation.w * (w.kernel.w - 1) + 1, w.stride.w);
    auto backward = evaluate(GetParam(), back, {&y, &weight}, true);
    ASSERT_TRUE(backward.ok()) << backward.error().message;
    ASSERT_EQ((*backward)[0].shape(), c.x);
    const auto dot = [](const Tensor& a, const Tensor& b) {
      double total = 0;
      for (std::size_t k = 0; k < a.as<float>().size(); ++k) {
        total += static_cast<double>(a.as<float>()[k]) * static_cast<double>(b.as<float>()[k]);
      }
      return total;
    };
    const double scale = std::sqrt(dot(y, y) * dot((*forward)[0], (*forward)[0]));
    EXPECT_NEAR(dot((*forward)[0], y), dot(x, (*backward)[0]), 1e-5 * std::max(1.0, scale));
  }
}

TEST_P(ConvTest, GemmTransposesScalesAndAdds) {
  const Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor b = floats({3, 2}, {1, 0, 0, 1, 1, 1});
  const Tensor c = floats({2}, {10, 20});
  const Tensor product = floats({2, 2}, {4, 5, 10, 11});
  expect(Gemm{}, {&a, &b}, product);
  expect(Gemm{false, false, 2, 0.5}, {&a, &b, &c}, floats({2, 2}, {13, 20, 25, 32}));
  const Tensor a_t = floats({3, 2}, {1, 4, 2, 5, 3, 6});
  const Tensor b_t = floats({2, 3}, {1, 0, 1, 0, 1, 1});
  expect(Gemm{true, true, 1, 1}, {&a_t, &b_t}, product);
  const Tensor column = floats({2, 1}, {100, 200});
  expect(Gemm{false, true, 1, 1}, {&a, &b_t, &column}, floats({2, 2}, {104, 105, 210, 211}));
}

TEST_P(ConvTest, MatMulBroadcastsLeadingAxesAndTakesVectors) {
  const Tensor a = floats({2, 1, 1, 2}, {1, 2, 3, 4});
  const Tensor b = floats({2, 2, 1}, {1, 10, 100, 1000});
  expect(MatMul{}, {&a, &b}, floats({2, 2, 1, 1}, {21, 2100, 43, 4300}));
  const Tensor row = floats({2}, {1, -1});
  const Tensor matrix = floats({2, 3}, {1, 2, 3, 10, 20, 30});
  expect(MatMul{}, {&row, &matrix}, floats({3}, {-9, -18, -27}));
  const Tensor column = floats({3}, {1, 0, -1});
  expect(MatMul{}, {&matrix, &column}, floats({2}, {-2, -20}));
  expect(MatMul{}, {&row, &row}, floats({}, {2}));
  const Tensor large = integers({1, 1}, {3'000'000'000});
  expect(MatMul{}, {&large, &large}, integers({1, 1}, {9'000'000'000'000'000'000}));
}

NARROWS_FOR_EVERY_ENGINE(ConvTest);

}  // namespace
}  // namespace narrows::test
