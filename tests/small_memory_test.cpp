// Plans for one device that is too small, run as they are deployed, against the whole network.
#include <gtest/gtest.h>

#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/sequence_pipeline.h"
#include "narrows/planner/memory_planner.h"
#include "tests/support/difference.h"
#include "tests/support/planned_group.h"

namespace narrows::test {
namespace {

MemoryPlanning plannedFor(const Graph& graph, double memory) {
  auto group = parseDeviceGroup("[[device]]\nname = \"board\"\n", "test");
  NARROWS_ASSERT(group.ok());
  MemoryPlannerOptions options;
  options.memory = memory;
  options.window = 64e3;
  auto planning = planWithinMemory(graph, *group, options);
  if (!planning.ok()) fmt::print("{}\n", planning.error().message);
  NARROWS_ASSERT(planning.ok());
  return std::move(*planning);
}

struct Case {
  const char* model;
  double memory;  // bytes
  bool divides;
};

class SmallMemory : public testing::TestWithParam<Case> {};

TEST_P(SmallMemory, GivesWhatTheWholeNetworkGives) {
  const Graph graph = zooGraph(GetParam().model);
  MemoryPlanning planning = plannedFor(graph, GetParam().memory);
  EXPECT_EQ(planning.split.pieces.size() > 1, GetParam().divides);
  EXPECT_LE(static_cast<double>(planning.peak), GetParam().memory);
  const std::size_t weights = planning.weight_bytes;
  auto folder = TemporaryDirectory::create("narrows-small");
  ASSERT_TRUE(folder.ok());
  const Bundle bundle = bundleOf(std::move(planning.split), GetParam().model);
  const std::vector<Tensor> inputs = randomInputs(graph, 7);
  const std::vector<Tensor> whole = runWhole(graph, inputs);
  fmt::print("{}: {} pieces, {:.2f} MB of weights read\n", GetParam().model, bundle.pieces.size(),
             static_cast<double>(weights) / 1e6);
  for (const char* form : {"folder", "file.narrows"}) {
    const auto path = folder->path() / form;
    const auto written = writeBundle(bundle, path);
    ASSERT_TRUE(written.ok()) << written.error().message;
    for (const std::string_view engine : engineNames()) {
      if (engine == "reference" && form != std::string_view("folder")) continue;
      for (const bool stream : {true, false}) {
        if (engine == "reference" && !stream) continue;  // it packs nothing
        SCOPED_TRACE(fmt::format("{} {} {}", form, engine, stream));
        SequenceOptions options;
        options.engine = engine;
        options.stream = stream;
        options.threads = 2;
        options.window = 64 << 10;
        auto pipeline = SequencePipeline::open(path, options);
        ASSERT_TRUE(pipeline.ok()) << pipeline.error().message;
        for (int run = 0; run < 2; ++run) {
          std::vector<Tensor> copies;
          copies.reserve(inputs.size());
          for (const Tensor& input : inputs) copies.push_back(input.clone());
          const auto status = pipeline->run(std::move(copies));
          ASSERT_TRUE(status.ok()) << status.error().message;
          ASSERT_EQ(pipeline->outputs().size(), whole.size());
          for (std::size_t i = 0; i < whole.size(); ++i) {
            const double difference = differenceOf(pipeline->outputs()[i], whole[i]);
            if (engine == "reference") {
              EXPECT_EQ(difference, 0);
            } else {
              EXPECT_LT(difference, 1e-4);
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, SmallMemory,
                         testing::Values(Case{"zoo:vgg16@32,width=0.125", 0.6e6, true},
                                         Case{"zoo:tiny-yolov3@96,width=0.5", 1e6, true},
                                         Case{"zoo:resnet18@64,width=0.25", 0.7e6, true},
                                         Case{"zoo:mobilenetv2@64,width=0.5", 1e8, false}));

TEST(SmallMemory, RefusesAPlanOfSeveralDevices) {
  auto folder = TemporaryDirectory::create("narrows-small");
  ASSERT_TRUE(folder.ok());
  const Graph graph = zooGraph("zoo:squeezenet@64,width=0.25");
  GroupPlanning planning = planned(graph, slowGroup(kFiveDevices), GroupObjective::latency);
  ASSERT_GT(planning.best.split.plan.devices.size(), 1u);
  const auto path = folder->path() / "group";
  ASSERT_TRUE(writeBundle(bundleOf(std::move(planning.best.split), "group"), path).ok());
  const auto pipeline = SequencePipeline::open(path, {});
  ASSERT_FALSE(pipeline.ok());
  EXPECT_NE(pipeline.error().message.find("5 devices"), std::string::npos)
      << pipeline.error().message;
}

}  // namespace
}  // namespace narrows::test
