#include "narrows/torch/trainer.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "narrows/graph/constants.h"
#include "narrows/torch/convert.h"
#include "narrows/torch/dual_head.h"
#include "narrows/torch/fake_quantizer.h"
#include "narrows/torch/loss_functions.h"
#include "narrows/torch/module.h"
#include "narrows/torch/optimizer.h"

namespace narrows {

using torched::fromAten;
using torched::guarded;
using torched::Tensors;
using torched::toAten;

namespace {

/// The outputs that a task reads, in the order of its head.
Result<std::vector<ValueId>> taskOutputs(const Graph& graph, const Task& task) {
  std::vector<ValueId> values(graph.outputs().begin(), graph.outputs().end());
  const auto* detection = std::get_if<DetectionTask>(&task);
  const auto* dual = std::get_if<DualTask>(&task);
  const Head* head = detection != nullptr ? &detection->head
                     : dual != nullptr    ? &dual->head
                                          : nullptr;
  if (head == nullptr || head->outputs.empty()) return values;
  values.clear();
  for (const std::string& name : head->outputs) {
    NARROWS_TRY(id, torched::findValue(graph, name));
    values.push_back(id);
  }
  return values;
}

/// What the network is run for.
enum class Pass : std::uint8_t { training, inspection };

struct Interface {
  TrainedInterface options;
  ValueId value;
  torched::FakeQuantizer quantizer;
  std::optional<RateTable> table;
};

/// Of a quantizer's part that is not trained, within a state.
std::string fixedName(const torched::FakeQuantizer::Part& part, const std::string& value) {
  return fmt::format("fixed {} at {}", part.name, value);
}

}  // namespace

struct Trainer::State {
  State(const TrainerOptions& given, torched::GraphModule made)
      : options(given), module(std::move(made)) {}

  TrainerOptions options;
  /// What was given and is given back; the module may have a second head.
  Graph network;
  torched::GraphModule module;
  std::optional<DualHead> dual;
  std::vector<Interface> interfaces;
  std::vector<ValueId> outputs;  // of the student, as the task reads them
  std::vector<ValueId> student_features;
  std::optional<torched::GraphModule> teacher;
  std::vector<ValueId> teacher_outputs;
  std::vector<ValueId> teacher_features;
  std::vector<std::string> names;  // of the optimizer's leaves
  std::optional<torched::Optimizer> optimizer;
  Tensors averages;  // of the leaves

  // Filled while the network runs.
  at::Tensor clustering;
  at::Tensor bits;

  Status freeze();
  Result<Graph> currentNetwork() const;
  Status addInterfaces();
  Status addTeacher();
  void addOptimizer();
  void install();
  at::Tensor atInterface(Interface& interface, const at::Tensor& x);
  bool needsOutputs() const;
  at::Tensor loss(const TrainBatch& batch, const at::Tensor& pictures, const StepFactors& factors,
                  Pass pass, StepLosses& losses);
};

Trainer::Trainer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;
Trainer::~Trainer() = default;

/// Constants that stay, and where gradients end.
Status Trainer::State::freeze() {
  for (const std::string& name : options.frozen) {
    NARROWS_TRY(id, torched::findValue(module.graph(), name));
    module.freeze(id);
  }
  if (!dual) return {};
  for (const std::string& name : dual->fixed) module.freeze(module.graph().findValue(name));
  for (const auto& [name, copy] : dual->copies) {
    if (std::find(options.frozen.begin(), options.frozen.end(), name) != options.frozen.end()) {
      module.freeze(module.graph().findValue(copy));
    }
  }
  // A teacher is imitated by the deployed outputs, so that its gradient has to pass.
  if (options.teacher) return {};
  for (const std::string& name : dual->necks) {
    module.replace(module.graph().findValue(name), [](const at::Tensor& x) { return x.detach(); });
  }
  return {};
}

/// The network that was given, with the constants as they are now.
Result<Graph> Trainer::State::currentNetwork() const {
  NARROWS_TRY(current, module.currentGraph());
  if (!dual) return current;
  ConstantMap constants;
  for (const auto& list : {trainableConstants(network), statisticConstants(network)}) {
    for (const ValueId id : list) {
      constants[id] = current.value(current.findValue(network.value(id).name)).constant;
    }
  }
  return replaceConstants(network, constants);
}

Status Trainer::State::addInterfaces() {
  for (const TrainedInterface& given : options.interfaces) {
    NARROWS_TRY(value, torched::findValue(module.graph(), given.value));
    const TensorType& type = module.graph().type(value);
    NARROWS_TRY(quantizer, torched::FakeQuantizer::create(type, given.quantizer, given.learned,
                                                          module.place()));
    interfaces.push_back({given, value, std::move(quantizer), std::nullopt});
    if (!given.rate) continue;
    if (given.quantizer.bits > 4) {
      return makeError("the rate term takes up to 4 bits, not {}", given.quantizer.bits);
    }
    NARROWS_TRY(table,
                RateTable::create(symbolLayout({type, given.quantizer, {}}), given.rate_tables));
    interfaces.back().table = std::move(table);
  }
  return {};
}

Status Trainer::State::addTeacher() {
  if (!options.teacher) return {};
  NARROWS_TRY(made, torched::GraphModule::create(options.teacher->graph, module.place()));
  teacher = std::move(made);
  if (options.bf16) teacher->multiplyInBf16();
  NARROWS_TRY(of_teacher, taskOutputs(teacher->graph(), options.task));
  teacher_outputs = of_teacher;
  if (teacher_outputs.size() != outputs.size()) {
    return makeError("the teacher has {} outputs, the network {}", teacher_outputs.size(),
                     outputs.size());
  }
  for (const auto& [of_student, name] : options.teacher->features) {
    NARROWS_TRY(a, torched::findValue(module.graph(), of_student));
    NARROWS_TRY(b, torched::findValue(teacher->graph(), name));
    if (!(module.graph().shape(a) == teacher->graph().shape(b))) {
      return makeError("{} and the teacher's {} have other shapes", of_student, name);
    }
    student_features.push_back(a);
    teacher_features.push_back(b);
  }
  return {};
}

void Trainer::State::addOptimizer() {
  Tensors leaves;
  std::vector<bool> decayed;
  for (const ValueId id : module.parameters()) {
    if (!module.constant(id).requires_grad()) continue;
    leaves.push_back(module.constant(id));
    decayed.push_back(module.constant(id).dim() > 1);
    names.push_back(module.graph().value(id).name);
  }
  for (const Interface& interface : interfaces) {
    if (!interface.quantizer.learned()) continue;
    for (const torched::FakeQuantizer::Part& part : interface.quantizer.parts()) {
      names.push_back(fmt::format("{} of the quantizer at {}", part.name, interface.options.value));
      decayed.push_back(false);
      leaves.push_back(part.tensor);
    }
  }
  if (options.average_decay > 0) {
    for (const at::Tensor& leaf : leaves) averages.push_back(leaf.detach().clone());
  }
  optimizer.emplace(options.optimizer, std::move(leaves), std::move(decayed));
}

void Trainer::State::install() {
  for (Interface& interface : interfaces) {
    module.replace(interface.value,
                   [this, &interface](const at::Tensor& x) { return atInterface(interface, x); });
  }
}

at::Tensor Trainer::State::atInterface(Interface& interface, const at::Tensor& x) {
  clustering = clustering + interface.quantizer.clustering(x);
  if (interface.table) {
    bits = bits +
           interface.quantizer.expectedBits(x, *interface.table) / static_cast<double>(x.size(0));
  }
  return interface.options.in_forward ? interface.quantizer.quantized(x) : x;
}

/// Whether a loss reads the deployed outputs; otherwise the network runs as far as its features.
bool Trainer::State::needsOutputs() const {
  const bool labels = std::holds_alternative<ClassificationTask>(options.task) ||
                      std::holds_alternative<DetectionTask>(options.task);
  return (labels && options.task_weight != 0) || (teacher && options.teacher->output_weight != 0);
}

at::Tensor Trainer::State::loss(const TrainBatch& batch, const at::Tensor& pictures,
                                const StepFactors& factors, Pass pass, StepLosses& losses) {
  clustering = at::zeros({}, module.place());
  bits = at::zeros({}, module.place());
  const bool training = pass == Pass::training;
  const torched::NormMode norm{training && options.batch_norm_training,
                               options.batch_norm_momentum};
  std::vector<ValueId> wanted;
  if (needsOutputs()) wanted = outputs;
  const auto answered = static_cast<std::ptrdiff_t>(wanted.size());
  wanted.insert(wanted.end(), student_features.begin(), student_features.end());
  if (dual) {
    wanted.push_back(module.graph().findValue(dual->one));
    wanted.push_back(module.graph().findValue(dual->many));
  }
  Tensors values = module.run({pictures}, norm, wanted);
  Tensors logits;
  if (dual) {
    logits = {values[values.size() - 2], values[values.size() - 1]};
    values.resize(values.size() - 2);
  }
  const Tensors answers(values.begin(), values.begin() + answered);

  at::Tensor total = at::zeros({}, module.place());
  const auto* classes = std::get_if<ClassificationTask>(&options.task);
  const auto* detection = std::get_if<DetectionTask>(&options.task);
  if (classes != nullptr && options.task_weight != 0) {
    const at::Tensor task = torched::crossEntropy(answers[0], batch.labels, *classes);
    losses.task = task.item<double>();
    total = total + task * options.task_weight;
  } else if (detection != nullptr && options.task_weight != 0) {
    const at::Tensor task = torched::yolo(answers, batch.boxes, *detection);
    losses.task = task.item<double>();
    total = total + task * options.task_weight;
  } else if (dual) {
    const at::Tensor task =
        torched::dual(logits[0], logits[1], batch.boxes, std::get<DualTask>(options.task));
    losses.task = task.item<double>();
    total = total + task * options.task_weight;
  }
  if (teacher) {
    std::vector<ValueId> asked;
    if (needsOutputs()) asked = teacher_outputs;
    asked.insert(asked.end(), teacher_features.begin(), teacher_features.end());
    Tensors taught;
    {
      const at::NoGradGuard no_gradients;
      taught = teacher->run({pictures}, {}, asked);
    }
    at::Tensor output = at::zeros({}, module.place());
    for (std::size_t i = 0; i < answers.size(); ++i) {
      output =
          output + (classes != nullptr && classes->logits
                        ? torched::distillation(answers[i], taught[i], options.teacher->temperature)
                        : torched::imitation(answers[i], taught[i]));
    }
    at::Tensor feature = at::zeros({}, module.place());
    for (std::size_t i = answers.size(); i < values.size(); ++i) {
      feature = feature + torched::imitation(values[i], taught[i]);
    }
    losses.output = output.item<double>();
    losses.feature = feature.item<double>();
    total =
        total + output * options.teacher->output_weight + feature * options.teacher->feature_weight;
  }
  losses.clustering = clustering.item<double>();
  losses.expected_bits = bits.item<double>();
  if (training && factors.clustering != 0) total = total + clustering * factors.clustering;
  if (training && factors.rate != 0) total = total + bits * factors.rate;
  losses.total = total.item<double>();
  return total;
}

Result<Trainer> Trainer::create(const Graph& graph, const TrainerOptions& options) {
  return guarded([&]() -> Result<Trainer> {
    if (graph.inputs().size() != 1) {
      return makeError("the network has {} inputs, expected one picture", graph.inputs().size());
    }
    std::optional<DualHead> dual;
    const auto* dual_task = std::get_if<DualTask>(&options.task);
    if (dual_task != nullptr && options.task_weight != 0) {
      NARROWS_TRY(made, addOneToManyHead(graph, dual_task->head));
      dual = std::move(made);
    }
    const Graph& trained = dual ? dual->graph : graph;
    NARROWS_TRY(device, torched::findDevice(options.device));
    NARROWS_TRY(module,
                torched::GraphModule::create(trained, at::TensorOptions(device).dtype(at::kFloat)));
    NARROWS_TRY(outputs, taskOutputs(trained, options.task));
    auto state = std::make_unique<State>(options, std::move(module));
    state->network = graph;
    state->dual = std::move(dual);
    state->outputs = outputs;
    if (options.bf16) state->module.multiplyInBf16();
    NARROWS_CHECK(state->freeze());
    NARROWS_CHECK(state->addInterfaces());
    NARROWS_CHECK(state->addTeacher());
    state->addOptimizer();
    state->install();
    return Trainer(std::move(state));
  });
}

Result<StepLosses> Trainer::step(const TrainBatch& batch, const StepFactors& factors) {
  return guarded([&]() -> Result<StepLosses> {
    State& state = *state_;
    NARROWS_TRY(pictures, toAten(batch.pictures, state.module.place()));
    Tensors statistics;
    for (const ValueId id : state.module.statistics()) {
      statistics.push_back(state.module.constant(id).clone());
    }
    const auto undo = [&] {
      for (std::size_t i = 0; i < statistics.size(); ++i) {
        at::Tensor target = state.module.constant(state.module.statistics()[i]);
        target.copy_(statistics[i]);
      }
    };
    StepLosses losses;
    at::Tensor total;
    try {
      total = state.loss(batch, pictures, factors, Pass::training, losses);
    } catch (...) {
      undo();
      throw;
    }
    if (!std::isfinite(losses.total)) {
      undo();
      return makeError("step {}: the loss is {}", steps() + 1, losses.total);
    }
    const Tensors gradients =
        torch::autograd::grad({total}, state.optimizer->leaves(), {}, false, false, true);
    state.optimizer->step(gradients, factors.learning_rate);
    for (Interface& interface : state.interfaces) interface.quantizer.keepValid();
    const at::NoGradGuard no_gradients;
    const auto count = static_cast<double>(steps());
    const double decay = std::min(state.options.average_decay, (1 + count) / (10 + count));
    for (std::size_t i = 0; i < state.averages.size(); ++i) {
      state.averages[i].mul_(decay).add_(state.optimizer->leaves()[i].detach(), 1 - decay);
    }
    return losses;
  });
}

Result<std::vector<std::vector<double>>> Trainer::channelImportance(
    const TrainBatch& batch, std::span<const std::string> values) {
  return guarded([&]() -> Result<std::vector<std::vector<double>>> {
    State& state = *state_;
    NARROWS_TRY(pictures, toAten(batch.pictures, state.module.place()));
    Tensors watched(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      NARROWS_TRY(id, torched::findValue(state.module.graph(), values[i]));
      state.module.observe(id, [&watched, i](const at::Tensor& x) { watched[i] = x; });
    }
    StepLosses losses;
    at::Tensor total;
    try {
      total = state.loss(batch, pictures, {}, Pass::inspection, losses);
    } catch (...) {
      state.module.stopObserving();
      throw;
    }
    state.module.stopObserving();
    Tensors leaves;
    for (const at::Tensor& x : watched) {
      if (x.defined() && x.requires_grad()) leaves.push_back(x);
    }
    Tensors found;
    if (!leaves.empty() && total.requires_grad()) {
      found = torch::autograd::grad({total}, leaves, {}, false, false, true);
    }
    std::size_t next = 0;
    Tensors gradients(watched.size());
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if (watched[i].defined() && watched[i].requires_grad() && !found.empty()) {
        gradients[i] = found[next++];
      }
    }
    std::vector<std::vector<double>> importance;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      const Shape& shape = state.module.graph().shape(state.module.graph().findValue(values[i]));
      std::vector<double>& channels =
          importance.emplace_back(static_cast<std::size_t>(shape[1]), 0.0);
      if (!gradients[i].defined()) continue;
      std::vector<std::int64_t> inner;
      for (std::int64_t axis = 2; axis < watched[i].dim(); ++axis) inner.push_back(axis);
      at::Tensor product = (gradients[i] * watched[i]).detach();
      if (!inner.empty()) product = product.sum(inner);
      const Tensor sums = fromAten(product.abs().mean(0), DType::f64);
      std::copy(sums.as<double>().begin(), sums.as<double>().end(), channels.begin());
    }
    return importance;
  });
}

Result<Graph> Trainer::graph(bool averaged) const {
  return guarded([&]() -> Result<Graph> {
    State& state = *state_;
    if (!averaged || state.averages.empty()) return state.currentNetwork();
    const at::NoGradGuard no_gradients;
    Tensors kept;
    const Tensors& leaves = state.optimizer->leaves();
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      kept.push_back(leaves[i].detach().clone());
      leaves[i].detach().copy_(state.averages[i]);
    }
    auto graph = state.currentNetwork();
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i].detach().copy_(kept[i]);
    return graph;
  });
}

QuantizerParams Trainer::quantizer(std::size_t interface) const {
  return state_->interfaces[interface].quantizer.params();
}

Status Trainer::setQuantizer(std::size_t interface, const QuantizerParams& params) {
  return state_->interfaces[interface].quantizer.setParams(params);
}

Status Trainer::setRateTables(std::size_t interface, ByteSpan tables) {
  Interface& target = state_->interfaces[interface];
  if (!target.table) return makeError("no rate term at {}", target.options.value);
  const TensorType& type = state_->module.graph().type(target.value);
  NARROWS_TRY(table, RateTable::create(symbolLayout({type, target.options.quantizer, {}}), tables));
  target.table = std::move(table);
  return {};
}

std::int64_t Trainer::steps() const {
  return state_->optimizer->steps();
}

std::vector<NamedTensor> Trainer::state() const {
  State& state = *state_;
  std::vector<NamedTensor> result;
  result.push_back({"steps", Tensor::scalar<std::int64_t>(steps())});
  const auto add = [&](const std::string& name, const at::Tensor& tensor) {
    result.push_back({name, fromAten(tensor, DType::f32)});
  };
  for (std::size_t i = 0; i < state.names.size(); ++i) {
    add("value of " + state.names[i], state.optimizer->leaves()[i]);
    add("first moment of " + state.names[i], state.optimizer->first()[i]);
    if (!state.optimizer->second().empty()) {
      add("second moment of " + state.names[i], state.optimizer->second()[i]);
    }
    if (!state.averages.empty()) add("mean of " + state.names[i], state.averages[i]);
  }
  for (const ValueId id : state.module.statistics()) {
    add("statistic " + state.module.graph().value(id).name, state.module.constant(id));
  }
  for (const Interface& interface : state.interfaces) {
    if (interface.quantizer.learned()) continue;
    for (const auto& part : interface.quantizer.parts()) {
      add(fixedName(part, interface.options.value), part.tensor);
    }
  }
  return result;
}

Status Trainer::restore(std::span<const NamedTensor> given) {
  std::map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& entry : given) by_name[entry.name] = &entry.tensor;
  const std::vector<NamedTensor> mine = state();
  for (const NamedTensor& entry : mine) {
    const auto found = by_name.find(entry.name);
    if (found == by_name.end()) return makeError("the state has no {}", entry.name);
    if (found->second->type() != entry.tensor.type()) {
      return makeError("{} has shape {}, expected {}", entry.name, toString(found->second->shape()),
                       toString(entry.tensor.shape()));
    }
  }
  if (by_name.size() != mine.size()) {
    return makeError("the state has {} tensors, expected {}", by_name.size(), mine.size());
  }
  return guarded([&]() -> Status {
    const at::NoGradGuard no_gradients;
    State& state = *state_;
    const auto copyTo = [&](const std::string& name, at::Tensor target) {
      target.copy_(*toAten(*by_name.at(name), at::kFloat));
    };
    state.optimizer->setSteps(by_name.at("steps")->as<std::int64_t>()[0]);
    for (std::size_t i = 0; i < state.names.size(); ++i) {
      copyTo("value of " + state.names[i], state.optimizer->leaves()[i].detach());
      copyTo("first moment of " + state.names[i], state.optimizer->first()[i]);
      if (!state.optimizer->second().empty()) {
        copyTo("second moment of " + state.names[i], state.optimizer->second()[i]);
      }
      if (!state.averages.empty()) copyTo("mean of " + state.names[i], state.averages[i]);
    }
    for (const ValueId id : state.module.statistics()) {
      copyTo("statistic " + state.module.graph().value(id).name, state.module.constant(id));
    }
    for (const Interface& interface : state.interfaces) {
      if (interface.quantizer.learned()) continue;
      for (const auto& part : interface.quantizer.parts()) {
        copyTo(fixedName(part, interface.options.value), part.tensor);
      }
    }
    return {};
  });
}

}  // namespace narrows
