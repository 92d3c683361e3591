// What coding saves of a group's traffic, and what it costs in accuracy: YOLOv2 over six devices as
// DeeperThings divides it, beside the published optimum of floats; and two trained detectors under
// the same setting.
#include <gtest/gtest.h>

#include <cstdlib>

#include "narrows/base/thread_pool.h"
#include "narrows/eval/transfer_coding.h"
#include "narrows/eval/validator.h"
#include "narrows/formats/model_file.h"
#include "narrows/planner/break_point.h"
#include "narrows/planner/weight_slicing.h"
#include "tests/support/figure.h"
#include "tests/support/planned_group.h"
#include "tests/support/shared_data.h"

namespace narrows::test {
namespace {

constexpr std::int64_t kDevices = 6;
constexpr int kBits = 6;
constexpr int kSumBits = 6;

bool full() {
  return std::getenv("NARROWS_FULL") != nullptr;
}

TransferCoding setting(CoderKind coder, bool sums = true) {
  TransferCoding coding;
  coding.quantizer = {QuantizerKind::uniform, kBits, Granularity::channel};
  coding.coder.kind = coder;
  coding.sums = sums;
  if (sums) coding.sum_bits = kSumBits;
  return coding;
}

/// Fused tiles of 3 x 3, then weights sliced from convolution `first` on, over six equal devices.
Bundle published(const Graph& graph, std::size_t first, ModelDescription description) {
  auto group =
      parseDeviceGroup("[[device]]\nname = \"pi\"\ncount = 6\nmemory = \"none\"\n", "test");
  NARROWS_ASSERT(group.ok());
  auto design = publishedScheme(graph, *group, first, true, 3, 3);
  NARROWS_ASSERT(design.ok());
  auto split = buildGroupPlan(graph, *design);
  NARROWS_ASSERT(split.ok());
  Bundle bundle = bundleOf(std::move(*split), "published");
  bundle.description = std::move(description);
  return bundle;
}

/// Pictures of one split of coco128.
Result<DataSet> coco(const char* split, std::size_t limit, const ModelDescription& description) {
  NARROWS_TRY(folder, unpackedDataset("coco128"));
  DataOptions options;
  options.split = split;
  options.limit = limit;
  options.labels = description.labels;
  return openDataSet(folder, options);
}

struct Traffic {
  double sliced = 0;  // all but what tiles take of the picture
  double sums = 0;    // partial ones
  double total = 0;
};

Traffic trafficOf(const std::shared_ptr<const Bundle>& bundle, PictureSource& pictures) {
  const auto bytes = transferBytes(defaultEngineName(), bundle, pictures, hardwareThreads());
  NARROWS_ASSERT(bytes.ok());
  Traffic traffic;
  for (std::size_t t = 0; t < bytes->size(); ++t) {
    traffic.total += (*bytes)[t];
    const Transfer& transfer = bundle->plan.transfers[t];
    if (transfer.source.piece.valid()) traffic.sliced += (*bytes)[t];
    if (transfer.mode == TransferMode::add) traffic.sums += (*bytes)[t];
  }
  return traffic;
}

TEST(CodedTraffic, OfYolov2IsFarBelowThePublishedOptimumOfFloats) {
  NARROWS_REQUIRE_SHARED();
  auto model = buildZooModel(full() ? "zoo:yolov2" : "zoo:yolov2@192,width=0.25", 1);
  ASSERT_TRUE(model.ok());
  auto graph = simplify(model->graph);
  ASSERT_TRUE(graph.ok());
  // From the .cfg's layer 16 on, its 13th convolution, as the table of the publication has it.
  constexpr std::size_t kFirst = 12;
  const auto layers = slicedLayers(*graph);
  const double optimum = 4 * sliceByPath(std::span(layers).subspan(kFirst), kDevices).elements;
  if (full()) {
    EXPECT_NEAR(optimum / 1e6, 59.75, 0.005);
  }
  ModelDescription description;
  description.preprocessing.width = graph->shape(graph->inputs()[0])[3];
  description.preprocessing.height = graph->shape(graph->inputs()[0])[2];
  auto bundle = std::make_shared<Bundle>(published(*graph, kFirst, description));
  auto calibration = coco("train2017", full() ? 4 : 2, description);
  auto pictures = coco("val2017", 2, description);
  ASSERT_TRUE(calibration.ok() && pictures.ok());
  PictureSource calibrating(calibration->items, description.preprocessing);
  PictureSource measuring(pictures->items, description.preprocessing);
  const Traffic raw = trafficOf(bundle, measuring);
  const auto engine = *makeEngine(defaultEngineName());
  const Status coded =
      codeTransfers(*engine, *bundle, &calibrating, setting(CoderKind::context), hardwareThreads());
  ASSERT_TRUE(coded.ok()) << coded.error().message;
  const Traffic now = trafficOf(bundle, measuring);
  fmt::print(
      "YOLOv2 over six devices: published optimum {:.2f} MB; this plan {:.2f} MB, partial sums "
      "{:.2f} MB of it, with tiles {:.2f} MB; coded with {} and {} bits {:.2f} MB, {:.2f} MB, with "
      "tiles {:.2f} MB\n",
      optimum / 1e6, raw.sliced / 1e6, raw.sums / 1e6, raw.total / 1e6, kBits, kSumBits,
      now.sliced / 1e6, now.sums / 1e6, now.total / 1e6);
  const double saving = 100 * (1 - now.sliced / optimum);
  EXPECT_GE(saving, full() ? 85 : 75);
  if (!full()) return;
  recordFigure("traffic_coded_saving_percent", saving, "%");
  recordFigure("traffic_coded_with_tiles_saving_percent", 100 * (1 - now.total / raw.total), "%");
}

struct Detector {
  Graph graph;
  ModelDescription description;
};

Detector detector(const std::string& name) {
  const auto toml =
      std::filesystem::path(NARROWS_SOURCE_DIR) / "examples" / "models" / (name + ".toml");
  auto text = readTextFile(toml);
  NARROWS_ASSERT(text.ok());
  auto description = parseDescription(*text, toml.string());
  auto graph = readModel(*sharedData() / "models" / (name + ".cfg"));
  NARROWS_ASSERT(description.ok() && graph.ok());
  auto simple = simplify(*graph);
  NARROWS_ASSERT(simple.ok());
  return {std::move(*simple), std::move(*description)};
}

TEST(CodedTraffic, CostsDetectorsLessThanAPoint) {
  NARROWS_REQUIRE_SHARED();
  double worst = -100;
  double worst_raw_sums = -100;
  std::vector<std::string> names{"yolo-fastest-1.1-coco"};
  if (full()) names.emplace_back("mobilenetv2-yolov3-nano-coco");
  for (const std::string& name : names) {
    const Detector network = detector(name);
    auto calibration = coco("train2017", full() ? 32 : 4, network.description);
    auto pictures = coco("val2017", full() ? 0 : 12, network.description);
    ASSERT_TRUE(calibration.ok() && pictures.ok());
    PictureSource calibrating(calibration->items, network.description.preprocessing);
    auto validator = Validator::create(defaultEngineName(), *pictures, network.description,
                                       network.graph, hardwareThreads());
    ASSERT_TRUE(validator.ok()) << validator.error().message;
    const double uncut = validator->uncut().primary;
    const std::size_t first = bestBreakPoint(slicedLayers(network.graph), kDevices).layer;
    std::array<double, 2> drop{};
    std::array<double, 2> bytes{};
    const auto score = [&](const std::shared_ptr<const Bundle>& bundle, double& mean_bytes) {
      auto answers = validator->predict(bundle);
      NARROWS_ASSERT(answers.ok());
      mean_bytes = answers->frames.meanBytes();
      return uncut - validator->scorer().score(answers->predictions).primary;
    };
    auto plain = std::make_shared<Bundle>(published(network.graph, first, network.description));
    // A coder loses nothing, so that packed symbols cost as much accuracy.
    double raw_bytes = 0;
    EXPECT_NEAR(score(plain, raw_bytes), 0, 0.05);
    for (const bool sums : {true, false}) {
      auto bundle = std::make_shared<Bundle>(published(network.graph, first, network.description));
      const Status coded = codeTransfers(validator->engine(), *bundle, &calibrating,
                                         setting(CoderKind::raw, sums), hardwareThreads());
      ASSERT_TRUE(coded.ok()) << coded.error().message;
      drop[sums ? 0 : 1] = score(bundle, bytes[sums ? 0 : 1]);
    }
    fmt::print(
        "{}: {:.2f} %; with {} and {} bits {:.2f} points less and {:.0f} kB, packed, instead of "
        "{:.0f}; with partial sums as they are {:.2f} points and {:.0f} kB\n",
        name, uncut, kBits, kSumBits, drop[0], bytes[0] / 1e3, raw_bytes / 1e3, drop[1],
        bytes[1] / 1e3);
    if (full()) recordFigure("traffic_coded_drop_points_" + name, drop[0], "points");
    worst = std::max(worst, drop[0]);
    worst_raw_sums = std::max(worst_raw_sums, drop[1]);
  }
  // A dozen pictures tell no more than that nothing is broken.
  EXPECT_LT(worst, full() ? 1 : 10);
  if (!full()) return;
  recordFigure("traffic_coded_drop_points", worst, "points");
  recordFigure("traffic_coded_drop_points_raw_sums", worst_raw_sums, "points");
}

}  // namespace
}  // namespace narrows::test
