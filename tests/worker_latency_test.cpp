// How long a frame takes over six workers on this machine, beside what the simulator says of it,
// what the plan moves, and what one process takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>

#include "narrows/base/median.h"
#include "narrows/base/thread_pool.h"
#include "narrows/cost/group_simulator.h"
#include "narrows/cost/profiles.h"
#include "tests/support/difference.h"
#include "tests/support/figure.h"
#include "tests/support/loopback_group.h"
#include "tests/support/message_handling.h"
#include "tests/support/planned_group.h"
#include "tests/support/worker_process.h"

namespace narrows::test {
namespace {

constexpr double kTolerance = 1e-4;  // of an output's range, engines of different sums
constexpr std::string_view kSixDevices = R"(
link = "100Mbit/s"
[[device]]
name = "board"
count = 6
)";

bool full() {
  return std::getenv("NARROWS_FULL") != nullptr;
}

/// Network namespaces PREFIX0, PREFIX1, ... with the addresses HOST1, HOST2, ... whose links are
/// shaped to 100 Mbit/s; scripts/figures.d/group/run.sh makes them. Empty: the loopback interface.
struct Namespaces {
  std::string prefix;
  std::string host;
  bool shaped() const { return !prefix.empty(); }
};
Namespaces namespaces() {
  const char* prefix = std::getenv("NARROWS_NETNS");
  const char* host = std::getenv("NARROWS_NETNS_HOST");
  if (prefix == nullptr || host == nullptr) return {};
  return {prefix, host};
}

/// Bytes of Ethernet frames that have left the workers' namespaces so far.
double bytesSent(std::size_t workers) {
  double sum = 0;
  for (std::size_t i = 0; i < workers; ++i) {
    std::ifstream counter(
        fmt::format("/sys/class/net/{}{}/statistics/rx_bytes", namespaces().prefix, i));
    double bytes = 0;
    counter >> bytes;
    sum += bytes;
  }
  return sum;
}

double secondsSince(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

/// A graph that runs again and again on one engine, and how long it took each time.
class TimedProgram {
 public:
  TimedProgram(const Graph& graph, std::size_t threads) {
    auto engine = makeEngine(defaultEngineName());
    auto program = (*engine)->compile(graph, EngineOptions{threads});
    NARROWS_ASSERT(program.ok());
    program_ = std::move(*program);
    inputs_ = randomInputs(graph, 1);
  }
  void run() {
    const auto began = std::chrono::steady_clock::now();
    auto outputs = runProgram(*program_, viewsOf(inputs_));
    times_.push_back(secondsSince(began));
    NARROWS_ASSERT(outputs.ok());
    outputs_ = std::move(*outputs);
  }
  /// Of the last run.
  const std::vector<Tensor>& outputs() const { return outputs_; }
  double seconds() const { return median(times_); }

 private:
  std::unique_ptr<Program> program_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> outputs_;
  std::vector<double> times_;
};

struct Latencies {
  double measured = 0;
  double simulated = 0;
  double one_process = 0;
  /// Of a frame, all that leaves the workers: regions, answers, acknowledgements, headers down to
  /// Ethernet's. 0 without namespaces.
  double wire_bytes = 0;
  ExchangeRates handling;
  /// Of all devices together.
  double compute = 0;
  double coding = 0;
  double pieces_alone = 0;
  double error() const { return std::abs(measured - simulated) / measured; }
};

/// Six worker processes under one plan.
class Bench {
 public:
  explicit Bench(const std::string& model) : graph_(zooGraph(model)) {
    // Slow devices: a plan that divides, which is what is to be measured.
    GroupPlanning planning = planned(graph_, slowGroup(kSixDevices), GroupObjective::latency);
    planned_bytes_ = planning.best.simulation.traffic.value();
    auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), model));
    NARROWS_ASSERT(deployment.ok());
    deployment_.emplace(std::move(*deployment));
    auto folder = TemporaryDirectory::create("narrows-latency");
    NARROWS_ASSERT(folder.ok());
    folder_.emplace(std::move(*folder));
    const Namespaces names = namespaces();
    std::vector<GroupMember> members;
    for (const Device& device : deployment_->plan().devices) {
      WorkerProcess::Options options{folder_->path(), device.name,
                                     std::string(defaultEngineName())};
      if (names.shaped()) {
        const std::size_t number = members.size();
        options.wrapper = {"/usr/sbin/ip", "netns", "exec",
                           fmt::format("{}{}", names.prefix, number)};
        options.host = fmt::format("{}{}", names.host, number + 1);
      }
      workers_.push_back(std::make_unique<WorkerProcess>(options));
      members.push_back({device.name, workers_.back()->address()});
    }
    CoordinatorOptions options;
    options.outputs = true;
    options.lost_after = Seconds(5);
    GrpcPeerOptions peers;
    peers.plain_text = true;
    auto started = Coordinator::start(
        *deployment_, members, std::make_unique<GrpcPeerConnector>(peers), options, events_.sink());
    NARROWS_ASSERT(started.ok());
    coordinator_ = std::move(*started);
  }

  /// Frames over the workers, pieces alone, messages alone, and the whole network in one process
  /// with as many threads as there are cores take turns, so that a busy machine slows all of them
  /// down.
  Latencies measure(std::size_t rounds, std::size_t cores) {
    const std::vector<Tensor> inputs = randomInputs(graph_, 1);
    const ByteVector payload = payloadOf(inputs);
    TimedProgram whole(graph_, cores);
    std::vector<TimedProgram> pieces;
    for (const Graph& piece : deployment_->bundle().pieces) pieces.emplace_back(piece, 1);
    MessageHandlingProbe probe;
    std::vector<double> runs;
    double sent = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      const double before = bytesSent(workers_.size());
      auto answer = coordinator_->infer({RunInput::tensors, payload, std::nullopt});
      EXPECT_TRUE(answer.ok()) << answer.error().message;
      if (!answer.ok()) return {};
      if (round > 0) {  // the first one warms up
        runs.push_back(answer->run.value());
        sent += bytesSent(workers_.size()) - before;
      }
      whole.run();
      for (TimedProgram& piece : pieces) piece.run();
      probe.round();
      check(whole.outputs(), *answer);
      answer_ = std::move(*answer);
    }
    Latencies result;
    result.measured = median(runs);
    result.one_process = whole.seconds();
    result.wire_bytes = sent / static_cast<double>(runs.size());
    std::vector<PieceCost> costs;
    for (const TimedProgram& piece : pieces) {
      costs.emplace_back().time = Seconds(piece.seconds());
      result.pieces_alone += piece.seconds();
    }
    for (const DeviceWork& work : answer_.work) {
      result.compute += work.compute.value();
      result.coding += work.coding.value();
    }
    result.handling = probe.handling();
    result.simulated = simulate(costs, result.handling, cores);
    // What comes in and what goes out are messages too, beside the plan.
    result.simulated += 2 * result.handling.of(Bytes(static_cast<double>(payload.size()))).value();
    result.simulated +=
        2 *
        result.handling.of(Bytes(static_cast<double>(payloadOf(whole.outputs()).size()))).value();
    return result;
  }

  const GroupAnswer& answer() const { return answer_; }
  double plannedBytes() const { return planned_bytes_; }
  const Plan& plan() const { return deployment_->plan(); }

 private:
  static void check(const std::vector<Tensor>& expected, const GroupAnswer& answer) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_LE(differenceOf(answer.outputs[i], expected[i]), kTolerance);
    }
  }

  double simulate(const std::vector<PieceCost>& costs, const ExchangeRates& handling,
                  std::size_t cores) const {
    auto group = parseDeviceGroup(kSixDevices, "test");
    NARROWS_ASSERT(group.ok());
    auto link = findLinkModel(namespaces().shaped() ? "100Mbit/s" : "20Gbit/s");
    NARROWS_ASSERT(link.ok());
    for (GroupDevice& device : group->devices) device.link = *link;
    SimulationOptions options;
    options.shared_cores = cores;
    options.handling = handling;
    options.frame_overhead = Bytes(static_cast<double>(kFrameHeaderBytes));
    auto simulation = simulateGroup(*group, deployment_->plan(), costs, options);
    NARROWS_ASSERT(simulation.ok());
    return simulation->latency.value();
  }

  Graph graph_;
  double planned_bytes_ = 0;
  std::optional<Deployment> deployment_;
  std::optional<TemporaryDirectory> folder_;
  std::vector<std::unique_ptr<WorkerProcess>> workers_;
  EventLog events_;
  std::unique_ptr<Coordinator> coordinator_;
  GroupAnswer answer_;
};

void record(const std::string& name, const Bench& bench, const Latencies& latencies) {
  const std::string where = namespaces().shaped() ? "" : "loopback_";
  std::size_t messages = 0;
  for (const DeviceWork& work : bench.answer().work) {
    for (const DeviceWork::Sent& sent : work.sent) messages += sent.messages;
  }
  fmt::print(
      "{}: {} pieces, {} messages; {:.1f} ms measured, {:.1f} ms simulated ({:.1f} % off); "
      "one process {:.1f} ms\n",
      name, bench.plan().pieces.size(), messages, latencies.measured * 1e3,
      latencies.simulated * 1e3, latencies.error() * 100, latencies.one_process * 1e3);
  fmt::print(
      "  a message takes {:.0f} us and {:.3f} us/kB at either end; pieces took {:.1f} ms, alone "
      "{:.1f} ms; making and opening frames {:.1f} ms\n",
      latencies.handling.time.value() * 1e6, latencies.handling.per_byte.value() * 1e9,
      latencies.compute * 1e3, latencies.pieces_alone * 1e3, latencies.coding * 1e3);
  recordFigure("group_" + where + "latency_ms_" + name, latencies.measured * 1e3, "ms");
  recordFigure("group_" + where + "latency_simulated_ms_" + name, latencies.simulated * 1e3, "ms",
               "simulated");
  recordFigure("group_" + where + "over_one_process_" + name,
               latencies.measured / latencies.one_process, "times");
  recordFigure("group_" + where + "bytes_planned_" + name, bench.plannedBytes(), "B", "modelled");
  recordFigure("group_" + where + "bytes_measured_" + name,
               static_cast<double>(bench.answer().frameBytes()), "B");
  recordFigure("group_" + where + "message_overhead_" + name,
               static_cast<double>(bench.answer().messageBytes() - bench.answer().frameBytes()),
               "B");
}

void recordWire(const std::string& name, const Bench& bench, const Latencies& latencies) {
  if (!namespaces().shaped()) return;
  recordFigure("group_wire_bytes_" + name, latencies.wire_bytes, "B");
  const double beside = latencies.wire_bytes / bench.plannedBytes() - 1;
  recordFigure("group_wire_overhead_percent_" + name, beside * 100, "%");
}

TEST(WorkerLatency, IsWhatTheSimulatorSays) {
  const std::size_t cores = hardwareThreads();
  const std::vector<std::pair<std::string, std::string>> models =
      full() ? std::vector<std::pair<std::string, std::string>>{{"tiny_yolov3", "zoo:tiny-yolov3"},
                                                                {"resnet18", "zoo:resnet18"},
                                                                {"yolov2", "zoo:yolov2@224"}}
             : std::vector<std::pair<std::string, std::string>>{
                   {"tiny_yolov3", "zoo:tiny-yolov3@224"}};
  double worst = 0;
  for (const auto& [name, model] : models) {
    Bench bench(model);
    const Latencies latencies = bench.measure(full() ? 21 : 4, cores);
    record(name, bench, latencies);
    recordWire(name, bench, latencies);
    EXPECT_EQ(static_cast<double>(bench.answer().frameBytes()), bench.plannedBytes()) << name;
    EXPECT_GT(latencies.simulated, 0) << name;
    worst = std::max(worst, latencies.error());
  }
  recordFigure(
      namespaces().shaped() ? "sim_latency_error_percent" : "sim_latency_error_loopback_percent",
      worst * 100, "%");
}

}  // namespace
}  // namespace narrows::test
