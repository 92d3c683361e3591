// The plans that the planner chooses, run as they are deployed, give what the whole network gives.
#include <gtest/gtest.h>

#include "narrows/codec/frame.h"
#include "narrows/engine/engine.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/planner/group_planner.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/difference.h"
#include "tests/support/planned_group.h"

namespace narrows::test {
namespace {

constexpr double kTolerance = 1e-5;  // of an output's range

void expectRuns(GroupPlanning planning, std::span<const Tensor> inputs,
                std::span<const Tensor> expected) {
  auto bundle = std::make_shared<Bundle>();
  bundle->plan = std::move(planning.best.split.plan);
  bundle->pieces = std::move(planning.best.split.pieces);
  bundle->description.head.kind = HeadKind::none;
  PipelineOptions options;
  options.engine = "reference";
  auto pipeline = LocalPipeline::create(bundle, options);
  ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
  const Status ran = pipeline->run(viewsOf(inputs), ImageSize{8, 8});
  ASSERT_TRUE(ran.ok()) << ran.error().message;
  std::size_t sent = 0;
  for (const std::size_t bytes : pipeline->frameBytes()) sent += bytes;
  // Outputs that all arise on one device are decoded there and stay; the plan brings them to the
  // sink.
  for (const Transfer& transfer : bundle->plan.transfers) {
    const bool stays = !transfer.destination.piece.valid() &&
                       pipeline->exchange().head != bundle->plan.sink_device;
    if (stays) sent += static_cast<std::size_t>(transfer.from.elements()) * 4 + kFrameHeaderBytes;
  }
  EXPECT_EQ(static_cast<double>(sent), planning.best.simulation.traffic.value());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_LE(differenceOf(pipeline->outputs()[i], expected[i]), kTolerance) << "output " << i;
  }
}

TEST(PlannedGroups, RunAsPlannedToTheByte) {
  for (const char* name :
       {"zoo:tiny-yolov3@96,width=0.25,classes=4", "zoo:yolov2@64,width=0.125,classes=4",
        "zoo:mobilenetv2@64,width=0.5,classes=10", "zoo:alexnet@96,width=0.25,classes=10"}) {
    auto model = buildZooModel(name, 1);
    ASSERT_TRUE(model.ok()) << model.error().message;
    auto graph = simplify(model->graph);
    ASSERT_TRUE(graph.ok()) << graph.error().message;
    const std::vector<Tensor> inputs = randomInputs(*graph, 1);
    const std::vector<Tensor> expected = runWhole(*graph, inputs);
    for (const GroupObjective objective :
         {GroupObjective::latency, GroupObjective::throughput, GroupObjective::memory}) {
      SCOPED_TRACE(fmt::format("{}, {}", name, toString(objective)));
      GroupPlannerOptions options;
      options.objective = objective;
      options.frame_overhead = Bytes(static_cast<double>(kFrameHeaderBytes));
      auto planning = planGroup(*graph, slowGroup(kFiveDevices), options);
      ASSERT_TRUE(planning.ok()) << planning.error().message;
      EXPECT_GT(planning->best.split.plan.pieces.size(), 1u);
      expectRuns(std::move(*planning), inputs, expected);
    }
  }
}

}  // namespace
}  // namespace narrows::test
