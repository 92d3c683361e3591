#include <algorithm>
#include <cmath>

#include "narrows/engine/executor/loop.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

/// The layout of the first elements along `axis`.
Layout withoutAxis(const Layout& layout, std::size_t axis) {
  Slice first;
  for (std::size_t i = 0; i < layout.shape.rank(); ++i) {
    first.starts.push_back(0);
    first.lengths.push_back(i == axis ? 1 : layout.shape[i]);
    first.steps.push_back(1);
  }
  return sliced(layout, first);
}

class SoftmaxStep final : public Step {
 public:
  SoftmaxStep(const Softmax& op, const Operand& source, const Operand& target,
              const StepTools& tools)
      : log_(op.log),
        source_(source),
        target_(target),
        loops_({withoutAxis(target.layout, static_cast<std::size_t>(op.axis)),
                withoutAxis(source.layout, static_cast<std::size_t>(op.axis))}),
        count_(source.shape()[static_cast<std::size_t>(op.axis)]),
        x_step_(source.layout.strides[static_cast<std::size_t>(op.axis)]),
        y_step_(target.layout.strides[static_cast<std::size_t>(op.axis)]),
        tools_(tools) {}

  Status run(const Memory& memory) override {
    const float* x = memory.read<float>(source_);
    float* y = memory.write<float>(target_);
    const auto strides = loops_.innerStrides();
    loops_.run(tools_.team, [&](const auto& offsets, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i)
        one(x + offsets[1] + i * strides[1], y + offsets[0] + i * strides[0]);
    });
    return {};
  }

 private:
  void one(const float* x, float* y) const {
    float greatest = x[0];
    for (std::int64_t i = 1; i < count_; ++i) greatest = std::max(greatest, x[i * x_step_]);
    float sum = 0;
    for (std::int64_t i = 0; i < count_; ++i) {
      const float e = std::exp(x[i * x_step_] - greatest);
      sum += e;
      if (!log_) y[i * y_step_] = e;
    }
    if (log_) {
      // Subtracted one after the other: their sum would lose digits of the logarithm.
      const float log_sum = std::log(sum);
      for (std::int64_t i = 0; i < count_; ++i)
        y[i * y_step_] = x[i * x_step_] - greatest - log_sum;
    } else {
      const float scale = 1.0F / sum;
      for (std::int64_t i = 0; i < count_; ++i) y[i * y_step_] *= scale;
    }
  }

  bool log_;
  Operand source_;
  Operand target_;
  LoopNest<2> loops_;
  std::int64_t count_;
  std::int64_t x_step_;
  std::int64_t y_step_;
  StepTools tools_;
};

}  // namespace

std::unique_ptr<Step> makeSoftmax(const Softmax& op, const Operand& source, const Operand& target,
                                  const StepTools& tools) {
  return std::make_unique<SoftmaxStep>(op, source, target, tools);
}

}  // namespace narrows::executor
