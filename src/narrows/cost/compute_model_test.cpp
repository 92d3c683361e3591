#include "narrows/cost/compute_model.h"

#include <gtest/gtest.h>

#include "narrows/cost/profiles.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/extract.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

Graph network(const char* name) {
  auto model = buildZooModel(name, 1);
  EXPECT_TRUE(model.ok());
  return model->graph;
}

DeviceModel device(const char* name) {
  auto found = findDeviceModel(name);
  EXPECT_TRUE(found.ok()) << found.error().message;
  return *found;
}

Graph before(const Graph& graph, const char* cut_name) {
  const auto cut = findCut(graph, cut_name);
  EXPECT_TRUE(cut.ok()) << cut.error().message;
  auto piece = extractPiece(graph, graph.inputs(), cut->values, "head");
  EXPECT_TRUE(piece.ok());
  return *piece;
}

struct Cumulated {
  const char* cut;
  double ms;
  double mj;
};
// Published figures, cumulated, at the five cuts of the pruning study and one between.
constexpr Cumulated kStick[] = {{"pool1", 8.24, 15.06},
                                {"pool2", 11.23, 21.65},
                                {"pool3", 12.69, 25.34},
                                {"pool4", 13.97, 28.54},
                                {"conv5.leaky", 15.42, 32.09}};

TEST(ComputeModel, TheSticksTimesAndEnergiesCumulateAsPublished) {
  const Graph graph = network("zoo:tiny-yolov3");
  auto model = ComputeModel::create(device("ncs2"), graph);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(model->fromTable());
  for (const Cumulated& expected : kStick) {
    auto cost = model->cost(before(graph, expected.cut));
    ASSERT_TRUE(cost.ok()) << cost.error().message;
    EXPECT_NEAR(toMilliseconds(cost->time), expected.ms, 1e-9) << expected.cut;
    EXPECT_NEAR(cost->energy.value() * 1e3, expected.mj, 1e-9) << expected.cut;
    EXPECT_EQ(cost->origin, Origin::published);
  }
  auto whole = model->cost(graph);
  ASSERT_TRUE(whole.ok());
  // The published last row is rounded: 40.57 ms, 91.37 mJ.
  EXPECT_NEAR(toMilliseconds(whole->time), 40.57, 0.011);
  EXPECT_NEAR(whole->energy.value() * 1e3, 91.37, 0.025);
  EXPECT_EQ(whole->weights, peakMemory(graph).weights);
  const PieceCost by_nodes = model->cost(nodeIds(graph));
  EXPECT_NEAR(by_nodes.time.value(), whole->time.value(), 1e-12);
}

TEST(ComputeModel, ACutWithinARowSharesItsTime) {
  const Graph graph = network("zoo:tiny-yolov3");
  auto model = ComputeModel::create(device("ncs2"), graph);
  ASSERT_TRUE(model.ok());
  auto head = model->cost(before(graph, "conv1.leaky"));
  ASSERT_TRUE(head.ok());
  EXPECT_EQ(head->origin, Origin::modelled);
  EXPECT_GT(toMilliseconds(head->time), 0.43 + 4);
  EXPECT_LT(toMilliseconds(head->time), 8.24);
  // Whatever lies on either side of a cut, the two sides are the whole and one more start.
  for (const Cut& cut : singleTensorCuts(graph)) {
    auto front = extractPiece(graph, graph.inputs(), cut.values, "front");
    auto back = extractPiece(graph, cut.values, graph.outputs(), "back");
    ASSERT_TRUE(front.ok() && back.ok());
    const double sum = model->cost(*front)->time.value() + model->cost(*back)->time.value();
    EXPECT_NEAR(sum, model->cost(graph)->time.value() + 0.43e-3, 1e-12) << cutName(graph, cut);
  }
}

TEST(ComputeModel, RowsScaleWithTheMacsOfPrunedLayers) {
  const Graph full = network("zoo:tiny-yolov3");
  const Graph half = network("zoo:tiny-yolov3@416,width=0.5");
  auto model = ComputeModel::create(device("ncs2"), half);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(model->fromTable());
  auto cost = model->cost(before(half, "pool2"));
  ASSERT_TRUE(cost.ok());
  EXPECT_EQ(cost->origin, Origin::modelled);
  // conv1 keeps its 3 input channels: half its MACs; conv2 a quarter.
  EXPECT_NEAR(toMilliseconds(cost->time), 0.43 + 7.81 / 2 + 2.99 / 4, 1e-9);
  EXPECT_EQ(cost->weights < peakMemory(full).weights, true);
}

/// conv 3x3 to `channels` over 1x3x8x8, then relu.
Graph smallNetwork(std::int64_t channels) {
  Graph graph;
  graph.name = "small";
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 8, 8}});
  Tensor weights(DType::f32, Shape{channels, 3, 3, 3});
  const ValueId w = graph.addConstant("w", std::move(weights));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  auto y = graph.add(conv, {x, w}, "stem");
  EXPECT_TRUE(y.ok()) << y.error().message;
  auto z = graph.add(Unary{}, {*y}, "act");
  EXPECT_TRUE(z.ok());
  EXPECT_TRUE(graph.setOutputs({*z}).ok());
  return graph;
}

TEST(ComputeModel, RatesCountMacsBytesAndOperators) {
  DeviceModel board;
  board.name = "board";
  board.compute_power = Watts(2);
  board.start_time = microseconds(7);
  board.rates = ComputeRates{1e6, 1e9, microseconds(10)};
  const Graph graph = smallNetwork(4);
  auto model = ComputeModel::create(board, graph);
  ASSERT_TRUE(model.ok());
  auto cost = model->cost(graph);
  ASSERT_TRUE(cost.ok());
  // 4 x 3 x 9 weights, 4 x 6 x 6 outputs, 27 MACs each.
  const double conv = 144.0 * 27 / 1e6 + (192 + 108 + 144) * 4 / 1e9 + 10e-6;
  const double relu = (144 + 144) * 4 / 1e9 + 10e-6;
  EXPECT_NEAR(cost->time.value(), 7e-6 + conv + relu, 1e-15);
  EXPECT_NEAR(cost->energy.value(), 2 * cost->time.value(), 1e-15);
  EXPECT_EQ(cost->origin, Origin::modelled);

  // A slice of the layer, half its filters, takes half its time in all.
  auto slice = model->cost(smallNetwork(2));
  ASSERT_TRUE(slice.ok());
  EXPECT_NEAR(slice->time.value(), 7e-6 + (conv + relu) / 2, 1e-15);
}

TEST(ComputeModel, ATableThatDoesNotFitGivesWayToRates) {
  DeviceModel stick = device("ncs2");
  const Graph graph = smallNetwork(4);
  auto model = ComputeModel::create(stick, graph);
  ASSERT_TRUE(model.ok());
  EXPECT_FALSE(model->fromTable());
  stick.rates.reset();
  auto none = ComputeModel::create(stick, graph);
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().message,
            "device ncs2 has figures of tiny-yolov3 only, and this network differs: no row names "
            "layer stem");
}

TEST(ComputeModel, AMeasuredTablePricesItsOwnLayers) {
  auto host = parseDeviceModel(
      "name = \"h\"\n[table]\nnetwork = \"small\"\norigin = \"measured\"\nsource = \"here\"\n"
      "rows = [{ names = [\"stem\"], macs = 3888, ms = 2 }, { names = [\"act\"], macs = 0, ms = "
      "0.5 }]\n",
      "F");
  ASSERT_TRUE(host.ok()) << host.error().message;
  const Graph graph = smallNetwork(4);
  auto model = ComputeModel::create(*host, graph);
  ASSERT_TRUE(model.ok()) << model.error().message;
  auto cost = model->cost(graph);
  ASSERT_TRUE(cost.ok());
  EXPECT_NEAR(toMilliseconds(cost->time), 2.5, 1e-12);
  EXPECT_EQ(cost->origin, Origin::measured);
  EXPECT_EQ(cost->energy.value(), 0);
}

}  // namespace
}  // namespace narrows
