#include <algorithm>

#include "narrows/engine/executor/loop.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

/// Gathers elements that are not adjacent, so that every element goes through the vector kernel.
class ActivationStep final : public Step {
 public:
  ActivationStep(const Activation& activation, const Operand& source, const Operand& target,
                 const StepTools& tools)
      : activation_(activation),
        source_(source),
        target_(target),
        loops_({target.layout, source.layout}),
        tools_(tools) {}

  Status run(const Memory& memory) override {
    const float* from = memory.read<float>(source_);
    float* to = memory.write<float>(target_);
    const auto strides = loops_.innerStrides();
    const bool dense = (strides[0] == 1 && strides[1] == 1) || loops_.innerCount() == 1;
    loops_.run(tools_.team, [&](const auto& offsets, std::int64_t count) {
      const float* x = from + offsets[1];
      float* y = to + offsets[0];
      if (dense) {
        tools_.kernels.activate(activation_, x, y, count);
      } else {
        applyStrided(x, strides[1], y, strides[0], count);
      }
    });
    return {};
  }

 private:
  void applyStrided(const float* x, std::int64_t x_step, float* y, std::int64_t y_step,
                    std::int64_t count) const {
    float block[kBlock];
    for (std::int64_t i = 0; i < count; i += kBlock) {
      const std::int64_t length = std::min(kBlock, count - i);
      for (std::int64_t k = 0; k < length; ++k) block[k] = x[(i + k) * x_step];
      tools_.kernels.activate(activation_, block, block, length);
      for (std::int64_t k = 0; k < length; ++k) y[(i + k) * y_step] = block[k];
    }
  }

  static constexpr std::int64_t kBlock = 256;

  Activation activation_;
  Operand source_;
  Operand target_;
  LoopNest<2> loops_;
  StepTools tools_;
};

float combine(Arithmetic kind, float a, float b) {
  switch (kind) {
    case Arithmetic::add:
      return a + b;
    case Arithmetic::sub:
      return a - b;
    case Arithmetic::mul:
      return a * b;
    case Arithmetic::div:
      return a / b;
    case Arithmetic::min:
      return std::min(a, b);
    case Arithmetic::max:
      return std::max(a, b);
  }
  return 0;
}

class BinaryStep final : public Step {
 public:
  BinaryStep(Arithmetic kind, const Activation& activation, const Operand& a, const Operand& b,
             const Operand& target, const StepTools& tools)
      : kind_(kind),
        activation_(activation),
        a_(a),
        b_(b),
        target_(target),
        loops_({target.layout, a.layout, b.layout}),
        tools_(tools) {}

  Status run(const Memory& memory) override {
    const float* a = memory.read<float>(a_);
    const float* b = memory.read<float>(b_);
    float* to = memory.write<float>(target_);
    const auto strides = loops_.innerStrides();
    const auto vector = [](std::int64_t stride) { return stride == 0 || stride == 1; };
    const bool dense = strides[0] == 1 && vector(strides[1]) && vector(strides[2]);
    loops_.run(tools_.team, [&](const auto& offsets, std::int64_t count) {
      const float* p = a + offsets[1];
      const float* q = b + offsets[2];
      float* y = to + offsets[0];
      if (dense) {
        tools_.kernels.arithmetic(kind_, {p, q, y, strides[1] == 1, strides[2] == 1, count},
                                  activation_);
        return;
      }
      for (std::int64_t i = 0; i < count; ++i)
        y[i * strides[0]] = combine(kind_, p[i * strides[1]], q[i * strides[2]]);
      if (activation_.kind == ActivationKind::none) return;
      for (std::int64_t i = 0; i < count; ++i) {
        float* at = y + i * strides[0];
        tools_.kernels.activate(activation_, at, at, 1);
      }
    });
    return {};
  }

 private:
  Arithmetic kind_;
  Activation activation_;
  Operand a_;
  Operand b_;
  Operand target_;
  LoopNest<3> loops_;
  StepTools tools_;
};

std::optional<Arithmetic> arithmeticOf(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::add:
      return Arithmetic::add;
    case BinaryKind::sub:
      return Arithmetic::sub;
    case BinaryKind::mul:
      return Arithmetic::mul;
    case BinaryKind::div:
      return Arithmetic::div;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::unique_ptr<Step> makeActivation(const Activation& activation, const Operand& source,
                                     const Operand& target, const StepTools& tools) {
  return std::make_unique<ActivationStep>(activation, source, target, tools);
}

bool hasBinary(BinaryKind kind) {
  return arithmeticOf(kind).has_value();
}

std::unique_ptr<Step> makeBinary(BinaryKind kind, const Activation& activation, const Operand& a,
                                 const Operand& b, const Operand& target, const StepTools& tools) {
  NARROWS_ASSERT(hasBinary(kind));
  return std::make_unique<BinaryStep>(*arithmeticOf(kind), activation, a, b, target, tools);
}

}  // namespace narrows::executor
