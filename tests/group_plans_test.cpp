// Random plans over a group give what the whole network gives: bit for bit on `reference` for
// tiles, slices of filters and whole stages, within 1e-5 of an output's range where partial sums
// change the order of additions. Each plan runs as it is deployed: all devices in this process,
// frames between them.
//
// By default a few dozen plans; with NARROWS_FULL=1 the count below for every model, and the
// figures plans_checked and plans_inexact are recorded.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/part.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/plan/group.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/difference.h"
#include "tests/support/figure.h"
#include "tests/support/model_input.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

constexpr double kTolerance = 1e-5;  // of an output's range, where sums are partial
// Each layer that is added up from parts rounds anew, and later layers make what it rounded larger.
constexpr std::size_t kMostSums = 3;
constexpr std::int64_t kMostMacs = 50'000'000;  // of a network of the zoo

bool isFull() {
  const char* full = std::getenv("NARROWS_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

/// Draws designs: stages of any length, divided in any way over up to six devices.
class DesignMaker {
 public:
  DesignMaker(const Graph& graph, std::uint32_t seed) : graph_(graph), random_(seed) {}

  GroupDesign make() {
    GroupDesign design;
    const std::size_t devices = pick(1, 6);
    for (std::size_t d = 0; d < devices; ++d) design.devices.push_back({fmt::format("d{}", d)});
    devices_ = devices;
    design.source = device();
    design.sink = device();
    std::size_t begin = 0;
    std::size_t sums = 0;
    while (begin < graph_.nodeCount()) {
      const std::size_t left = graph_.nodeCount() - begin;
      std::size_t end = begin + 1 + random_() % std::min<std::size_t>(left, pick(1, 40));
      if (sums < kMostSums && pick(0, 2) == 0) {
        const std::size_t sum = nextSum(end);
        if (sum < graph_.nodeCount()) {
          const std::size_t parts = pick(1, 6);
          design.stages.push_back({sum, SumStage{weights(parts), someDevices(parts)}});
          begin = sum;
          ++sums;
          continue;
        }
      }
      design.stages.push_back({end, division()});
      begin = end;
    }
    return design;
  }

 private:
  std::size_t pick(std::size_t least, std::size_t most) {
    return least + random_() % (most - least + 1);
  }
  DeviceId device() { return DeviceId(random_() % devices_); }
  std::vector<DeviceId> someDevices(std::size_t count) {
    std::vector<DeviceId> devices;
    for (std::size_t i = 0; i < count; ++i) devices.push_back(device());
    return devices;
  }
  /// Even, or by chance, with nothing for some.
  std::vector<double> weights(std::size_t count) {
    std::vector<double> weights(count, 1.0);
    if (pick(0, 1) == 0) return weights;
    for (double& weight : weights) weight = static_cast<double>(random_() % 5);
    weights[random_() % count] += 1;
    return weights;
  }
  /// Behind the first node from `end - 1` on that can be summed from parts; past the last node
  /// when there is none.
  std::size_t nextSum(std::size_t end) const {
    for (std::size_t n = end - 1; n < graph_.nodeCount(); ++n) {
      if (summedLayer(graph_, NodeId(n))) return n + 1;
    }
    return graph_.nodeCount() + 1;
  }
  StageDivision division() {
    switch (pick(0, 5)) {
      case 0:
        return WholeStage{device()};
      case 1:
      case 2: {
        const std::size_t parts = pick(1, 6);
        return FilterStage{weights(parts), someDevices(parts)};
      }
      default: {
        const std::size_t rows = pick(1, 5);
        const std::size_t columns = pick(1, 5);
        return GridStage{weights(rows), weights(columns), someDevices(rows * columns)};
      }
    }
  }

  const Graph& graph_;
  std::mt19937 random_;
  std::size_t devices_ = 1;
};

std::string describe(const GroupDesign& design) {
  std::string text = fmt::format("{} devices:", design.devices.size());
  for (const GroupStage& stage : design.stages) {
    if (std::holds_alternative<WholeStage>(stage.division)) text += fmt::format(" whole");
    if (const auto* grid = std::get_if<GridStage>(&stage.division)) {
      text += fmt::format(" {}x{}", grid->rows.size(), grid->columns.size());
    }
    if (const auto* filters = std::get_if<FilterStage>(&stage.division)) {
      text += fmt::format(" filters{}", filters->shares.size());
    }
    if (const auto* sums = std::get_if<SumStage>(&stage.division)) {
      text += fmt::format(" sums{}", sums->shares.size());
    }
    text += fmt::format("<{}", stage.end);
  }
  return text;
}

bool hasSums(const GroupDesign& design) {
  for (const GroupStage& stage : design.stages) {
    if (std::holds_alternative<SumStage>(stage.division)) return true;
  }
  return false;
}

struct Tally {
  std::size_t checked = 0;
  std::size_t inexact = 0;
  std::size_t with_sums = 0;
  std::size_t beyond_tolerance = 0;
  double worst_sum = 0;
};

std::vector<TensorView> viewsOf(std::span<const Tensor> tensors) {
  return {tensors.begin(), tensors.end()};
}

Result<std::vector<Tensor>> runWhole(std::string_view engine_name, const Graph& graph,
                                     std::span<const Tensor> inputs) {
  NARROWS_TRY(engine, makeEngine(engine_name));
  NARROWS_TRY(program, engine->compile(graph, {}));
  return runProgram(*program, viewsOf(inputs));
}

/// The whole network's outputs, and how far another order of additions moves them: what they may
/// differ by where sums are partial. That is kTolerance, or more for a network that makes rounding
/// larger, as an engine shows that orders all of its additions differently.
struct Expected {
  std::vector<Tensor> outputs;
  double tolerance = kTolerance;
};

Result<Expected> expect(const Graph& graph, std::span<const Tensor> inputs) {
  Expected expected;
  NARROWS_TRY(outputs, runWhole("reference", graph, inputs));
  NARROWS_TRY(others, runWhole(defaultEngineName(), graph, inputs));
  expected.outputs = std::move(outputs);
  for (std::size_t i = 0; i < others.size(); ++i) {
    expected.tolerance = std::max(expected.tolerance, differenceOf(others[i], expected.outputs[i]));
  }
  return expected;
}

/// Builds and runs one plan; empty when its outputs are right.
std::string problemOf(const Graph& graph, const GroupDesign& design, std::span<const Tensor> inputs,
                      const Expected& expected, Tally& tally) {
  auto built = buildGroupPlan(graph, design);
  if (!built.ok()) return built.error().message;
  auto bundle = std::make_shared<Bundle>();
  bundle->plan = std::move(built->plan);
  bundle->pieces = std::move(built->pieces);
  bundle->description.head.kind = HeadKind::none;
  PipelineOptions options;
  options.engine = "reference";
  auto pipeline = LocalPipeline::create(bundle, options);
  if (!pipeline.ok()) return pipeline.error().message;
  const Status ran = pipeline->run(viewsOf(inputs), ImageSize{8, 8});
  if (!ran.ok()) return ran.error().message;
  const bool sums = hasSums(design);
  double worst = 0;
  for (std::size_t i = 0; i < expected.outputs.size(); ++i) {
    worst = std::max(worst, differenceOf(pipeline->outputs()[i], expected.outputs[i]));
  }
  if (sums) tally.worst_sum = std::max(tally.worst_sum, worst);
  if (sums && worst > kTolerance) ++tally.beyond_tolerance;
  if (worst > (sums ? expected.tolerance : 0)) {
    return fmt::format("an output differs by {:.3g} of its range", worst);
  }
  return "";
}

void checkGraph(const Graph& graph, std::string_view name, std::span<const Tensor> inputs,
                std::size_t plans, std::uint32_t seed, Tally& tally) {
  auto expected = expect(graph, inputs);
  ASSERT_TRUE(expected.ok()) << expected.error().message;
  for (std::size_t p = 0; p < plans; ++p) {
    const auto plan_seed = static_cast<std::uint32_t>(seed * 1000 + p);
    const GroupDesign design = DesignMaker(graph, plan_seed).make();
    const std::string problem = problemOf(graph, design, inputs, *expected, tally);
    ++tally.checked;
    if (hasSums(design)) ++tally.with_sums;
    if (problem.empty()) continue;
    ++tally.inexact;
    ADD_FAILURE() << name << ", seed " << plan_seed << ": " << problem << "\n  "
                  << describe(design);
  }
}

void report(std::string_view what, const Tally& tally) {
  fmt::print(
      "{}: {} plans, {} of them with partial sums (worst {:.2g} of the range, {} beyond {:g}), {} "
      "wrong\n",
      what, tally.checked, tally.with_sums, tally.worst_sum, tally.beyond_tolerance, kTolerance,
      tally.inexact);
  std::fflush(stdout);
}

void record(const Tally& tally) {
  recordFigure("plans_checked", static_cast<double>(tally.checked), "plans");
  recordFigure("plans_beyond_1e-5", static_cast<double>(tally.beyond_tolerance), "plans");
  recordFigure("plans_inexact", static_cast<double>(tally.inexact), "plans");
}

TEST(GroupPlans, OfRandomGraphsGiveWhatTheWholeGives) {
  Tally tally;
  const std::uint32_t graphs = isFull() ? 400 : 120;
  for (std::uint32_t seed = 1; seed <= graphs; ++seed) {
    RandomGraphOptions options;
    options.nodes = 6 + seed % 20;
    options.inputs = 1 + seed % 2;
    const Graph graph = randomGraph(seed, options);
    checkGraph(graph, graph.name, randomInputs(graph, seed), 3, seed, tally);
  }
  report("random graphs", tally);
}

TEST(GroupPlans, OfNetworksGiveWhatTheWholeGives) {
  constexpr const char* kZoo[] = {
      "zoo:tiny-yolov3@160,width=0.25,classes=8", "zoo:yolov2@96,width=0.2,classes=8",
      "zoo:vgg16@48,width=0.2,classes=20",        "zoo:alexnet@128,width=0.25,classes=20",
      "zoo:googlenet@96,width=0.2,classes=20",    "zoo:resnet18@96,width=0.25,classes=20",
      "zoo:mobilenetv2@96,width=0.5,classes=20",  "zoo:squeezenet@96,width=0.5,classes=20"};
  struct Model {
    const char* file;
    const char* input;
  };
  constexpr Model kModels[] = {{"resnet20-cifar10.onnx", "resnet-cifar10_input"},
                               {"resnet56-cifar10.onnx", "resnet-cifar10_input"},
                               {"ultraface-rfb-320.onnx", "ultraface-rfb-320_faces_input"},
                               {"fastestdet.onnx", "fastestdet_dog_input"},
                               {"yolo-fastest-1.1-coco.cfg", "yolo_dog_input"},
                               {"mobilenetv2-yolov3-nano-voc.cfg", "yolo_dog_input"},
                               {"yolox_nano.onnx", "yolox_nano_dog_input"},
                               {"squeezenet1_0-imagenet.onnx", "squeezenet1_0-imagenet_input"},
                               {"mobilenetv2-imagenet.onnx", "mobilenetv2-imagenet_input"}};
  Tally tally;
  std::uint32_t seed = 1;
  for (const char* name : kZoo) {
    auto model = buildZooModel(name, 1);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_LE(cost(model->graph).macs, kMostMacs) << name;
    // As built, with normalisation behind the convolutions, and folded as it is deployed.
    auto folded = simplify(model->graph);
    ASSERT_TRUE(folded.ok()) << folded.error().message;
    const Graph& graph = seed % 2 == 0 ? model->graph : *folded;
    const Tally before = tally;
    checkGraph(graph, name, randomInputs(graph, seed), isFull() ? 50 : 4, seed, tally);
    ++seed;
    fmt::print("{}: {:.0f} MMAC, {} plans\n", name, static_cast<double>(cost(graph).macs) / 1e6,
               tally.checked - before.checked);
    std::fflush(stdout);
  }
  if (const auto shared = sharedData()) {
    const std::filesystem::path folder = *shared / "models";
    for (const auto& [file, vector] : kModels) {
      auto raw = readModel(folder / file);
      ASSERT_TRUE(raw.ok()) << raw.error().message;
      auto graph = simplify(*raw);
      ASSERT_TRUE(graph.ok()) << graph.error().message;
      const Tensor inputs[] = {
          inputFor(folder / "testvec", vector, graph->type(graph->inputs()[0]))};
      checkGraph(*graph, file, inputs, isFull() ? 14 : 1, seed++, tally);
    }
  } else {
    fmt::print("no shared data: its models are left out\n");
  }
  report("networks", tally);
  record(tally);
}

}  // namespace
}  // namespace narrows::test
