#include <array>
#include <string>

#include "narrows/formats/darknet_network.h"

namespace narrows {
namespace {

/// Adds nodes named "PREFIX/KIND" to a graph.
class ActivationBuilder {
 public:
  ActivationBuilder(Graph& graph, ValueId x, std::string_view prefix)
      : graph_(graph), x_(x), prefix_(prefix) {}

  Result<ValueId> op(Op op, std::vector<ValueId> inputs) {
    const std::string name = fmt::format("{}/{}", prefix_, opName(op));
    return graph_.add(std::move(op), std::move(inputs), name, name);
  }
  Result<ValueId> unary(UnaryKind kind, ValueId a) { return op(Unary{kind}, {a}); }
  Result<ValueId> binary(BinaryKind kind, ValueId a, ValueId b) { return op(Binary{kind}, {a, b}); }
  Result<ValueId> binary(BinaryKind kind, ValueId a, double b) {
    const ValueId scalar =
        graph_.addConstant(fmt::format("{}/{}", prefix_, b), Tensor::scalar(static_cast<float>(b)));
    return binary(kind, a, scalar);
  }

  // 2 / (1 + exp(-x)) - 1
  Result<ValueId> loggy() {
    NARROWS_TRY(sigmoid, unary(UnaryKind::sigmoid, x_));
    NARROWS_TRY(twice, binary(BinaryKind::mul, sigmoid, 2));
    return binary(BinaryKind::sub, twice, 1);
  }

  // x * (x > 0) + 0.1 * x
  Result<ValueId> ramp() {
    NARROWS_TRY(positive, unary(UnaryKind::relu, x_));
    NARROWS_TRY(tenth, binary(BinaryKind::mul, x_, 0.1));
    return binary(BinaryKind::add, positive, tenth);
  }

  // 0.01 (x + 4) below -4, 0.01 (x - 4) + 1 above 4, 0.125 x + 0.5 between: a clipped line, and a
  // hundredth of what lies outside.
  Result<ValueId> plse() {
    NARROWS_TRY(eighth, binary(BinaryKind::mul, x_, 0.125));
    NARROWS_TRY(line, binary(BinaryKind::add, eighth, 0.5));
    NARROWS_TRY(inner, op(Clip{0, 1}, {line}));
    return withTails(inner, -4, 4, 0.01);
  }

  // 0.001 x below 0, 0.001 (x - 1) + 1 above 1, x between.
  Result<ValueId> lhtan() {
    NARROWS_TRY(inner, op(Clip{0, 1}, {x_}));
    return withTails(inner, 0, 1, 0.001);
  }

  // n = floor(x): floor(x / 2) for even n, (x - n) + floor(x / 2) for odd n.
  Result<ValueId> stair() {
    NARROWS_TRY(whole, unary(UnaryKind::floor, x_));
    NARROWS_TRY(half, binary(BinaryKind::mul, x_, 0.5));
    NARROWS_TRY(step, unary(UnaryKind::floor, half));
    NARROWS_TRY(even, binary(BinaryKind::mul, step, 2));
    NARROWS_TRY(odd, binary(BinaryKind::sub, whole, even));
    NARROWS_TRY(fraction, binary(BinaryKind::sub, x_, whole));
    NARROWS_TRY(slope, binary(BinaryKind::mul, odd, fraction));
    return binary(BinaryKind::add, step, slope);
  }

  // x above 0, x^2 / 2 + x down to -2, 0 below: x / 2 * min(2, max(0, x + 2)).
  Result<ValueId> hardMish() {
    NARROWS_TRY(raised, binary(BinaryKind::add, x_, 2));
    NARROWS_TRY(gate, op(Clip{0, 2}, {raised}));
    NARROWS_TRY(half, binary(BinaryKind::mul, x_, 0.5));
    return binary(BinaryKind::mul, half, gate);
  }

  // 0.5 x (1 + tanh(0.797885 x + 0.035677 x^3)), with Darknet's rounded constants.
  Result<ValueId> gelu() {
    NARROWS_TRY(square, binary(BinaryKind::mul, x_, x_));
    NARROWS_TRY(cubic, binary(BinaryKind::mul, square, 0.035677));
    NARROWS_TRY(factor, binary(BinaryKind::add, cubic, 0.797885));
    NARROWS_TRY(inner, binary(BinaryKind::mul, factor, x_));
    NARROWS_TRY(tanh, unary(UnaryKind::tanh, inner));
    NARROWS_TRY(gate, binary(BinaryKind::add, tanh, 1));
    NARROWS_TRY(half, binary(BinaryKind::mul, x_, 0.5));
    return binary(BinaryKind::mul, half, gate);
  }

 private:
  /// inner + slope * (x - clip(x, low, high))
  Result<ValueId> withTails(ValueId inner, double low, double high, double slope) {
    NARROWS_TRY(clipped, op(Clip{low, high}, {x_}));
    NARROWS_TRY(outside, binary(BinaryKind::sub, x_, clipped));
    NARROWS_TRY(tail, binary(BinaryKind::mul, outside, slope));
    return binary(BinaryKind::add, inner, tail);
  }

  Graph& graph_;
  ValueId x_;
  std::string prefix_;
};

}  // namespace

Result<ValueId> addDarknetActivation(Graph& graph, ValueId x, std::string_view name,
                                     std::string_view prefix) {
  ActivationBuilder build(graph, x, prefix);
  if (name == "linear") return x;
  if (name == "leaky") return build.op(LeakyRelu{0.1}, {x});
  if (name == "relu") return build.unary(UnaryKind::relu, x);
  if (name == "relu6") return build.op(Clip{0, 6}, {x});
  if (name == "logistic") return build.unary(UnaryKind::sigmoid, x);
  if (name == "mish") return build.unary(UnaryKind::mish, x);
  if (name == "swish") return build.unary(UnaryKind::silu, x);
  if (name == "tanh") return build.unary(UnaryKind::tanh, x);
  if (name == "elu") return build.op(Elu{1, 1}, {x});
  if (name == "selu") return build.op(Elu{1.6732, 1.0507}, {x});
  if (name == "relie") return build.op(LeakyRelu{0.01}, {x});
  if (name == "hardtan") return build.op(Clip{-1, 1}, {x});
  if (name == "hard_mish") return build.hardMish();
  if (name == "gelu") return build.gelu();
  if (name == "loggy") return build.loggy();
  if (name == "ramp") return build.ramp();
  if (name == "plse") return build.plse();
  if (name == "lhtan") return build.lhtan();
  if (name == "stair") return build.stair();
  return makeError("unknown activation");
}

}  // namespace narrows
