// The published problems of DeepThings (Zhao et al. 2018), Stahl et al. (SAMOS 2019) and
// DeeperThings (IJPP 2021) and what their formulas give for four networks, to the printed digits.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "narrows/graph/passes.h"
#include "narrows/plan/group.h"
#include "narrows/planner/break_point.h"
#include "narrows/planner/weight_slicing.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

constexpr Seconds kLimit{20.0};

Graph networkOf(const char* name) {
  auto model = buildZooModel(name, 1, false);
  NARROWS_ASSERT(model.ok());
  auto graph = simplify(model->graph);
  NARROWS_ASSERT(graph.ok());
  return std::move(*graph);
}

/// Darknet's AlexNet, whose layers have other sizes than torchvision's: 227 pixels, 55 x 55 x 96
/// after the first convolution.
std::vector<SlicedLayer> darknetAlexnet() {
  return {{227 * 227 * 3, 55 * 55 * 96, 11 * 11 * 3 * 96, false, NodeId()},
          {27 * 27 * 96, 27 * 27 * 256, 25 * 96 * 256, false, NodeId()},
          {13 * 13 * 256, 13 * 13 * 384, 9 * 256 * 384, false, NodeId()},
          {13 * 13 * 384, 13 * 13 * 384, 9 * 384 * 384, true, NodeId()},
          {13 * 13 * 384, 13 * 13 * 256, 9 * 384 * 256, true, NodeId()}};
}

struct Networks {
  std::vector<SlicedLayer> yolov2 = slicedLayers(networkOf("zoo:yolov2"));
  std::vector<SlicedLayer> vgg16 = slicedLayers(networkOf("zoo:vgg16"));
  std::vector<SlicedLayer> googlenet = slicedLayers(networkOf("zoo:googlenet"));
  std::vector<SlicedLayer> alexnet = darknetAlexnet();
};

double megabytes(double elements) {
  return 4e-6 * elements;
}

/// As a table prints it.
double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

double millisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

/// A row of the traffic table: N = 2 to 7.
struct TrafficRow {
  const char* name;
  std::span<const SlicedLayer> layers;
  bool filters_only;
  std::array<double, 6> megabytes;
};

TEST(Published, TrafficOfFourNetworksToThePrintedDigit) {
  const Networks networks;
  // Layers are counted among the convolutions: layer 16 of YOLOv2's .cfg is its 13th convolution.
  const auto from = [](const std::vector<SlicedLayer>& layers, std::size_t first) {
    return std::span(layers).subspan(first);
  };
  const TrafficRow rows[] = {
      {"YOLOv2 from 16, LOP",
       from(networks.yolov2, 12),
       true,
       {18.61, 35.40, 51.75, 67.92, 83.99, 100.02}},
      {"YOLOv2 from 16",
       from(networks.yolov2, 12),
       false,
       {13.92, 25.87, 37.33, 48.59, 59.75, 70.86}},
      {"YOLOv2 from 12",
       from(networks.yolov2, 8),
       false,
       {19.84, 37.70, 55.07, 72.25, 89.32, 106.34}},
      {"VGG-16 from 7", from(networks.vgg16, 4), false, {13.25, 26.49, 39.74, 52.99, 66.23, 79.48}},
      {"GoogLeNet from 4",
       from(networks.googlenet, 2),
       false,
       {7.12, 13.24, 18.95, 24.55, 30.08, 35.58}},
      {"AlexNet from 2", from(networks.alexnet, 1), false, {1.26, 2.27, 3.22, 4.14, 5.05, 5.95}}};
  double worst = 0;
  for (const TrafficRow& row : rows) {
    for (std::size_t i = 0; i < row.megabytes.size(); ++i) {
      const auto devices = static_cast<std::int64_t>(i) + 2;
      const SlicingPlan plan = row.filters_only ? sliceFiltersOnly(row.layers, devices)
                                                : sliceByPath(row.layers, devices);
      const double printed = rounded(megabytes(plan.elements), 2);
      EXPECT_NEAR(printed, row.megabytes[i], 1e-9) << row.name << ", N = " << devices;
      worst = std::max(worst, std::abs(printed / row.megabytes[i] - 1) * 100);
    }
  }
  test::recordFigure("traffic_table_max_error_percent", worst, "%", "modelled");
  // "Up to 28.8 %" at six devices.
  const auto yolov2 = from(networks.yolov2, 12);
  const double saving = 1 - sliceByPath(yolov2, 6).elements / sliceFiltersOnly(yolov2, 6).elements;
  EXPECT_NEAR(saving, 0.288, 0.001);
  test::recordFigure("yolov2_traffic_saving_percent", saving * 100, "%", "modelled");
}

TEST(Published, MemoryOfFourNetworksToThePrintedDigit) {
  const Networks networks;
  struct Row {
    const char* name;
    std::span<const SlicedLayer> layers;
    std::size_t first;
    std::array<double, 6> megabytes;  // N = 1 to 6
  };
  const Row rows[] = {{"YOLOv2", networks.yolov2, 8, {255.5, 129.4, 87.3, 66.3, 53.7, 45.2}},
                      {"VGG-16", networks.vgg16, 4, {84.5, 42.8, 28.9, 21.9, 19.0, 17.1}},
                      {"GoogLeNet", networks.googlenet, 2, {97.5, 49.5, 34.0, 26.2, 21.5, 18.4}},
                      {"AlexNet", networks.alexnet, 1, {16.8, 8.6, 6.1, 4.9, 4.1, 3.6}}};
  double worst = 0;
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.megabytes.size(); ++i) {
      const double elements = elementsAt(row.layers, static_cast<std::int64_t>(i) + 1, row.first);
      const double printed = rounded(megabytes(elements), 1);
      EXPECT_NEAR(printed, row.megabytes[i], 1e-9) << row.name << ", N = " << i + 1;
      worst = std::max(worst, std::abs(printed / row.megabytes[i] - 1) * 100);
    }
  }
  test::recordFigure("memory_table_max_error_percent", worst, "%", "modelled");
}

TEST(Published, BreakPointsAreThoseOfTheExactProblem) {
  const Networks networks;
  // The authors' places, but for YOLOv2, where they tile further (to their layer 12) than least
  // memory asks for: 45.2 MB against 43.4 MB at six devices.
  EXPECT_EQ(bestBreakPoint(networks.vgg16, 6).layer, 4u);
  EXPECT_EQ(bestBreakPoint(networks.googlenet, 6).layer, 2u);
  EXPECT_EQ(bestBreakPoint(networks.alexnet, 6).layer, 1u);
  const BreakPoint yolov2 = bestBreakPoint(networks.yolov2, 6);
  EXPECT_EQ(yolov2.layer, 5u);  // layer 8 of the .cfg
  EXPECT_NEAR(megabytes(yolov2.elements), 43.4, 0.05);
}

/// Layers of a chain, some of them with a pool between.
std::vector<SlicedLayer> randomLayers(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<SlicedLayer> layers;
  const std::size_t count = 1 + random() % 12;
  for (std::size_t l = 0; l < count; ++l) {
    SlicedLayer layer;
    layer.follows = l > 0 && random() % 4 != 0;
    layer.input =
        layer.follows ? layers.back().output : 1 + static_cast<std::int64_t>(random() % 500);
    layer.output = 1 + static_cast<std::int64_t>(random() % 500);
    layer.weights = 1 + static_cast<std::int64_t>(random() % 5000);
    layers.push_back(layer);
  }
  return layers;
}

TEST(WeightSlicing, PathAndIntegerProgrammeAgree) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    const auto layers = randomLayers(seed);
    const std::int64_t devices = 1 + seed % 8;
    const SlicingPlan path = sliceByPath(layers, devices);
    auto program = sliceByProgram(layers, devices, kLimit);
    ASSERT_TRUE(program.ok()) << program.error().message;
    EXPECT_NEAR(path.elements, program->elements, 1e-6 * std::max(1.0, path.elements));
    for (const SlicingPlan& plan : {path, *program}) {
      auto moved = elementsMoved(layers, devices, plan);
      ASSERT_TRUE(moved.ok()) << moved.error().message;
      EXPECT_NEAR(*moved, path.elements, 1e-6 * std::max(1.0, path.elements));
    }
    EXPECT_LE(path.elements, sliceFiltersOnly(layers, devices).elements + 1e-9);
  }
}

/// Every assignment of short chains, by counting.
TEST(WeightSlicing, NoAssignmentIsBetterThanThePath) {
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    auto layers = randomLayers(seed);
    if (layers.size() > 4) layers.resize(4);
    const std::int64_t devices = 2 + seed % 5;
    double best = INFINITY;
    const std::size_t ways = std::size_t{1} << (3 * layers.size());
    for (std::size_t way = 0; way < ways; ++way) {
      SlicingPlan plan;
      for (std::size_t l = 0; l < layers.size(); ++l) {
        const std::size_t digit = way >> (3 * l) & 7;
        plan.layers.push_back(static_cast<Slicing>(digit & 3));
        plan.kept.push_back((digit & 4) != 0);
      }
      auto moved = elementsMoved(layers, devices, plan);
      if (moved.ok()) best = std::min(best, *moved);
    }
    EXPECT_NEAR(best, sliceByPath(layers, devices).elements, 1e-9 * best);
  }
}

TEST(Published, ToyOfFourLayersNeedsTwentyTwoElements) {
  const std::vector<SlicedLayer> toy = {{4, 8, 32, false, NodeId()},
                                        {8, 16, 128, true, NodeId()},
                                        {16, 4, 64, true, NodeId()},
                                        {4, 4, 16, true, NodeId()}};
  using enum Slicing;
  const auto moved = [&](std::vector<Slicing> layers, std::vector<bool> kept) {
    auto elements = elementsMoved(toy, 2, {std::move(layers), std::move(kept), 0});
    return elements.ok() ? *elements : NAN;
  };
  const std::vector<bool> none(4, false);
  EXPECT_EQ(sliceFiltersOnly(toy, 2).elements, 34);
  EXPECT_EQ(moved({channels, channels, channels, channels}, none), 48);
  EXPECT_EQ(moved({fused_first, fused_second, fused_first, fused_second}, none), 40);
  EXPECT_EQ(moved({filters, fused_first, fused_second, filters}, {true, false, false, false}), 22);
  const SlicingPlan best = sliceByPath(toy, 2);
  EXPECT_EQ(best.elements, 22);
  EXPECT_EQ(best.layers, (std::vector<Slicing>{filters, fused_first, fused_second, filters}));
  auto program = sliceByProgram(toy, 2, kLimit);
  ASSERT_TRUE(program.ok()) << program.error().message;
  EXPECT_NEAR(program->elements, 22, 1e-9);
  test::recordFigure("samos_toy_cost", best.elements, "elements", "modelled");
}

TEST(Published, ExactPlannersAreFast) {
  const Networks networks;
  double slowest = 0;
  double slowest_program = 0;
  for (const auto* layers : {&networks.yolov2, &networks.vgg16, &networks.googlenet}) {
    for (std::int64_t devices = 1; devices <= 7; ++devices) {
      auto start = std::chrono::steady_clock::now();
      const SlicingPlan path = sliceByPath(*layers, devices);
      const BreakPoint point = bestBreakPoint(*layers, devices);
      slowest = std::max(slowest, millisecondsSince(start));
      start = std::chrono::steady_clock::now();
      auto program = sliceByProgram(*layers, devices, kLimit);
      auto program_point = breakPointByProgram(*layers, devices, kLimit);
      slowest_program = std::max(slowest_program, millisecondsSince(start));
      ASSERT_TRUE(program.ok()) << program.error().message;
      ASSERT_TRUE(program_point.ok()) << program_point.error().message;
      EXPECT_NEAR(program->elements, path.elements, 1e-6 * path.elements);
      EXPECT_NEAR(program_point->elements, point.elements, 1e-6 * point.elements);
      EXPECT_NEAR(elementsAt(*layers, devices, program_point->layer), point.elements,
                  1e-6 * point.elements);
    }
  }
  EXPECT_LT(slowest, 50);
  fmt::print("slowest dynamic programme {:.3f} ms, integer programmes {:.0f} ms\n", slowest,
             slowest_program);
  test::recordFigure("planner_exact_ms_max", slowest, "ms");
  test::recordFigure("planner_program_ms_max", slowest_program, "ms");
}

/// Largest input and output of a convolution or pool of a graph, together, in elements.
std::int64_t largestLayer(const Graph& graph) {
  std::int64_t largest = 0;
  for (const Node& node : graph.nodes()) {
    if (!std::holds_alternative<Conv2d>(node.op) && !std::holds_alternative<MaxPool2d>(node.op)) {
      continue;
    }
    largest = std::max(
        largest, graph.shape(node.inputs[0]).elements() + graph.shape(node.outputs[0]).elements());
  }
  return largest;
}

TEST(Published, DeepThingsDataAndMemoryOfYolov2) {
  const Graph graph = networkOf("zoo:yolov2");
  // The first 16 layers of the .cfg: 12 convolutions and 4 pools, up to the leaky ReLU behind the
  // 12th convolution.
  std::size_t end = 0;
  std::int64_t weights = 0;
  int layers = 0;
  for (std::size_t n = 0; n < graph.nodeCount() && layers <= 16; ++n) {
    const Node& node = graph.nodes()[n];
    const bool convolution = std::holds_alternative<Conv2d>(node.op);
    if (convolution || std::holds_alternative<MaxPool2d>(node.op)) ++layers;
    if (layers > 16) break;
    if (convolution) weights += graph.shape(node.inputs[1]).elements();
    end = n + 1;
  }
  ASSERT_EQ(layers, 17);
  const std::int64_t frame = graph.shape(graph.inputs()[0]).elements();
  const double unpartitioned = static_cast<double>(largestLayer(graph) + weights);
  struct Case {
    std::size_t grid = 0;
    double mib = 0;
    std::optional<double> cut_percent;
  };
  for (const Case& item : {Case{3, 13.8, 58}, Case{4, 16.2, std::nullopt}, Case{5, 18.9, 68}}) {
    // A gateway that holds the frame and runs the rest, and a device that runs all tiles, so that
    // everything a tile takes and gives moves.
    GroupDesign design;
    design.devices = {{"gateway"}, {"tiles"}};
    design.source = design.sink = DeviceId(0);
    const std::vector<double> even(item.grid, 1.0);
    design.stages = {
        {end, GridStage{even, even, std::vector<DeviceId>(item.grid * item.grid, DeviceId(1))}},
        {graph.nodeCount(), WholeStage{DeviceId(0)}}};
    auto built = buildGroupPlan(graph, design);
    ASSERT_TRUE(built.ok()) << built.error().message;
    std::int64_t moved = frame;  // from the camera to the gateway
    for (const Transfer& transfer : built->plan.transfers) {
      if (built->plan.deviceOf(transfer.source, true) ==
          built->plan.deviceOf(transfer.destination, false)) {
        continue;
      }
      moved += transfer.from.elements();
    }
    const double mib = static_cast<double>(moved) * 4 / 1048576;
    EXPECT_NEAR(mib / item.mib, 1, 0.01) << item.grid;
    test::recordFigure(fmt::format("deepthings_mib_{0}x{0}", item.grid), mib, "MiB", "modelled");
    std::int64_t largest = 0;
    for (const Graph& piece : built->pieces) {
      if (piece.name.find("tile") != std::string::npos) {
        largest = std::max(largest, largestLayer(piece));
      }
    }
    const double cut = 100 * (1 - static_cast<double>(largest + weights) / unpartitioned);
    EXPECT_NEAR(cut, item.cut_percent.value_or(cut), 0.6) << item.grid;
    test::recordFigure(fmt::format("deepthings_memory_cut_percent_{0}x{0}", item.grid), cut, "%",
                       "modelled");
    fmt::print("{0}x{0}: {1:.2f} MiB a frame, largest tile and weights {2:.0f} % less\n", item.grid,
               mib, cut);
  }
}

}  // namespace
}  // namespace narrows
