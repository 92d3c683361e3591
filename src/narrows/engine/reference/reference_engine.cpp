#include "narrows/engine/reference/reference_engine.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <unordered_set>

#include "narrows/engine/arguments.h"
#include "narrows/engine/part_clock.h"
#include "narrows/engine/reference/kernel.h"
#include "narrows/graph/absent.h"
#include "narrows/graph/liveness.h"

namespace narrows {
namespace {

using reference::Kernel;
using reference::KernelTensors;
using reference::KernelTypes;

/// One node: its kernel and the values it reads and writes. The views are filled before each run.
struct Step {
  std::string place;
  Kernel kernel;
  std::vector<ValueId> reads, writes;
  std::vector<TensorView> inputs;
  std::vector<MutableTensorView> outputs;
};

struct Free {
  void operator()(std::byte* p) const { std::free(p); }
};
using Arena = std::unique_ptr<std::byte[], Free>;

/// Where a value lies during a run. Only values that nodes compute are written.
struct Place {
  const std::byte* read = nullptr;
  std::byte* write = nullptr;
};

class ReferenceProgram final : public Program {
 public:
  static Result<std::unique_ptr<Program>> create(const Graph& graph);

  std::span<const TensorType> inputTypes() const override { return input_types_; }
  std::span<const TensorType> outputTypes() const override { return output_types_; }
  Status run(std::span<const TensorView> inputs,
             std::span<const MutableTensorView> outputs) override {
    return run(inputs, outputs, nullptr);
  }
  std::span<const ProgramPart> parts() const override { return parts_; }
  Status runTimed(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                  std::span<Seconds> times) override {
    NARROWS_ASSERT(times.size() == parts_.size());
    PartClock clock(times, 1);
    return run(inputs, outputs, &clock);
  }
  ProgramMemory memory() const override { return memory_; }

 private:
  ReferenceProgram() = default;
  Status addSteps(const Graph& graph);
  void addConstants(const Graph& graph);
  Status placeIntermediates(const Graph& graph);
  Status run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
             PartClock* clock);
  void bind(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);

  std::vector<TensorType> types_;  // by value, as places_
  std::vector<Place> places_;
  std::vector<Step> steps_;
  std::vector<ProgramPart> parts_;  // one for each step
  std::vector<ValueId> inputs_, outputs_;
  std::vector<bool> computed_;  // by value: some node writes it
  std::vector<TensorType> input_types_, output_types_;
  std::vector<std::shared_ptr<const Tensor>> constants_;
  Arena arena_;
  ProgramMemory memory_;
};

Result<std::unique_ptr<Program>> ReferenceProgram::create(const Graph& graph) {
  std::unique_ptr<ReferenceProgram> program(new ReferenceProgram());
  program->inputs_.assign(graph.inputs().begin(), graph.inputs().end());
  program->outputs_.assign(graph.outputs().begin(), graph.outputs().end());
  for (const Value& value : graph.values()) {
    program->types_.push_back(value.type);
    program->computed_.push_back(value.producer.valid());
  }
  for (ValueId id : graph.inputs()) program->input_types_.push_back(graph.type(id));
  for (ValueId id : graph.outputs()) program->output_types_.push_back(graph.type(id));
  program->places_.resize(graph.valueCount());
  NARROWS_CHECK(program->addSteps(graph));
  program->addConstants(graph);
  NARROWS_CHECK(program->placeIntermediates(graph));
  return std::unique_ptr<Program>(std::move(program));
}

Status ReferenceProgram::addSteps(const Graph& graph) {
  for (const Node& node : graph.nodes()) {
    Step step;
    step.place = fmt::format("node \"{}\" ({})", node.name, opName(node.op));
    step.reads = node.inputs;
    step.writes = node.outputs;
    step.inputs.resize(node.inputs.size());
    step.outputs.resize(node.outputs.size());
    std::vector<TensorType> inputs, outputs;
    for (ValueId id : node.inputs) inputs.push_back(id.valid() ? graph.type(id) : TensorType());
    for (ValueId id : node.outputs) outputs.push_back(graph.type(id));
    NARROWS_TRY(kernel,
                reference::prepareKernel(node.op, KernelTypes{inputs, outputs}).within(step.place));
    step.kernel = std::move(kernel);
    steps_.push_back(std::move(step));
    parts_.push_back({{node.name}});
  }
  return {};
}

void ReferenceProgram::addConstants(const Graph& graph) {
  std::unordered_set<const std::byte*> counted;
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const ValueId id(i);
    const Value& value = graph.value(id);
    if (!value.isConstant() || (graph.consumers(id).empty() && !graph.isOutput(id))) continue;
    const ByteSpan bytes = value.constant->view().bytes();
    places_[i].read = bytes.data();
    if (!counted.insert(bytes.data()).second) continue;
    constants_.push_back(value.constant);
    memory_.weights += bytes.size();
  }
}

/// What nodes compute and the caller does not receive lies in the arena from the node that writes
/// it to the last that reads it.
Status ReferenceProgram::placeIntermediates(const Graph& graph) {
  std::vector<ValueId> values;
  std::vector<BufferLifetime> lifetimes;
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const ValueId id(i);
    const Value& value = graph.value(id);
    if (!value.producer.valid() || graph.isOutput(id)) continue;
    BufferLifetime life{value.producer.index(), value.producer.index(), value.type.bytes()};
    for (NodeId consumer : graph.consumers(id)) life.last = std::max(life.last, consumer.index());
    values.push_back(id);
    lifetimes.push_back(life);
  }
  const ArenaPlan plan = planArena(lifetimes, Tensor::kAlignment);
  const std::size_t bytes = (plan.total + Tensor::kAlignment - 1) & ~(Tensor::kAlignment - 1);
  if (bytes > 0) {
    arena_.reset(static_cast<std::byte*>(std::aligned_alloc(Tensor::kAlignment, bytes)));
    if (arena_ == nullptr)
      return makeError("no memory for intermediate tensors of {} bytes", bytes);
  }
  memory_.arena = bytes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::byte* data = arena_.get() + plan.offsets[i];
    places_[values[i].index()] = {data, data};
  }
  return {};
}

void ReferenceProgram::bind(std::span<const TensorView> inputs,
                            std::span<const MutableTensorView> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    places_[inputs_[i].index()].read = inputs[i].bytes().data();
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!computed_[outputs_[i].index()]) continue;
    std::byte* data = outputs[i].bytes().data();
    places_[outputs_[i].index()] = {data, data};
  }
  for (Step& step : steps_) {
    for (std::size_t i = 0; i < step.reads.size(); ++i) {
      if (!step.reads[i].valid()) continue;
      const std::size_t value = step.reads[i].index();
      step.inputs[i] = TensorView(types_[value], places_[value].read);
    }
    for (std::size_t i = 0; i < step.writes.size(); ++i) {
      const std::size_t value = step.writes[i].index();
      step.outputs[i] = MutableTensorView(types_[value], places_[value].write);
    }
  }
}

/// Without a clock nothing is timed.
Status ReferenceProgram::run(std::span<const TensorView> inputs,
                             std::span<const MutableTensorView> outputs, PartClock* clock) {
  NARROWS_CHECK(checkArguments(*this, inputs, outputs));
  bind(inputs, outputs);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    NARROWS_CHECK(step.kernel(KernelTensors{step.inputs, step.outputs}).within(step.place));
    if (clock != nullptr) clock->stop(i);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::size_t value = outputs_[i].index();
    if (computed_[value] || outputs[i].bytes().empty()) continue;
    std::memcpy(outputs[i].bytes().data(), places_[value].read, outputs[i].bytes().size());
  }
  return {};
}

class ReferenceEngine final : public Engine {
 public:
  std::string_view name() const override { return "reference"; }
  Result<std::unique_ptr<Program>> compile(const Graph& graph,
                                           const EngineOptions& options) const override {
    if (options.bf16) return makeError("the reference engine has no kernels for bf16");
    NARROWS_CHECK(requireElements(graph));
    return ReferenceProgram::create(graph);
  }
};

}  // namespace

std::unique_ptr<Engine> makeReferenceEngine() {
  return std::make_unique<ReferenceEngine>();
}

}  // namespace narrows
