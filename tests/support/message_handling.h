#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/median.h"
#include "narrows/cost/group_simulator.h"
#include "tests/support/loopback_group.h"
#include "tests/support/planned_group.h"
#include "tests/support/worker_process.h"

namespace narrows::test {

/// Two worker processes that hand a tensor to each other over the loopback interface, again and
/// again within a frame: what a message takes on the processors of both together.
class MessageRelay {
 public:
  static constexpr std::size_t kHops = 8;

  explicit MessageRelay(std::int64_t elements) {
    const TensorType type{DType::f32, Shape{1, elements / 256, 16, 16}};
    ValueId value = graph_.addInput("x", type);
    for (std::size_t hop = 0; hop < kHops; ++hop) {
      auto made = graph_.add(Unary{UnaryKind::relu}, {value}, fmt::format("hop{}", hop));
      NARROWS_ASSERT(made.ok());
      value = *made;
    }
    NARROWS_ASSERT(graph_.setOutputs({value}).ok());
    GroupDesign design;
    design.devices = {{"a"}, {"b"}};
    design.source = design.sink = DeviceId(0);
    for (std::size_t hop = 0; hop < kHops; ++hop) {
      design.stages.push_back({hop + 1, WholeStage{DeviceId(1 - hop % 2)}});
    }
    auto split = buildGroupPlan(graph_, design);
    NARROWS_ASSERT(split.ok());
    bytes_ = static_cast<double>(type.bytes());
    inputs_ = randomInputs(graph_, 1);
    payload_ = payloadOf(inputs_);
    compile(split->pieces);
    auto deployment = Deployment::of(bundleOf(std::move(*split), "relay"));
    if (!deployment.ok()) fmt::print(stderr, "{}\n", deployment.error().message);
    NARROWS_ASSERT(deployment.ok());
    lead(*deployment);
  }

  void round() {
    auto answer = coordinator_->infer({RunInput::tensors, payload_, std::nullopt});
    NARROWS_ASSERT(answer.ok());
    const auto began = std::chrono::steady_clock::now();
    for (const auto& program : programs_) {
      auto outputs = runProgram(*program, viewsOf(inputs_));
      NARROWS_ASSERT(outputs.ok());
    }
    const std::chrono::duration<double> computing = std::chrono::steady_clock::now() - began;
    // The inputs come in as one more message.
    times_.push_back((answer->run.value() - computing.count()) / static_cast<double>(kHops + 1));
  }

  double bytes() const { return bytes_; }
  /// The median of all rounds but the first, which warms up.
  double secondsOfOne() const { return std::max(0.0, median({times_.begin() + 1, times_.end()})); }

 private:
  void compile(const std::vector<Graph>& pieces) {
    const auto engine = *makeEngine(defaultEngineName());
    for (const Graph& piece : pieces) {
      auto program = engine->compile(piece, {});
      NARROWS_ASSERT(program.ok());
      programs_.push_back(std::move(*program));
    }
  }

  void lead(const Deployment& deployment) {
    auto folder = TemporaryDirectory::create("narrows-relay");
    NARROWS_ASSERT(folder.ok());
    folder_.emplace(std::move(*folder));
    std::vector<GroupMember> members;
    for (const Device& device : deployment.plan().devices) {
      workers_.push_back(std::make_unique<WorkerProcess>(
          WorkerProcess::Options{folder_->path(), device.name, std::string(defaultEngineName())}));
      members.push_back({device.name, workers_.back()->address()});
    }
    auto started = Coordinator::start(deployment, members, loopbackConnector(),
                                      CoordinatorOptions(), events_.sink());
    NARROWS_ASSERT(started.ok());
    coordinator_ = std::move(*started);
  }

  Graph graph_;
  double bytes_ = 0;
  std::vector<Tensor> inputs_;
  ByteVector payload_;
  std::vector<std::unique_ptr<Program>> programs_;
  std::vector<double> times_;
  std::optional<TemporaryDirectory> folder_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  EventLog events_;
  std::unique_ptr<Coordinator> coordinator_;
};

/// The line through a small and a large message, half of it at either end.
class MessageHandlingProbe {
 public:
  void round() {
    small_.round();
    large_.round();
  }
  ExchangeRates handling() const {
    const double slope =
        (large_.secondsOfOne() - small_.secondsOfOne()) / (large_.bytes() - small_.bytes());
    return {Seconds(small_.secondsOfOne() / 2), Seconds(std::max(0.0, slope / 2))};
  }

 private:
  MessageRelay small_{256};
  MessageRelay large_{std::int64_t{1} << 18};
};

}  // namespace narrows::test
