#include <algorithm>
#include <cmath>

#include "narrows/engine/executor/loop.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

template <class Function>
class UnaryStep final : public Step {
 public:
  UnaryStep(Function function, const Operand& source, const Operand& target, std::size_t threads)
      : function_(function),
        source_(source),
        target_(target),
        loops_({target.layout, source.layout}),
        threads_(threads) {}

  Status run(const Memory& memory) override {
    const float* from = memory.read<float>(source_);
    float* to = memory.write<float>(target_);
    const auto [to_stride, from_stride] = loops_.innerStrides();
    const bool dense = to_stride == 1 && from_stride == 1;
    const std::int64_t x_step = from_stride;
    const std::int64_t y_step = to_stride;
    loops_.run(threads_, [&](const auto& offsets, std::int64_t count) {
      const float* x = from + offsets[1];
      float* y = to + offsets[0];
      if (dense) {
        for (std::int64_t i = 0; i < count; ++i) y[i] = function_(x[i]);
      } else {
        for (std::int64_t i = 0; i < count; ++i) y[i * y_step] = function_(x[i * x_step]);
      }
    });
    return {};
  }

 private:
  Function function_;
  Operand source_;
  Operand target_;
  LoopNest<2> loops_;
  std::size_t threads_;
};

template <class Function>
class BinaryStep final : public Step {
 public:
  BinaryStep(Function function, const Operand& a, const Operand& b, const Operand& target,
             std::size_t threads)
      : function_(function),
        a_(a),
        b_(b),
        target_(target),
        loops_({target.layout, a.layout, b.layout}),
        threads_(threads) {}

  Status run(const Memory& memory) override {
    const float* a = memory.read<float>(a_);
    const float* b = memory.read<float>(b_);
    float* to = memory.write<float>(target_);
    const auto strides = loops_.innerStrides();
    loops_.run(threads_, [&](const auto& offsets, std::int64_t count) {
      inner(a + offsets[1], strides[1], b + offsets[2], strides[2], to + offsets[0], strides[0],
            count);
    });
    return {};
  }

 private:
  void inner(const float* a, std::int64_t a_step, const float* b, std::int64_t b_step, float* y,
             std::int64_t y_step, std::int64_t count) const {
    if (y_step == 1 && a_step == 1 && b_step == 1) {
      for (std::int64_t i = 0; i < count; ++i) y[i] = function_(a[i], b[i]);
    } else if (y_step == 1 && a_step == 1 && b_step == 0) {
      for (std::int64_t i = 0; i < count; ++i) y[i] = function_(a[i], *b);
    } else {
      for (std::int64_t i = 0; i < count; ++i)
        y[i * y_step] = function_(a[i * a_step], b[i * b_step]);
    }
  }

  Function function_;
  Operand a_;
  Operand b_;
  Operand target_;
  LoopNest<3> loops_;
  std::size_t threads_;
};

/// Calls `use` with the function that an activation is.
template <class Use>
auto withFunction(const Activation& activation, const Use& use) {
  const float alpha = activation.alpha;
  const float beta = activation.beta;
  switch (activation.kind) {
    case ActivationKind::clip:
      return use([alpha, beta](float x) { return std::min(std::max(x, alpha), beta); });
    case ActivationKind::leaky:
      return use([alpha](float x) { return x < 0 ? alpha * x : x; });
    case ActivationKind::sigmoid:
      return use([](float x) { return 1.0F / (1.0F + std::exp(-x)); });
    case ActivationKind::silu:
      return use([](float x) { return x / (1.0F + std::exp(-x)); });
    case ActivationKind::hard_sigmoid:
      return use(
          [alpha, beta](float x) { return std::min(std::max(alpha * x + beta, 0.0F), 1.0F); });
    case ActivationKind::hard_swish:
      return use(
          [alpha, beta](float x) { return x * std::min(std::max(alpha * x + beta, 0.0F), 1.0F); });
    case ActivationKind::tanh:
      return use([](float x) { return std::tanh(x); });
    case ActivationKind::none:
      break;
  }
  return use([](float x) { return x; });
}

template <class Use>
auto withFunction(BinaryKind kind, const Use& use) {
  switch (kind) {
    case BinaryKind::sub:
      return use([](float a, float b) { return a - b; });
    case BinaryKind::mul:
      return use([](float a, float b) { return a * b; });
    case BinaryKind::div:
      return use([](float a, float b) { return a / b; });
    case BinaryKind::min:
      return use([](float a, float b) { return std::min(a, b); });
    case BinaryKind::max:
      return use([](float a, float b) { return std::max(a, b); });
    default:
      return use([](float a, float b) { return a + b; });
  }
}

}  // namespace

std::unique_ptr<Step> makeActivation(const Activation& activation, const Operand& source,
                                     const Operand& target, std::size_t threads) {
  return withFunction(activation, [&](auto function) -> std::unique_ptr<Step> {
    return std::make_unique<UnaryStep<decltype(function)>>(function, source, target, threads);
  });
}

bool hasBinary(BinaryKind kind) {
  return kind == BinaryKind::add || kind == BinaryKind::sub || kind == BinaryKind::mul ||
         kind == BinaryKind::div;
}

std::unique_ptr<Step> makeBinary(BinaryKind kind, const Activation& activation, const Operand& a,
                                 const Operand& b, const Operand& target, std::size_t threads) {
  const auto make = [&](auto function) -> std::unique_ptr<Step> {
    return std::make_unique<BinaryStep<decltype(function)>>(function, a, b, target, threads);
  };
  if (activation.kind == ActivationKind::clip && kind == BinaryKind::add) {
    const float low = activation.alpha;
    const float high = activation.beta;
    return make([low, high](float x, float y) { return std::min(std::max(x + y, low), high); });
  }
  NARROWS_ASSERT(activation.kind == ActivationKind::none);
  return withFunction(kind, make);
}

}  // namespace narrows::executor
