// Groups of worker processes of which some are killed, stopped, or lie: every frame is answered,
// and every answer is right.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/support/difference.h"
#include "tests/support/figure.h"
#include "tests/support/loopback_group.h"
#include "tests/support/planned_group.h"
#include "tests/support/worker_process.h"

namespace narrows::test {
namespace {

constexpr double kTolerance = 1e-5;  // of an output's range, where sums are partial
constexpr double kDeadline = 20;     // s, for a frame
/// Time to notice, plan and hand out, and to compute the frame again, on a busy machine.
constexpr double kReplanning = 20;  // s

constexpr std::string_view kSixDevices = R"(
link = "1Gbit/s"
[[device]]
name = "board"
count = 6
)";

bool full() {
  return std::getenv("NARROWS_FULL") != nullptr;
}

/// The seed of this run: `$NARROWS_SEED`, else 1.
std::uint32_t seedOfRun() {
  const char* text = std::getenv("NARROWS_SEED");
  return text == nullptr ? 1 : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

/// A network over six worker processes, and what it gives.
class ProcessGroup {
 public:
  ProcessGroup() : graph_(zooGraph("zoo:tiny-yolov3@160,width=0.25,classes=4")) {
    GroupPlanning planning = planned(graph_, slowGroup(kSixDevices), GroupObjective::latency);
    for (const Transfer& transfer : planning.best.split.plan.transfers) {
      if (transfer.mode == TransferMode::add) tolerance_ = kTolerance;
    }
    auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), "zoo"));
    NARROWS_ASSERT(deployment.ok());
    deployment_.emplace(std::move(*deployment));
    auto folder = TemporaryDirectory::create("narrows-faults");
    NARROWS_ASSERT(folder.ok());
    folder_.emplace(std::move(*folder));
    for (std::uint32_t i = 0; i < 3; ++i) {
      const std::vector<Tensor> inputs = randomInputs(graph_, i + 1);
      payloads_.push_back(payloadOf(inputs));
      expected_.push_back(runWhole(graph_, inputs));
    }
    for (const Device& device : deployment_->plan().devices) {
      workers_.push_back(
          std::make_unique<WorkerProcess>(WorkerProcess::Options{folder_->path(), device.name}));
      members_.push_back({device.name, workers_.back()->address()});
    }
  }

  void lead(CoordinatorOptions options) {
    options.outputs = true;
    options.deadline = Seconds(kDeadline);
    coordinator_.reset();
    auto started =
        Coordinator::start(*deployment_, members_, loopbackConnector(), options, events_.sink());
    ASSERT_TRUE(started.ok()) << started.error().message;
    coordinator_ = std::move(*started);
  }

  /// Empty when frame number `i` was answered right and in time.
  std::string fault(std::size_t i) {
    const auto began = std::chrono::steady_clock::now();
    const ByteVector& payload = payloads_[i % payloads_.size()];
    const auto answer = coordinator_->infer({RunInput::tensors, payload, std::nullopt});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    slowest_ = std::max(slowest_, took.count());
    if (!answer.ok()) return answer.error().message;
    attempts_ += answer->attempts;
    if (took.count() > kDeadline + kReplanning) return fmt::format("late: {} s", took.count());
    const std::vector<Tensor>& expected = expected_[i % expected_.size()];
    for (std::size_t output = 0; output < expected.size(); ++output) {
      if (!(differenceOf(answer->outputs[output], expected[output]) <= tolerance_)) {
        return fmt::format("output {} is wrong", output);
      }
    }
    return {};
  }

  /// Waits until a plan over all workers is active.
  bool whole() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < until) {
      if (fault(0).empty() && coordinator_->deployment().manifest() == deployment_->manifest()) {
        return true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  WorkerProcess& worker(std::size_t i) { return *workers_[i]; }
  std::size_t size() const { return workers_.size(); }
  const EventLog& events() const { return events_; }
  double slowest() const { return slowest_; }
  const std::vector<GroupMember>& members() const { return members_; }
  const Deployment& deployment() const { return *deployment_; }

 private:
  Graph graph_;
  double tolerance_ = 0;
  std::optional<Deployment> deployment_;
  std::optional<TemporaryDirectory> folder_;
  std::vector<ByteVector> payloads_;
  std::vector<std::vector<Tensor>> expected_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  std::vector<GroupMember> members_;
  EventLog events_;
  std::unique_ptr<Coordinator> coordinator_;
  double slowest_ = 0;
  int attempts_ = 0;
};

enum class Harm { kill, stop };

struct Tally {
  std::size_t harmed = 0;
  std::size_t frames = 0;
  std::size_t lost_or_wrong = 0;
};

/// Harms a random worker at a random moment of a frame, `times` times; two frames later it is
/// there again.
Tally harmWorkers(ProcessGroup& group, std::size_t times, Harm harm, std::mt19937& random) {
  Tally tally;
  for (std::size_t i = 0; i < times; ++i) {
    WorkerProcess& victim = group.worker(random() % group.size());
    const auto delay = std::chrono::microseconds(random() % 60'000);
    std::thread killer([&] {
      std::this_thread::sleep_for(delay);
      if (harm == Harm::kill) {
        victim.kill();
      } else {
        victim.stop();
      }
    });
    for (std::size_t frame = 0; frame < 3; ++frame) {
      const std::string fault = group.fault(tally.frames);
      EXPECT_EQ(fault, "") << "harm " << i << ", frame " << frame << "\n" << group.events().text();
      ++tally.frames;
      tally.lost_or_wrong += fault.empty() ? 0 : 1;
      if (frame == 0) killer.join();
    }
    ++tally.harmed;
    victim.revive();
    if (random() % 2 == 0) {
      EXPECT_TRUE(group.whole()) << group.events().text();
    }
  }
  return tally;
}

TEST(WorkerFaults, KilledAndStoppedWorkersCostNoFrame) {
  const std::uint32_t seed = seedOfRun();
  const std::size_t kills = full() ? 50 : 5;
  const std::size_t stops = full() ? 10 : 2;
  fmt::print("seed {}, {} kills, {} stops\n", seed, kills, stops);
  std::mt19937 random(seed);
  ProcessGroup group;
  group.lead({});
  if (HasFatalFailure()) return;
  ASSERT_TRUE(group.whole()) << group.events().text();
  const Tally killed = harmWorkers(group, kills, Harm::kill, random);
  EXPECT_TRUE(group.whole()) << group.events().text();
  const Tally stopped = harmWorkers(group, stops, Harm::stop, random);
  EXPECT_TRUE(group.whole()) << group.events().text();
  EXPECT_GE(group.events().count(GroupEvent::Kind::lost), 1u);
  EXPECT_GE(group.events().count(GroupEvent::Kind::returned), 1u);
  EXPECT_EQ(group.events().count(GroupEvent::Kind::dropped), 0u) << group.events().text();
  recordFigure("kills", static_cast<double>(killed.harmed), "workers");
  recordFigure("kill_frames", static_cast<double>(killed.frames), "frames");
  recordFigure("kill_lost_or_wrong", static_cast<double>(killed.lost_or_wrong), "frames");
  recordFigure("stops", static_cast<double>(stopped.harmed), "workers");
  recordFigure("stop_lost_or_wrong", static_cast<double>(stopped.lost_or_wrong), "frames");
  recordFigure("fault_frame_max", group.slowest(), "s");
}

TEST(WorkerFaults, AnotherCoordinatorTakesTheGroupUp) {
  ProcessGroup group;
  group.lead({});
  if (HasFatalFailure()) return;
  EXPECT_EQ(group.fault(0), "");
  group.lead({});
  if (HasFatalFailure()) return;
  EXPECT_EQ(group.fault(1), "") << group.events().text();
}

/// Spoils one message of regions in four.
Tamper liar(std::atomic<int>& lies, const std::function<void(ByteVector&)>& spoil) {
  return [&lies, spoil, sent = std::make_shared<std::atomic<int>>(0)](WorkerCall call,
                                                                      ByteVector& body) {
    if (call != WorkerCall::regions || ++*sent % 4 != 0) return;
    spoil(body);
    ++lies;
  };
}

class LyingWorker : public testing::TestWithParam<int> {};

TEST_P(LyingWorker, IsDroppedAndCostsNoFrame) {
  const std::vector<std::function<void(ByteVector&)>> lies = {
      // An element: the frame's checksum does not fit.
      [](ByteVector& body) { body.back() ^= std::byte{1}; },
      // The end is missing.
      [](ByteVector& body) { body.resize(body.size() - 3); },
      // More than was announced.
      [](ByteVector& body) { body.resize(body.size() + 1000); },
      // A length of 4 GB, the digest of the fields as it was.
      [](ByteVector& body) { std::fill_n(body.begin() + 52, 4, std::byte{0xFF}); },
  };
  const auto& spoil = lies[static_cast<std::size_t>(GetParam())];
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  GroupPlanning planning = planned(graph, slowGroup(kSixDevices), GroupObjective::latency);
  auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), "zoo"));
  ASSERT_TRUE(deployment.ok());
  std::atomic<int> told = 0;
  std::vector<std::unique_ptr<LoopbackWorker>> workers;
  std::vector<GroupMember> members;
  for (const Device& device : deployment->plan().devices) {
    const bool lies_here = members.size() == 1;
    workers.push_back(
        std::make_unique<LoopbackWorker>("reference", lies_here ? liar(told, spoil) : nullptr));
    members.push_back({device.name, workers.back()->address()});
  }
  EventLog events;
  CoordinatorOptions options;
  options.outputs = true;
  auto coordinator =
      Coordinator::start(*deployment, members, loopbackConnector(), options, events.sink());
  ASSERT_TRUE(coordinator.ok()) << coordinator.error().message;
  const std::vector<Tensor> inputs = randomInputs(graph, 1);
  const std::vector<Tensor> expected = runWhole(graph, inputs);
  const ByteVector payload = payloadOf(inputs);
  for (int frame = 0; frame < 8; ++frame) {
    auto answer = (*coordinator)->infer({RunInput::tensors, payload, std::nullopt});
    ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << events.text();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(differenceOf(answer->outputs[i], expected[i]), kTolerance);
    }
  }
  EXPECT_GE(told, 1) << events.text();
  EXPECT_EQ(events.count(GroupEvent::Kind::dropped), 1u) << events.text();
  EXPECT_NE(events.text().find("dropped board2"), std::string::npos) << events.text();
}

INSTANTIATE_TEST_SUITE_P(All, LyingWorker, testing::Range(0, 4));

}  // namespace
}  // namespace narrows::test
