#include "narrows/engine/executor/executor.h"

#include <algorithm>

#include "narrows/engine/arguments.h"
#include "narrows/engine/executor/buffer_plan.h"
#include "narrows/engine/executor/program_parts.h"
#include "narrows/engine/part_clock.h"
#include "narrows/graph/absent.h"
#include "narrows/graph/passes.h"

namespace narrows::executor {
namespace {

class ExecutorProgram final : public Program {
 public:
  ExecutorProgram(ProgramParts parts, std::unique_ptr<Team> team, WeightReader* reader)
      : team_(std::move(team)),
        reader_(reader),
        parts_(std::move(parts)),
        memory_(parts_.buffers.size()) {
    planMemory();
    countMemory();
    listStreamed();
  }

  std::span<const TensorType> inputTypes() const override { return parts_.input_types; }
  std::span<const TensorType> outputTypes() const override { return parts_.output_types; }
  ProgramMemory memory() const override { return sizes_; }

  Status run(std::span<const TensorView> inputs,
             std::span<const MutableTensorView> outputs) override {
    NARROWS_CHECK(checkArguments(*this, inputs, outputs));
    bind(inputs, outputs);
    for (const auto& step : parts_.steps) NARROWS_CHECK(step->run(memory_));
    return {};
  }

  std::span<const ProgramPart> parts() const override { return parts_.parts; }

  Status runTimed(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                  std::span<Seconds> times) override {
    NARROWS_ASSERT(times.size() == parts_.parts.size());
    NARROWS_CHECK(checkArguments(*this, inputs, outputs));
    bind(inputs, outputs);
    PartClock clock(times, team_->size());
    for (std::size_t i = 0; i < parts_.steps.size(); ++i) {
      NARROWS_CHECK(parts_.steps[i]->run(memory_));
      clock.stop(parts_.part_of_step[i]);
    }
    return {};
  }

 private:
  void bind(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) {
    if (reader_ != nullptr) reader_->expect(streamed_);
    for (std::size_t i = 0; i < parts_.buffers.size(); ++i) {
      const Buffer& buffer = parts_.buffers[i];
      if (buffer.kind == BufferKind::input)
        memory_.bindRead(BufferId(i), inputs[buffer.index].bytes().data());
      if (buffer.kind == BufferKind::output)
        memory_.bind(BufferId(i), outputs[buffer.index].bytes().data());
    }
  }

  void planMemory() {
    const ArenaPlan plan = planBuffers(parts_.buffers, parts_.overwrites);
    std::size_t scratch = 0;
    std::size_t passing = 0;
    for (const auto& step : parts_.steps) {
      scratch = std::max(scratch, step->scratchBytes());
      passing = std::max(passing, step->passingBytes());
    }
    arena_ = Tensor(DType::u8, Shape{static_cast<std::int64_t>(plan.total + parts_.overread)});
    scratch_ = Tensor(DType::u8, Shape{static_cast<std::int64_t>(scratch)});
    sizes_.arena = plan.total;
    sizes_.scratch = scratch + passing;
    memory_.bindScratch(scratch_.mutableView().bytes());
    for (std::size_t i = 0; i < parts_.buffers.size(); ++i) {
      const Buffer& buffer = parts_.buffers[i];
      if (buffer.kind == BufferKind::arena)
        memory_.bind(BufferId(i), arena_.mutableView().bytes().data() + plan.offsets[i]);
      if (buffer.kind == BufferKind::constant)
        memory_.bindRead(BufferId(i), buffer.constant->view().bytes().data());
    }
  }

  void listStreamed() {
    for (const auto& step : parts_.steps) step->listStreamed(streamed_);
    for (const ByteSpan block : streamed_)
      sizes_.streamed_block = std::max(sizes_.streamed_block, block.size());
  }

  void countMemory() {
    for (const auto& step : parts_.steps) {
      sizes_.weights += step->weightBytes();
      sizes_.shared_weights += step->sharedBytes();
    }
    for (const Buffer& buffer : parts_.buffers) {
      if (buffer.kind == BufferKind::constant && buffer.used) sizes_.weights += buffer.bytes;
    }
  }

  std::unique_ptr<Team> team_;
  WeightReader* reader_;
  ProgramParts parts_;
  std::vector<ByteSpan> streamed_;  // in the order of a run
  Memory memory_;
  ProgramMemory sizes_;
  Tensor arena_;
  Tensor scratch_;
};

class Executor final : public Engine {
 public:
  Executor(std::unique_ptr<Backend> backend, const KernelTable& kernels)
      : backend_(std::move(backend)), kernels_(kernels) {}

  std::string_view name() const override { return backend_->name(); }

  Result<std::unique_ptr<Program>> compile(const Graph& graph,
                                           const EngineOptions& options) const override {
    NARROWS_CHECK(requireElements(graph));
    if (options.bf16) {
      if (options.int8_ranges) return makeError("a program multiplies bf16 or integers, not both");
      NARROWS_CHECK(backend_->multipliesBfloat());
    }
    auto team = std::make_unique<Team>(options.threads);
    NARROWS_TRY(simple, simplify(graph));
    NARROWS_TRY(parts, lower(simple, backend_, store_, kernels_, *team, options));
    return std::unique_ptr<Program>(std::make_unique<ExecutorProgram>(
        std::move(parts), std::move(team), options.weight_reader));
  }

 private:
  std::shared_ptr<const Backend> backend_;
  const KernelTable& kernels_;
  mutable WeightStore store_;
};

}  // namespace

std::unique_ptr<Engine> makeExecutor(std::unique_ptr<Backend> backend, const KernelTable& kernels) {
  return std::make_unique<Executor>(std::move(backend), kernels);
}

}  // namespace narrows::executor
