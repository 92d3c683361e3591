#include <cstring>

#include "narrows/engine/executor/loop.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

template <class T>
void copyLoop(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride,
              std::int64_t count) {
  if (from_stride == 1 && to_stride == 1) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * sizeof(T));
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

template <class T>
class CopyStep final : public Step {
 public:
  CopyStep(const Operand& source, const Operand& target, const StepTools& tools)
      : source_(source), target_(target), loops_({target.layout, source.layout}), tools_(tools) {}

  Status run(const Memory& memory) override {
    const T* from = memory.read<T>(source_);
    T* to = memory.write<T>(target_);
    const auto strides = loops_.innerStrides();
    loops_.run(tools_.team, [&](const auto& offsets, std::int64_t count) {
      copyLoop(from + offsets[1], strides[1], to + offsets[0], strides[0], count);
    });
    return {};
  }

 private:
  Operand source_;
  Operand target_;
  LoopNest<2> loops_;
  StepTools tools_;
};

class FillStep final : public Step {
 public:
  FillStep(const Operand& target, float value, const StepTools& tools)
      : target_(target), value_(value), loops_({target.layout}), tools_(tools) {}

  Status run(const Memory& memory) override {
    float* to = memory.write<float>(target_);
    const std::int64_t stride = loops_.innerStrides()[0];
    loops_.run(tools_.team, [&](const auto& offsets, std::int64_t count) {
      for (std::int64_t i = 0; i < count; ++i) to[offsets[0] + i * stride] = value_;
    });
    return {};
  }

 private:
  Operand target_;
  float value_;
  LoopNest<1> loops_;
  StepTools tools_;
};

}  // namespace

std::unique_ptr<Step> makeCopy(const Operand& source, const Operand& target,
                               const StepTools& tools) {
  NARROWS_ASSERT(source.dtype == target.dtype && source.shape() == target.shape());
  switch (byteSize(source.dtype)) {
    case 1:
      return std::make_unique<CopyStep<std::uint8_t>>(source, target, tools);
    case 2:
      return std::make_unique<CopyStep<std::uint16_t>>(source, target, tools);
    case 4:
      return std::make_unique<CopyStep<std::uint32_t>>(source, target, tools);
    default:
      return std::make_unique<CopyStep<std::uint64_t>>(source, target, tools);
  }
}

std::unique_ptr<Step> makeFill(const Operand& target, float value, const StepTools& tools) {
  return std::make_unique<FillStep>(target, value, tools);
}

}  // namespace narrows::executor
