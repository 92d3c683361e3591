// Plans over workers that reach each other over the loopback interface give what the whole network
// gives, and move the bytes that the plan says.
#include <gtest/gtest.h>

#include <thread>

#include "narrows/base/file.h"
#include "narrows/eval/transfer_coding.h"
#include "narrows/formats/model_file.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/plan/json.h"
#include "narrows/planner/recovery.h"
#include "tests/support/difference.h"
#include "tests/support/loopback_group.h"
#include "tests/support/pictures.h"
#include "tests/support/planned_group.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

constexpr double kTolerance = 1e-5;  // of an output's range, where sums are partial

/// A worker for every device of a plan.
struct Group {
  std::vector<std::unique_ptr<LoopbackWorker>> workers;
  std::vector<GroupMember> members;
  EventLog events;
  std::unique_ptr<Coordinator> coordinator;

  explicit Group(const Deployment& deployment, CoordinatorOptions options = {}) {
    for (const Device& device : deployment.plan().devices) {
      workers.push_back(std::make_unique<LoopbackWorker>());
      members.push_back({device.name, workers.back()->address()});
    }
    options.outputs = true;
    auto started =
        Coordinator::start(deployment, members, loopbackConnector(), options, events.sink());
    EXPECT_TRUE(started.ok()) << started.error().message;
    if (started.ok()) coordinator = std::move(*started);
  }
};

bool addsUp(const Plan& plan) {
  return std::any_of(plan.transfers.begin(), plan.transfers.end(),
                     [](const Transfer& transfer) { return transfer.mode == TransferMode::add; });
}

void expectOutputs(const GroupAnswer& answer, const std::vector<Tensor>& expected,
                   double tolerance) {
  ASSERT_EQ(answer.outputs.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(differenceOf(answer.outputs[i], expected[i]), tolerance) << "output " << i;
  }
}

/// Bytes that the plan moves between workers; outputs that all arise on one device are answered
/// from there.
double plannedBytes(const Deployment& deployment, const Simulation& simulation) {
  double bytes = simulation.traffic.value();
  const Plan& plan = deployment.plan();
  for (const Transfer& transfer : plan.transfers) {
    const bool stays = !transfer.destination.piece.valid() &&
                       deployment.exchange().head != plan.sink_device &&
                       plan.deviceOf(transfer.source, true) != plan.sink_device;
    if (stays) {
      bytes -= static_cast<double>(transfer.from.elements()) * 4 +
               static_cast<double>(kFrameHeaderBytes);
    }
  }
  return bytes;
}

void expectTraffic(const GroupAnswer& answer, double planned_bytes) {
  EXPECT_EQ(static_cast<double>(answer.frameBytes()), planned_bytes);
  std::size_t messages = 0;
  std::size_t transfers = 0;
  for (const DeviceWork& work : answer.work) {
    for (const DeviceWork::Sent& sent : work.sent) {
      messages += sent.messages;
      transfers += (sent.message_bytes - sent.frame_bytes - sent.messages * regionsOverhead(0)) / 8;
    }
  }
  EXPECT_EQ(answer.messageBytes(),
            answer.frameBytes() + messages * regionsOverhead(0) + 8 * transfers);
}

void runOverWorkers(const Graph& graph, GroupPlanning planning, std::string name) {
  const std::vector<Tensor> inputs = randomInputs(graph, 1);
  const std::vector<Tensor> expected = runWhole(graph, inputs);
  const Simulation simulation = planning.best.simulation;
  auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), std::move(name)));
  ASSERT_TRUE(deployment.ok()) << deployment.error().message;
  Group group(*deployment);
  ASSERT_NE(group.coordinator, nullptr);
  const ByteVector payload = payloadOf(inputs);
  for (int frame = 0; frame < 2; ++frame) {
    auto answer = group.coordinator->infer({RunInput::tensors, payload, std::nullopt});
    ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << group.events.text();
    expectOutputs(*answer, expected, addsUp(deployment->plan()) ? kTolerance : 0);
    expectTraffic(*answer, plannedBytes(*deployment, simulation));
    EXPECT_EQ(answer->attempts, 1) << group.events.text();
  }
}

TEST(WorkerGroup, GivesWhatTheWholeNetworkGives) {
  for (const char* name :
       {"zoo:tiny-yolov3@96,width=0.25,classes=4", "zoo:mobilenetv2@64,width=0.5,classes=10",
        "zoo:alexnet@96,width=0.25,classes=10"}) {
    const Graph graph = zooGraph(name);
    for (const GroupObjective objective :
         {GroupObjective::latency, GroupObjective::throughput, GroupObjective::memory}) {
      SCOPED_TRACE(fmt::format("{}, {}", name, toString(objective)));
      runOverWorkers(graph, planned(graph, slowGroup(kFiveDevices), objective), "zoo");
    }
  }
}

TEST(WorkerGroup, RunsAModelOfTheSharedData) {
  NARROWS_REQUIRE_SHARED();
  auto model = readModel(*sharedData() / "models" / "resnet20-cifar10.onnx");
  ASSERT_TRUE(model.ok()) << model.error().message;
  auto graph = simplify(*model);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  runOverWorkers(*graph, planned(*graph, slowGroup(kFiveDevices), GroupObjective::latency),
                 "resnet20");
}

TEST(WorkerGroup, SeveralFramesAtOnceKeepApart) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  GroupPlanning planning = planned(graph, slowGroup(kFiveDevices), GroupObjective::throughput);
  auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), "zoo"));
  ASSERT_TRUE(deployment.ok()) << deployment.error().message;
  const double tolerance = addsUp(deployment->plan()) ? kTolerance : 0;
  CoordinatorOptions options;
  options.in_flight = 4;
  Group group(*deployment, options);
  ASSERT_NE(group.coordinator, nullptr);
  std::vector<std::thread> callers;
  for (std::uint32_t caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::uint32_t frame = 0; frame < 4; ++frame) {
        const std::vector<Tensor> inputs = randomInputs(graph, 100 * caller + frame);
        const ByteVector payload = payloadOf(inputs);
        auto answer = group.coordinator->infer({RunInput::tensors, payload, std::nullopt});
        ASSERT_TRUE(answer.ok()) << answer.error().message;
        expectOutputs(*answer, runWhole(graph, inputs), tolerance);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(group.events.count(GroupEvent::Kind::planned), 1u) << group.events.text();
}

TEST(WorkerGroup, CodedRegionsGiveWhatOneProcessGives) {
  auto folder = TemporaryDirectory::create("narrows-coded");
  ASSERT_TRUE(folder.ok());
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  GroupPlanning planning = planned(graph, slowGroup(kFiveDevices), GroupObjective::latency);
  auto bundle = std::make_shared<Bundle>(bundleOf(std::move(planning.best.split), "coded"));
  const auto items = wavyPictures(folder->path(), 2, 96, 96);
  PictureSource pictures(items, bundle->description.preprocessing);
  TransferCoding coding;
  coding.quantizer = {QuantizerKind::uniform, 5, Granularity::channel};
  coding.coder.kind = CoderKind::context;
  const auto engine = makeEngine("reference");
  const Status coded = codeTransfers(**engine, *bundle, &pictures, coding, 1);
  ASSERT_TRUE(coded.ok()) << coded.error().message;
  ASSERT_FALSE(bundle->plan.interfaces.empty());
  const std::vector<Tensor> inputs = randomInputs(graph, 1);
  PipelineOptions options;
  options.engine = "reference";
  auto local = LocalPipeline::create(bundle, options);
  ASSERT_TRUE(local.ok()) << local.error().message;
  ASSERT_TRUE(local->run(viewsOf(inputs)).ok());
  std::size_t bytes = 0;
  for (const std::size_t frame : local->frameBytes()) bytes += frame;
  auto deployment = Deployment::of(*bundle);
  ASSERT_TRUE(deployment.ok()) << deployment.error().message;
  Group group(*deployment);
  ASSERT_NE(group.coordinator, nullptr);
  const ByteVector payload = payloadOf(inputs);
  auto answer = group.coordinator->infer({RunInput::tensors, payload, std::nullopt});
  ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << group.events.text();
  ASSERT_EQ(answer->outputs.size(), local->outputs().size());
  for (std::size_t i = 0; i < answer->outputs.size(); ++i) {
    EXPECT_EQ(differenceOf(answer->outputs[i], local->outputs()[i]), 0);
  }
  EXPECT_EQ(answer->frameBytes(), bytes);
}

/// Bytes that the coordinator had to send for its last plan, as it says itself.
std::size_t sentForLastPlan(const EventLog& events) {
  const std::string text = events.text();
  const std::size_t end = text.rfind(" B of pieces sent");
  NARROWS_ASSERT(end != std::string::npos);
  return std::stoul(text.substr(text.rfind(' ', end - 1) + 1));
}

TEST(WorkerGroup, AStandbyHasTheWeightsAlready) {
  const Graph graph = zooGraph("zoo:alexnet@96,width=0.25,classes=10");
  const std::vector<Tensor> inputs = randomInputs(graph, 1);
  const std::vector<Tensor> expected = runWhole(graph, inputs);
  const ByteVector payload = payloadOf(inputs);
  for (const bool standbys : {false, true}) {
    SCOPED_TRACE(standbys ? "with standbys" : "without");
    GroupPlanning planning = planned(graph, slowGroup(kFiveDevices), GroupObjective::latency);
    if (standbys) nameStandbys(planning.best);
    const std::size_t weights = planning.best.simulation.devices[2].weights;
    ASSERT_GT(weights, 50'000u);
    auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), "zoo"));
    ASSERT_TRUE(deployment.ok()) << deployment.error().message;
    Group group(*deployment);
    ASSERT_NE(group.coordinator, nullptr);
    group.workers[2].reset();
    auto answer = group.coordinator->infer({RunInput::tensors, payload, std::nullopt});
    ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << group.events.text();
    expectOutputs(*answer, expected, kTolerance);
    ASSERT_EQ(group.events.count(GroupEvent::Kind::planned), 2u) << group.events.text();
    // The new plan's own text goes to each of the four that are left.
    const std::size_t plan = formatPlan(group.coordinator->deployment().plan()).size();
    if (standbys) {
      EXPECT_LE(sentForLastPlan(group.events), 4 * plan);
    } else {
      EXPECT_GE(sentForLastPlan(group.events), weights);
    }
  }
}

/// The devices of `group` that are named; the first one left gives inputs and takes outputs.
DeviceGroup onlyNamed(const DeviceGroup& group, const std::vector<std::string>& names) {
  DeviceGroup left;
  for (const GroupDevice& device : group.devices) {
    if (std::find(names.begin(), names.end(), device.name) != names.end()) {
      left.devices.push_back(device);
    }
  }
  return left;
}

TEST(WorkerGroup, IsPlannedAnewForTheDevicesThatAreLeft) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  const DeviceGroup devices = slowGroup(kFiveDevices);
  GroupPlanning planning = planned(graph, devices, GroupObjective::latency);
  auto deployment = Deployment::of(bundleOf(std::move(planning.best.split), "zoo"));
  ASSERT_TRUE(deployment.ok()) << deployment.error().message;
  CoordinatorOptions options;
  std::vector<std::string> planned_for;
  options.replanner = [&](const std::vector<std::string>& alive) {
    planned_for = alive;
    GroupPlanning anew = planned(graph, onlyNamed(devices, alive), GroupObjective::latency);
    return Deployment::of(bundleOf(std::move(anew.best.split), "anew"));
  };
  Group group(*deployment, options);
  ASSERT_NE(group.coordinator, nullptr);
  const std::vector<Tensor> inputs = randomInputs(graph, 1);
  const std::vector<Tensor> expected = runWhole(graph, inputs);
  const ByteVector payload = payloadOf(inputs);
  for (const std::size_t gone : {0, 2}) {
    group.workers[gone].reset();
    auto answer = group.coordinator->infer({RunInput::tensors, payload, std::nullopt});
    ASSERT_TRUE(answer.ok()) << answer.error().message << "\n" << group.events.text();
    expectOutputs(*answer, expected, kTolerance);
  }
  EXPECT_EQ(planned_for, (std::vector<std::string>{"board1", "board3", "screen"}));
  EXPECT_EQ(group.coordinator->deployment().plan().devices.size(), 3u);
}

}  // namespace
}  // namespace narrows::test
