// For every cut, the node piece and then the server piece give what the whole gives: bit for bit on
// `reference`, within 1e-5 of an output's range on `onednn`.
//
// By default each model's cuts are all split and checked as graphs, and a few of them, evenly
// spread, are run. With NARROWS_FULL=1 all are run on both engines, and the figures cuts_checked
// and cut_invariance_failures are recorded.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "narrows/engine/engine.h"
#include "narrows/formats/model_file.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/plan/split.h"
#include "tests/support/difference.h"
#include "tests/support/figure.h"
#include "tests/support/model_input.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

namespace fs = std::filesystem;

constexpr double kTolerance = 1e-5;  // of an output's range, on engines other than the reference

bool isFull() {
  const char* full = std::getenv("NARROWS_FULL");
  return full != nullptr && std::string_view(full) == "1";
}

Result<std::vector<Tensor>> run(const Engine& engine, const Graph& graph,
                                std::span<const TensorView> inputs) {
  NARROWS_TRY(program, engine.compile(graph, {}));
  return runProgram(*program, inputs);
}

std::vector<TensorView> viewsOf(std::span<const Tensor> tensors) {
  return {tensors.begin(), tensors.end()};
}

/// The graph split at `cut` as it is deployed, with interfaces that lose nothing.
Result<SplitModel> splitPlainly(const Graph& graph, const Cut& cut) {
  std::vector<FeatureInterface> interfaces;
  for (ValueId value : cut.values) interfaces.push_back(plainInterface(graph.type(value)));
  return splitAt(graph, cut, std::move(interfaces));
}

/// Runs the pieces in order and moves whole tensors as the plan's transfers say.
Result<std::vector<Tensor>> runPieces(const Engine& engine, const SplitModel& split,
                                      std::span<const TensorView> inputs) {
  std::vector<std::vector<Tensor>> made(split.pieces.size());
  const auto sourceOf = [&](const Endpoint& destination) -> TensorView {
    for (const Transfer& transfer : split.plan.transfers) {
      if (transfer.destination != destination) continue;
      if (!transfer.source.piece.valid()) return inputs[transfer.source.port];
      return made[transfer.source.piece.index()][transfer.source.port];
    }
    return {};
  };
  for (std::size_t p = 0; p < split.pieces.size(); ++p) {
    std::vector<TensorView> piece_inputs;
    for (std::size_t i = 0; i < split.plan.pieces[p].inputs.size(); ++i) {
      piece_inputs.push_back(sourceOf({PieceId(p), i}));
    }
    NARROWS_TRY(outputs, run(engine, split.pieces[p], piece_inputs));
    made[p] = std::move(outputs);
  }
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < split.plan.outputs.size(); ++i) {
    const TensorView view = sourceOf({PieceId(), i});
    Tensor tensor(view.type());
    std::copy(view.bytes().begin(), view.bytes().end(), tensor.mutableView().bytes().begin());
    outputs.push_back(std::move(tensor));
  }
  return outputs;
}

/// Empty when the pieces give what the whole gave, otherwise what differs.
std::string problemAt(const Engine& engine, const Graph& graph, const Cut& cut,
                      std::span<const TensorView> inputs, std::span<const Tensor> expected) {
  auto split = splitPlainly(graph, cut);
  if (!split.ok()) return split.error().message;
  auto actual = runPieces(engine, *split, inputs);
  if (!actual.ok()) return actual.error().message;
  const double allowed = engine.name() == "reference" ? 0 : kTolerance;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double difference = differenceOf((*actual)[i], expected[i]);
    if (difference <= allowed) continue;
    return fmt::format("output \"{}\" differs by {:.3g} of its range, allowed {}",
                       graph.value(graph.outputs()[i]).name, difference, allowed);
  }
  return "";
}

/// All of `cuts`, or `most` of them, evenly spread with both ends.
std::vector<const Cut*> sample(const std::vector<Cut>& cuts, std::size_t most) {
  std::vector<const Cut*> chosen;
  const std::size_t count = std::min(most, cuts.size());
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t index = count == 1 ? 0 : i * (cuts.size() - 1) / (count - 1);
    chosen.push_back(&cuts[index]);
  }
  return chosen;
}

struct Model {
  const char* file;
  const char* input;
};

constexpr Model kModels[] = {
    {"yolo-fastest-1.1-coco.cfg", "yolo_dog_input"},
    {"mobilenetv2-yolov3-nano-coco.cfg", "yolo_dog_input"},
    {"mobilenetv2-yolov3-nano-voc.cfg", "yolo_dog_input"},
    {"yolox_nano.onnx", "yolox_nano_dog_input"},
    {"fastestdet.onnx", "fastestdet_dog_input"},
    {"ultraface-rfb-320.onnx", "ultraface-rfb-320_faces_input"},
    {"ultraface-rfb-320-simplified.onnx", "ultraface-rfb-320_faces_input"},
    {"squeezenet1_0-imagenet.onnx", "squeezenet1_0-imagenet_input"},
    {"mobilenetv2-imagenet.onnx", "mobilenetv2-imagenet_input"},
    {"resnet20-cifar10.onnx", "resnet-cifar10_input"},
    {"resnet56-cifar10.onnx", "resnet-cifar10_input"},
};

struct Tally {
  std::size_t checked = 0;
  std::size_t failed = 0;
};

void checkModel(const Model& model, const std::vector<std::unique_ptr<Engine>>& engines,
                Tally& tally) {
  const fs::path folder = *sharedData() / "models";
  auto raw = readModel(folder / model.file);
  ASSERT_TRUE(raw.ok()) << raw.error().message;
  auto graph = simplify(*raw);
  ASSERT_TRUE(graph.ok()) << graph.error().message;
  ASSERT_EQ(graph->inputs().size(), 1u);
  const Tensor input = inputFor(folder / "testvec", model.input, graph->type(graph->inputs()[0]));
  const TensorView inputs[] = {input};
  const std::vector<Cut> cuts = singleTensorCuts(*graph);
  EXPECT_GT(cuts.size(), 0u);
  for (const Cut& cut : cuts) {
    auto split = splitPlainly(*graph, cut);
    ASSERT_TRUE(split.ok()) << split.error().message;
    for (const Graph& piece : split->pieces) EXPECT_TRUE(verify(piece).ok());
    EXPECT_EQ(split->pieces[0].nodeCount() + split->pieces[1].nodeCount(), graph->nodeCount());
  }
  const Tally before = tally;
  for (const auto& engine : engines) {
    auto whole = run(*engine, *graph, inputs);
    ASSERT_TRUE(whole.ok()) << whole.error().message;
    const bool all = isFull() || engine->name() != "reference";
    for (const Cut* cut : sample(cuts, all ? cuts.size() : 3)) {
      const std::string problem = problemAt(*engine, *graph, *cut, inputs, *whole);
      ++tally.checked;
      tally.failed += problem.empty() ? 0 : 1;
      if (problem.empty()) continue;
      EXPECT_EQ(problemAt(*engine, *graph, *cut, inputs, *whole), "")
          << problem << ", " << engine->name() << ", cut at " << cutName(*graph, *cut);
    }
  }
  fmt::print("{}: {} cuts of one tensor, {} runs on {} engines, {} failed\n", model.file,
             cuts.size(), tally.checked - before.checked, engines.size(),
             tally.failed - before.failed);
  std::fflush(stdout);
}

std::vector<std::unique_ptr<Engine>> allEngines() {
  std::vector<std::unique_ptr<Engine>> engines;
  for (std::string_view name : engineNames()) {
    auto engine = makeEngine(name);
    NARROWS_ASSERT(engine.ok());
    engines.push_back(*std::move(engine));
  }
  return engines;
}

TEST(CutInvariance, PiecesOfEveryModelGiveWhatTheWholeGives) {
  NARROWS_REQUIRE_SHARED();
  const auto engines = allEngines();
  Tally tally;
  for (const Model& model : kModels) {
    SCOPED_TRACE(model.file);
    checkModel(model, engines, tally);
  }
  if (!isFull()) return;
  recordFigure("cuts_checked", static_cast<double>(tally.checked), "cuts x engines");
  recordFigure("cut_invariance_failures", static_cast<double>(tally.failed), "cuts x engines");
}

TEST(CutInvariance, PiecesOfRandomGraphsGiveWhatTheWholeGives) {
  const auto engines = allEngines();
  std::size_t checked = 0;
  for (std::uint32_t seed = 0; seed < 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const Graph graph = randomGraph(seed, {14, 1 + seed % 4 / 3, 10, true});
    const auto tensors = randomInputs(graph, seed);
    const auto inputs = viewsOf(tensors);
    const auto cuts = multiTensorCuts(graph, {3, 100'000, 1000}).cuts;
    for (const auto& engine : engines) {
      auto whole = run(*engine, graph, inputs);
      ASSERT_TRUE(whole.ok()) << whole.error().message;
      for (const Cut* cut : sample(cuts, 4)) {
        EXPECT_EQ(problemAt(*engine, graph, *cut, inputs, *whole), "")
            << engine->name() << ", cut at " << cutName(graph, *cut);
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 100u);
}

TEST(CutInvariance, SeesAWrongPiece) {
  const Graph graph = randomGraph(8);
  auto engine = makeEngine("reference");
  const auto tensors = randomInputs(graph, 8);
  const auto inputs = viewsOf(tensors);
  auto whole = run(**engine, graph, inputs);
  ASSERT_TRUE(whole.ok());
  const auto cuts = multiTensorCuts(graph).cuts;
  ASSERT_FALSE(cuts.empty());
  (*whole)[0].mutableAs<float>()[0] += 1e-3F;
  EXPECT_NE(problemAt(**engine, graph, cuts[0], inputs, *whole), "");
}

}  // namespace
}  // namespace narrows::test
