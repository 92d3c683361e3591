#include "narrows/cost/profile_writer.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/cost/compute_model.h"
#include "narrows/graph/cost.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/extract.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

/// Every node of the network in a row of its own, of some microseconds.
LayerTable drawnTable(const Graph& graph, const char* name, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(1, 1000);
  LayerTable table{name, Ground::measured, "a \"test\" \\ with\ttabs", {}};
  for (NodeId id : nodeIds(graph)) {
    LayerFigure row;
    row.names = {graph.node(id).name};
    row.macs = macs(graph, id);
    row.time = microseconds(uniform(random));
    table.rows.push_back(row);
  }
  return table;
}

DeviceModel drawnDevice(const Graph& graph) {
  DeviceModel device;
  device.name = "host \"1\"";
  device.summary = "drawn";
  device.figures = {{"start.ms", 0.25, "ms", Ground::derived, "x"},
                    {"compute.macs_per_s", 7e10, "MAC/s", Ground::derived, "y"},
                    {"compute.op_us", 1, "us", Ground::assumed, "z"},
                    {"exchange.ms", 0.5, "ms", Ground::measured, "u"},
                    {"exchange.ns_per_byte", 4, "ns/B", Ground::measured, "v"},
                    {"timing.rest_ms", 20, "ms", Ground::measured, "w"},
                    {"timing.spread_percent", 6.5, "%", Ground::measured, "w"},
                    {"timing.at_once_percent", 80, "%", Ground::measured, "w"}};
  device.predictor = TimePredictor();
  device.predictor->source = "prices";
  device.predictor->error_percent = 3.25;
  double price = 0.1;
  for (double& value : device.predictor->nanoseconds.values()) value = price *= 1.1;
  device.tables = {drawnTable(graph, "first", 1), drawnTable(graph, "second", 2)};
  device.tables[1].rows[0].energy = Joules(0.125);
  return device;
}

Graph network(const char* name) {
  auto model = buildZooModel(name, 1);
  EXPECT_TRUE(model.ok());
  return model->graph;
}

TEST(ProfileWriter, WritesWhatTheReaderReads) {
  const DeviceModel device = drawnDevice(network("zoo:squeezenet@64"));
  auto read = parseDeviceModel(formatDeviceModel(device), "written");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read->name, device.name);
  EXPECT_EQ(read->summary, device.summary);
  EXPECT_DOUBLE_EQ(toMilliseconds(read->start_time), 0.25);
  // 0.5 ms and 4 ns for each of 1,000 B.
  EXPECT_DOUBLE_EQ(read->exchange.of(Bytes(1000)).value(), 0.504e-3);
  EXPECT_EQ(read->rates->macs_per_s, 7e10);
  ASSERT_TRUE(read->timing.has_value());
  EXPECT_DOUBLE_EQ(toMilliseconds(read->timing->rest), 20);
  EXPECT_DOUBLE_EQ(read->timing->spread, 0.065);
  EXPECT_DOUBLE_EQ(read->timing->at_once, 0.8);
  EXPECT_FALSE(read->compute_power.has_value());
  ASSERT_TRUE(read->predictor.has_value());
  EXPECT_EQ(read->predictor->error_percent, 3.25);
  EXPECT_EQ(read->predictor->nanoseconds.values(), device.predictor->nanoseconds.values());
  ASSERT_EQ(read->tables.size(), 2u);
  for (std::size_t t = 0; t < 2; ++t) {
    EXPECT_EQ(read->tables[t].network, device.tables[t].network);
    EXPECT_EQ(read->tables[t].source, device.tables[t].source);
    ASSERT_EQ(read->tables[t].rows.size(), device.tables[t].rows.size());
    for (std::size_t r = 0; r < read->tables[t].rows.size(); ++r) {
      const LayerFigure& expected = device.tables[t].rows[r];
      const LayerFigure& actual = read->tables[t].rows[r];
      EXPECT_EQ(actual.names, expected.names);
      EXPECT_EQ(actual.macs, expected.macs);
      EXPECT_NEAR(actual.time / expected.time, 1, 1e-12);
      EXPECT_EQ(actual.energy.has_value(), expected.energy.has_value());
    }
  }
  EXPECT_DOUBLE_EQ(read->tables[1].rows[0].energy->value(), 0.125);
}

TEST(ProfileWriter, MistakesInAPredictorAreNamedByLine) {
  const std::string good =
      "name = \"mine\"\n"
      "[predictor]\n"
      "source = \"me\"\n"
      "[predictor.ns]\n"
      "conv_macs = 0.01\n";
  const auto errorOf = [](const std::string& text) {
    auto read = parseDeviceModel(text, "F");
    return read.ok() ? std::string() : read.error().message;
  };
  EXPECT_EQ(errorOf(good), "");
  EXPECT_EQ(errorOf(good + "conv_mac = 1\n"), "F:6: predictor.ns.conv_mac is not a known key");
  EXPECT_EQ(errorOf(good + "pool_taps = -1\n"),
            "F:6: predictor.ns.pool_taps: expected a number from 0 to 1000000000000");
  EXPECT_EQ(errorOf("name = \"mine\"\n[predictor]\nsource = \"me\"\n"),
            "F:2: predictor.ns is missing");
  EXPECT_EQ(errorOf("name = \"mine\"\ntables = []\n"),
            "F:2: tables: expected a list of 1 to 10000 tables");
  EXPECT_NE(errorOf("name = \"mine\"\n").find("F:1: a device needs [compute]"), std::string::npos);
}

TEST(ComputeModel, TakesTheTableOfTheNetworkAndPredictsOthers) {
  const Graph known = network("zoo:squeezenet@64");
  const Graph larger = network("zoo:squeezenet@96");
  const Graph unknown = network("zoo:resnet18@64");
  DeviceModel device = drawnDevice(known);
  device.tables[0] = drawnTable(larger, "larger", 3);
  auto model = ComputeModel::create(device, known);
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_TRUE(model->fromTable());
  double sum = device.start_time.value();
  for (const LayerFigure& row : device.tables[1].rows) sum += row.time.value();
  auto whole = model->cost(known);
  ASSERT_TRUE(whole.ok());
  // Not the larger network's table, which comes first and fits when scaled.
  EXPECT_NEAR(whole->time.value(), sum, 1e-9);
  EXPECT_EQ(whole->origin, Origin::measured);

  auto other = ComputeModel::create(device, unknown);
  ASSERT_TRUE(other.ok());
  EXPECT_FALSE(other->fromTable());
  double predicted = device.start_time.value();
  for (const Terms& terms : layerTerms(unknown)) predicted += device.predictor->time(terms).value();
  auto cost = other->cost(unknown);
  ASSERT_TRUE(cost.ok());
  EXPECT_NEAR(cost->time.value(), predicted, 1e-9);
  EXPECT_EQ(cost->origin, Origin::modelled);
}

/// Both sides together take what the whole does, one more start, and the map twice: it leaves here
/// and enters there.
TEST(ComputeModel, PiecesPayForTheMapBetweenThem) {
  const Graph graph = network("zoo:resnet18@64");
  DeviceModel device = drawnDevice(graph);
  device.start_time = milliseconds(1);
  auto model = ComputeModel::create(device, graph);
  ASSERT_TRUE(model.ok());
  const std::vector<Cut> cuts = singleTensorCuts(graph);
  const Cut& cut = cuts[cuts.size() / 2];
  auto node = extractPiece(graph, graph.inputs(), cut.values, "node");
  auto server = extractPiece(graph, cut.values, graph.outputs(), "server");
  ASSERT_TRUE(node.ok() && server.ok());
  const Terms edge = edgeTerms(graph, cut.values[0]);
  ASSERT_GT(edge[Term::edge_bytes], 0);
  const double expected =
      model->cost(graph)->time.value() + 1e-3 + 2 * device.predictor->time(edge).value();
  EXPECT_NEAR(model->cost(*node)->time.value() + model->cost(*server)->time.value(), expected,
              1e-9);
  EXPECT_EQ(model->cost(*node)->origin, Origin::modelled);
}

}  // namespace
}  // namespace narrows
