#include "narrows/engine/executor/conv_kernels.h"
#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

class QuantizeStep final : public Step {
 public:
  QuantizeStep(const Operand& source, const ScaledMap& map, const Operand& target,
               const StepTools& tools)
      : source_(source), target_(target), range_(byteRange(map)), tools_(tools) {}

  Status run(const Memory& memory) override {
    constexpr std::int64_t kSmall = 8192;  // below this a second thread costs more than it brings
    const Shape& shape = target_.shape();
    const float* x = memory.read<float>(source_);
    auto* y = reinterpret_cast<std::uint8_t*>(memory.mutableBase(target_.buffer));
    const std::size_t parts = shape.elements() < kSmall ? 1 : tools_.team.size();
    tools_.team.run(parts, [&](std::size_t part) {
      const Share rows = share(shape[0] * shape[2], part, parts);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        runRow(x + row / shape[2] * imagePitch(source_.layout) +
                   row % shape[2] * rowPitch(source_.layout),
               y + row * shape[3] * shape[1]);
      }
    });
    return {};
  }

 private:
  void runRow(const float* x, std::uint8_t* y) const {
    const Shape& shape = target_.shape();
    const std::int64_t pitch = pixelPitch(source_.layout);
    const bool dense = pitch == shape[1];
    const std::int64_t count = dense ? shape[1] * shape[3] : shape[1];
    for (std::int64_t pixel = 0; pixel < (dense ? 1 : shape[3]); ++pixel)
      tools_.kernels.quantize(x + pixel * pitch, range_, y + pixel * shape[1], count);
  }

  Operand source_;
  Operand target_;
  ByteRange range_;
  StepTools tools_;
};

}  // namespace

std::unique_ptr<Step> makeQuantize(const Operand& source, const ScaledMap& map,
                                   const Operand& target, const StepTools& tools) {
  return std::make_unique<QuantizeStep>(source, map, target, tools);
}

}  // namespace narrows::executor
