#include <algorithm>
#include <array>

#include "narrows/engine/executor/steps.h"
#include "narrows/engine/reference/kernel.h"

namespace narrows::executor {
namespace {

class ConvStep final : public Step {
 public:
  ConvStep(std::unique_ptr<ConvKernel> kernel, const Operand& input, const Operand* residual,
           const Operand& output, const StepTools& tools)
      : kernel_(std::move(kernel)), input_(input), output_(output), tools_(tools) {
    if (residual != nullptr) residual_ = *residual;
  }

  Status run(const Memory& memory) override {
    const float* residual = residual_ ? memory.read<float>(*residual_) : nullptr;
    return kernel_->run(memory.read<float>(input_), residual, memory.write<float>(output_),
                        memory.scratch(), tools_.team);
  }
  std::size_t weightBytes() const override { return kernel_->weightBytes(); }
  std::size_t sharedBytes() const override { return kernel_->sharedBytes(); }
  std::size_t scratchBytes() const override { return kernel_->scratchBytes(); }

 private:
  std::unique_ptr<ConvKernel> kernel_;
  Operand input_;
  std::optional<Operand> residual_;
  Operand output_;
  StepTools tools_;
};

template <class Byte>
Byte* address(Byte* base, const Operand& operand) {
  return base + operand.layout.offset * static_cast<std::int64_t>(byteSize(operand.dtype));
}

class ByteStep final : public Step {
 public:
  ByteStep(std::unique_ptr<ByteKernel> kernel, const Operand& input, const Operand* residual,
           const Operand& output, const StepTools& tools)
      : kernel_(std::move(kernel)), input_(input), output_(output), tools_(tools) {
    if (residual != nullptr) residual_ = *residual;
  }

  Status run(const Memory& memory) override {
    const std::byte* residual =
        residual_ ? address(memory.base(residual_->buffer), *residual_) : nullptr;
    return kernel_->run(address(memory.base(input_.buffer), input_), residual,
                        address(memory.mutableBase(output_.buffer), output_), memory.scratch(),
                        tools_.team);
  }
  std::size_t weightBytes() const override { return kernel_->weightBytes(); }
  std::size_t sharedBytes() const override { return kernel_->sharedBytes(); }
  std::size_t scratchBytes() const override { return kernel_->scratchBytes(); }

 private:
  std::unique_ptr<ByteKernel> kernel_;
  Operand input_;
  std::optional<Operand> residual_;
  Operand output_;
  StepTools tools_;
};

class ReferenceStep final : public Step {
 public:
  static StepResult create(const Op& op, std::span<const Operand* const> inputs,
                           std::span<const Operand> outputs) {
    auto step = std::make_unique<ReferenceStep>();
    std::vector<TensorType> input_types;
    for (const Operand* input : inputs) {
      step->inputs_.push_back(input != nullptr ? std::optional(*input) : std::nullopt);
      input_types.push_back(input != nullptr ? TensorType{input->dtype, input->shape()}
                                             : TensorType{});
    }
    std::vector<TensorType> output_types;
    for (const Operand& output : outputs) {
      step->outputs_.push_back(output);
      output_types.push_back({output.dtype, output.shape()});
    }
    step->input_views_.resize(inputs.size());
    step->output_views_.resize(outputs.size());
    NARROWS_TRY(kernel, reference::prepareKernel(op, {input_types, output_types}));
    step->kernel_ = std::move(kernel);
    return std::unique_ptr<Step>(std::move(step));
  }

  Status run(const Memory& memory) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (!inputs_[i]) continue;
      const Operand& input = *inputs_[i];
      input_views_[i] = {{input.dtype, input.shape()}, address(memory.base(input.buffer), input)};
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      const Operand& output = outputs_[i];
      output_views_[i] = {{output.dtype, output.shape()},
                          address(memory.mutableBase(output.buffer), output)};
    }
    return kernel_({input_views_, output_views_});
  }

 private:
  reference::Kernel kernel_;
  std::vector<std::optional<Operand>> inputs_;
  std::vector<Operand> outputs_;
  std::vector<TensorView> input_views_;
  std::vector<MutableTensorView> output_views_;
};

class PickPixelsStep final : public Step {
 public:
  PickPixelsStep(std::vector<std::int64_t> rows, std::vector<std::int64_t> columns,
                 const Operand& source, const Operand& target, const StepTools& tools)
      : rows_(std::move(rows)),
        columns_(std::move(columns)),
        source_(source),
        target_(target),
        tools_(tools) {}

  Status run(const Memory& memory) override {
    const float* x = memory.read<float>(source_);
    float* y = memory.write<float>(target_);
    const Shape& out = target_.shape();
    const std::size_t parts = out.elements() < 8192 ? 1 : tools_.team.size();
    tools_.team.run(parts, [&](std::size_t part) {
      const Share range = share(out[0] * out[2], part, parts);
      for (std::int64_t i = range.begin; i < range.end; ++i)
        pickRow(
            x + i / out[2] * imagePitch(source_.layout) +
                rows_[static_cast<std::size_t>(i % out[2])] * rowPitch(source_.layout),
            y + i / out[2] * imagePitch(target_.layout) + i % out[2] * rowPitch(target_.layout));
    });
    return {};
  }

 private:
  void pickRow(const float* x, float* y) const {
    const std::int64_t channels = target_.shape()[1];
    for (std::int64_t column : columns_) {
      const float* pixel = x + column * pixelPitch(source_.layout);
      std::copy(pixel, pixel + channels, y);
      y += pixelPitch(target_.layout);
    }
  }

  std::vector<std::int64_t> rows_;
  std::vector<std::int64_t> columns_;
  Operand source_;
  Operand target_;
  StepTools tools_;
};

}  // namespace

std::unique_ptr<Step> makeConvStep(std::unique_ptr<ConvKernel> kernel, const Operand& input,
                                   const Operand* residual, const Operand& output,
                                   const StepTools& tools) {
  return std::make_unique<ConvStep>(std::move(kernel), input, residual, output, tools);
}

std::unique_ptr<Step> makeByteStep(std::unique_ptr<ByteKernel> kernel, const Operand& input,
                                   const Operand* residual, const Operand& output,
                                   const StepTools& tools) {
  return std::make_unique<ByteStep>(std::move(kernel), input, residual, output, tools);
}

StepResult makeReferenceStep(const Op& op, std::span<const Operand* const> inputs,
                             std::span<const Operand> outputs) {
  return ReferenceStep::create(op, inputs, outputs);
}

std::unique_ptr<Step> makePickPixels(std::vector<std::int64_t> rows,
                                     std::vector<std::int64_t> columns, const Operand& source,
                                     const Operand& target, const StepTools& tools) {
  return std::make_unique<PickPixelsStep>(std::move(rows), std::move(columns), source, target,
                                          tools);
}

}  // namespace narrows::executor
