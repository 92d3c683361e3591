#include <limits>

#include "narrows/engine/op_case.h"

namespace narrows::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

class ElementwiseTest : public OpTest {
 protected:
  void expectUnary(UnaryKind kind, std::initializer_list<float> x, std::initializer_list<float> y) {
    SCOPED_TRACE(fmt::format("unary kind {}", static_cast<int>(kind)));
    const Shape shape{static_cast<std::int64_t>(x.size())};
    const Tensor input = floats(shape, x);
    expect(Unary{kind}, {&input}, floats(shape, y));
  }
  void expectBinary(BinaryKind kind, std::initializer_list<float> a, std::initializer_list<float> b,
                    std::initializer_list<float> y) {
    SCOPED_TRACE(fmt::format("binary kind {}", static_cast<int>(kind)));
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor left = floats(shape, a);
    const Tensor right = floats(shape, b);
    expect(Binary{kind}, {&left, &right}, floats(shape, y));
  }
  void expectIntegers(BinaryKind kind, std::initializer_list<std::int64_t> a,
                      std::initializer_list<std::int64_t> b,
                      std::initializer_list<std::int64_t> y) {
    SCOPED_TRACE(fmt::format("binary kind {}", static_cast<int>(kind)));
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor left = integers(shape, a);
    const Tensor right = integers(shape, b);
    expect(Binary{kind}, {&left, &right}, integers(shape, y));
  }
  void expectTest(BinaryKind kind, std::initializer_list<float> a, std::initializer_list<float> b,
                  std::initializer_list<bool> y) {
    SCOPED_TRACE(fmt::format("binary kind {}", static_cast<int>(kind)));
    const Shape shape{static_cast<std::int64_t>(a.size())};
    const Tensor left = floats(shape, a);
    const Tensor right = floats(shape, b);
    expect(Binary{kind}, {&left, &right}, booleans(shape, y));
  }
};

TEST_P(ElementwiseTest, FunctionsOfOneNumber) {
  expectUnary(UnaryKind::relu, {-1, 0, 2}, {0, 0, 2});
  expectUnary(UnaryKind::sigmoid, {0, std::log(3.f), -1000, 1000}, {0.5f, 0.75f, 0, 1});
  expectUnary(UnaryKind::tanh, {0, 0.5f * std::log(3.f), 100}, {0, 0.5f, 1});
  expectUnary(UnaryKind::exp, {0, 1, -kInfinity}, {1, 2.718281828f, 0});
  expectUnary(UnaryKind::log, {1, 2.718281828f, 0}, {0, 1, -kInfinity});
  expectUnary(UnaryKind::sqrt, {4, 2, -1}, {2, 1.414213562f, kNan});
  expectUnary(UnaryKind::abs, {-3, 3}, {3, 3});
  expectUnary(UnaryKind::neg, {-3, 3}, {3, -3});
  expectUnary(UnaryKind::erf, {0, 1, -1}, {0, 0.842700793f, -0.842700793f});
  expectUnary(UnaryKind::floor, {-1.5f, 1.5f}, {-2, 1});
  expectUnary(UnaryKind::ceil, {-1.5f, 1.5f}, {-1, 2});
  expectUnary(UnaryKind::round, {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, 1.2f}, {0, 2, 2, 0, -2, 1});
  expectUnary(UnaryKind::reciprocal, {4, -0.5f}, {0.25f, -2});
  expectUnary(UnaryKind::sign, {-2, 0, 7}, {-1, 0, 1});
  expectUnary(UnaryKind::softplus, {0, 100, -100}, {0.693147181f, 100, 0});
  expectUnary(UnaryKind::softsign, {1, -3}, {0.5f, -0.75f});
  // tanh(log(1 + e^x)) with e^x = 1 is ((1+1)^2 - 1) / ((1+1)^2 + 1) = 3/5; with e^x = 3: 15/17.
  expectUnary(UnaryKind::mish, {0, std::log(3.f), 50}, {0, std::log(3.f) * 15 / 17, 50});
  expectUnary(UnaryKind::silu, {0, std::log(3.f), 50}, {0, std::log(3.f) * 0.75f, 50});
  expectUnary(UnaryKind::hard_swish, {-3, 0, 1, 3, 6}, {0, 0, 2.f / 3, 3, 6});
  expectUnary(UnaryKind::gelu, {0, 1, -1}, {0, 0.841344746f, -0.158655254f});
  expectUnary(UnaryKind::gelu_tanh, {0, 1, -1}, {0, 0.841191991f, -0.158808009f});
}

TEST_P(ElementwiseTest, Trigonometry) {
  constexpr float kPi = 3.14159265f;
  expectUnary(UnaryKind::sin, {0, kPi / 6, -kPi / 2}, {0, 0.5f, -1});
  expectUnary(UnaryKind::cos, {0, kPi / 3, kPi}, {1, 0.5f, -1});
  expectUnary(UnaryKind::tan, {0, kPi / 4}, {0, 1});
  expectUnary(UnaryKind::asin, {0, 0.5f}, {0, kPi / 6});
  expectUnary(UnaryKind::acos, {1, 0.5f}, {0, kPi / 3});
  expectUnary(UnaryKind::atan, {0, 1}, {0, kPi / 4});
  expectUnary(UnaryKind::sinh, {std::log(2.f)}, {0.75f});
  expectUnary(UnaryKind::cosh, {std::log(2.f)}, {1.25f});
  expectUnary(UnaryKind::asinh, {0.75f}, {std::log(2.f)});
  expectUnary(UnaryKind::acosh, {1.25f}, {std::log(2.f)});
  expectUnary(UnaryKind::atanh, {0.6f}, {std::log(2.f)});
}

TEST_P(ElementwiseTest, TestsOfNumbers) {
  const Tensor x = floats({4}, {1, kNan, kInfinity, -kInfinity});
  expect(Unary{UnaryKind::is_nan}, {&x}, booleans({4}, {false, true, false, false}));
  expect(Unary{UnaryKind::is_inf}, {&x}, booleans({4}, {false, false, true, true}));
  const Tensor flags = booleans({2}, {true, false});
  expect(Unary{UnaryKind::logical_not}, {&flags}, booleans({2}, {false, true}));
}

TEST_P(ElementwiseTest, ActivationsWithParameters) {
  const Tensor x = floats({5}, {-4, -1, 0, 2, 8});
  expect(LeakyRelu{0.25}, {&x}, floats({5}, {-1, -0.25f, 0, 2, 8}));
  expect(Clip{-1, 6}, {&x}, floats({5}, {-1, -1, 0, 2, 6}));
  expect(Clip{3, 1}, {&x}, floats({5}, {1, 1, 1, 1, 1}));  // the upper limit wins
  expect(HardSigmoid{0.25, 0.5}, {&x}, floats({5}, {0, 0.25f, 0.5f, 1, 1}));
  const Tensor y = floats({3}, {-std::log(2.f), 0, 3});
  expect(Elu{2, 1}, {&y}, floats({3}, {-1, 0, 3}));
  expect(Elu{2, 3}, {&y}, floats({3}, {-3, 0, 9}));
  const Tensor map = floats({1, 2, 1, 2}, {-1, 2, -3, 4});
  const Tensor slope = floats({2, 1, 1}, {0.5f, 10});
  expect(PRelu{}, {&map, &slope}, floats({1, 2, 1, 2}, {-0.5f, 2, -30, 4}));
  const Tensor bytes = Tensor::from<std::int8_t>({3}, {-128, 5, 127});
  expect(Clip{-1e30, 6}, {&bytes}, Tensor::from<std::int8_t>({3}, {-128, 5, 6}));
}

TEST_P(ElementwiseTest, FunctionsOfTwoNumbers) {
  expectBinary(BinaryKind::add, {1, 2}, {3, -5}, {4, -3});
  expectBinary(BinaryKind::sub, {1, 2}, {3, -5}, {-2, 7});
  expectBinary(BinaryKind::mul, {1, 2}, {3, -5}, {3, -10});
  expectBinary(BinaryKind::div, {1, 2}, {4, 0}, {0.25f, kInfinity});
  expectBinary(BinaryKind::pow, {2, 9, -2}, {3, 0.5f, 3}, {8, 3, -8});
  expectBinary(BinaryKind::min, {1, -2, kNan}, {3, -5, 1}, {1, -5, kNan});
  expectBinary(BinaryKind::max, {1, -2, 1}, {3, -5, kNan}, {3, -2, kNan});
  expectBinary(BinaryKind::mod, {5, -5, 5, -5}, {3, 3, -3, -3}, {2, 1, -1, -2});
  expectBinary(BinaryKind::fmod, {5, -5, 5, -5}, {3, 3, -3, -3}, {2, -2, 2, -2});
}

TEST_P(ElementwiseTest, IntegersDivideTowardsZeroAndWrap) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  expectIntegers(BinaryKind::div, {7, -7, 7, -7, kLowest}, {2, 2, -2, -2, -1},
                 {3, -3, -3, 3, kLowest});
  expectIntegers(BinaryKind::mod, {7, -7, 7, -7, kLowest}, {3, 3, -3, -3, -1}, {1, 2, -2, -1, 0});
  expectIntegers(BinaryKind::fmod, {7, -7, 7, -7, kLowest}, {3, 3, -3, -3, -1}, {1, -1, 1, -1, 0});
  expectIntegers(BinaryKind::add, {kLowest}, {-1}, {std::numeric_limits<std::int64_t>::max()});
  expectIntegers(BinaryKind::pow, {3, -2, 2}, {4, 3, -1}, {81, -8, 0});
  const Tensor a = integers({2}, {1, 2});
  const Tensor b = integers({2}, {1, 0});
  expectError(Binary{BinaryKind::div}, {&a, &b}, "element 1 of the divisor is 0");
  expectError(Binary{BinaryKind::mod}, {&a, &b}, "element 1 of the divisor is 0");
}

TEST_P(ElementwiseTest, PowerKeepsTheTypeOfItsBase) {
  const Tensor base = floats({2}, {2, 3});
  const Tensor exponent = integers({2}, {-1, 2});
  expect(Binary{BinaryKind::pow}, {&base, &exponent}, floats({2}, {0.5f, 9}));
  const Tensor whole = integers({2}, {9, 2});
  const Tensor half = floats({}, {0.5f});
  expect(Binary{BinaryKind::pow}, {&whole, &half}, integers({2}, {3, 1}));
}

TEST_P(ElementwiseTest, ComparisonsAndLogic) {
  expectTest(BinaryKind::equal, {1, 2, kNan}, {1, 3, kNan}, {true, false, false});
  expectTest(BinaryKind::less, {1, 2, 3}, {2, 2, 2}, {true, false, false});
  expectTest(BinaryKind::less_equal, {1, 2, 3}, {2, 2, 2}, {true, true, false});
  expectTest(BinaryKind::greater, {1, 2, 3}, {2, 2, 2}, {false, false, true});
  expectTest(BinaryKind::greater_equal, {1, 2, 3}, {2, 2, 2}, {false, true, true});
  const Tensor a = booleans({4}, {false, false, true, true});
  const Tensor b = booleans({4}, {false, true, false, true});
  expect(Binary{BinaryKind::logical_and}, {&a, &b}, booleans({4}, {false, false, false, true}));
  expect(Binary{BinaryKind::logical_or}, {&a, &b}, booleans({4}, {false, true, true, true}));
  expect(Binary{BinaryKind::logical_xor}, {&a, &b}, booleans({4}, {false, true, true, false}));
  expect(Binary{BinaryKind::equal}, {&a, &b}, booleans({4}, {true, false, false, true}));
}

TEST_P(ElementwiseTest, BroadcastsAsNumPy) {
  const Tensor a = floats({2, 1, 2}, {1, 2, 3, 4});
  const Tensor b = floats({3, 1}, {10, 20, 30});
  expect(Binary{BinaryKind::add}, {&a, &b},
         floats({2, 3, 2}, {11, 12, 21, 22, 31, 32, 13, 14, 23, 24, 33, 34}));
  const Tensor scalar = floats({}, {100});
  expect(Binary{BinaryKind::sub}, {&scalar, &b}, floats({3, 1}, {90, 80, 70}));
  const Tensor nothing(DType::f32, Shape{0, 1});
  expect(Binary{BinaryKind::add}, {&nothing, &scalar}, Tensor(DType::f32, Shape{0, 1}));
  const Tensor condition = booleans({2, 1, 1}, {true, false});
  const Tensor x = floats({2}, {1, 2});
  expect(Where{}, {&condition, &x, &b},
         floats({2, 3, 2}, {1, 2, 1, 2, 1, 2, 10, 10, 20, 20, 30, 30}));
}

TEST_P(ElementwiseTest, CastsTruncateSaturateAndRound) {
  const Tensor x = floats({7}, {1.9f, -1.9f, 300, -300, kNan, 0, 1e20f});
  expect(Cast{DType::i8}, {&x}, Tensor::from<std::int8_t>({7}, {1, -1, 127, -128, 0, 0, 127}));
  expect(Cast{DType::u8}, {&x}, Tensor::from<std::uint8_t>({7}, {1, 0, 255, 0, 0, 0, 255}));
  expect(Cast{DType::i64}, {&x},
         integers({7}, {1, -1, 300, -300, 0, 0, std::numeric_limits<std::int64_t>::max()}));
  expect(Cast{DType::boolean}, {&x}, booleans({7}, {true, true, true, true, true, false, true}));
  const Tensor wide = integers({3}, {257, -1, 1 << 20});
  expect(Cast{DType::u8}, {&wide}, Tensor::from<std::uint8_t>({3}, {1, 255, 0}));
  const Tensor flags = booleans({2}, {true, false});
  expect(Cast{DType::f32}, {&flags}, floats({2}, {1, 0}));
}

TEST_P(ElementwiseTest, HalvesRoundToNearestEven) {
  // 1 + 2^-11 lies half way between two halves and goes to the even one, 1.
  const Tensor x = floats({6}, {1 + 0x1p-11f, 1 + 0x1.8p-10f, 65504, 65520, 0x1p-24f, -0x1p-26f});
  auto halves = evaluate(GetParam(), Cast{DType::f16}, {&x}, false);
  ASSERT_TRUE(halves.ok()) << halves.error().message;
  expect(Cast{DType::f32}, {&(*halves)[0]},
         floats({6}, {1, 1 + 0x1p-9f, 65504, kInfinity, 0x1p-24f, 0}), 0);
}

NARROWS_FOR_EVERY_ENGINE(ElementwiseTest);

}  // namespace
}  // namespace narrows::test
