#include "narrows/cli/design_pricer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "narrows/cost/profiles.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

Graph miniYolo() {
  auto model = buildZooModel("zoo:mini-yolo", 1);
  EXPECT_TRUE(model.ok());
  return model->graph;
}

/// The cell under a key; NaN for an empty one.
double number(const DesignPricer& pricer, const std::vector<Cell>& cells, std::string_view key) {
  const std::vector<Column> columns = pricer.columns();
  EXPECT_EQ(columns.size(), cells.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].key != key) continue;
    const double* value = std::get_if<double>(&cells[i]);
    return value != nullptr ? *value : std::nan("");
  }
  ADD_FAILURE() << "no column " << key;
  return 0;
}

TEST(DesignPricer, AddsMeasuredTimesOfThisHostToTheLink) {
  const Graph graph = miniYolo();
  CostOptions options;
  options.links = {"ble5", "10Mbit/s"};
  auto pricer = DesignPricer::create(options, graph);
  ASSERT_TRUE(pricer.ok()) << pricer.error().message;
  auto cut = findCut(graph, "pool2");
  ASSERT_TRUE(cut.ok());
  auto links = pricer->splits().forCut(*cut, {milliseconds(5), milliseconds(2)});
  ASSERT_TRUE(links.ok()) << links.error().message;
  ASSERT_EQ(links->size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto cells = pricer->cells((*links)[i], Bytes(1000), milliseconds(3), milliseconds(1));
    auto link = findLinkModel(options.links[i]);
    ASSERT_TRUE(link.ok());
    const double link_ms = toMilliseconds(messageTime(*link, Bytes(1000), LinkWay::up).arrival() +
                                          messageTime(*link, Bytes(128), LinkWay::down).arrival());
    EXPECT_NEAR(number(*pricer, cells, "link_ms"), link_ms, 1e-9);
    EXPECT_NEAR(number(*pricer, cells, "latency_ms"), 5 + 3 + 1 + 2 + link_ms, 1e-9);
    // The power of this host is not known; that of the link is.
    EXPECT_TRUE(std::isnan(number(*pricer, cells, "node_mj")));
    EXPECT_FALSE(std::isnan(number(*pricer, cells, "node_link_mj")));
  }
}

TEST(DesignPricer, SlowsCodingDownOnTheNode) {
  const Graph graph = miniYolo();
  CostOptions options;
  options.links = {"wifi"};
  options.device = "raspberry-pi4";
  options.server = "gpu-server";
  options.answer_bytes = 0;
  options.frames_per_second = 2;
  options.battery_wh = 10;
  auto pricer = DesignPricer::create(options, graph);
  ASSERT_TRUE(pricer.ok()) << pricer.error().message;
  auto cut = findCut(graph, "pool2");
  ASSERT_TRUE(cut.ok());
  auto links = pricer->splits().forCut(*cut, {});
  ASSERT_TRUE(links.ok());
  const auto without = pricer->cells((*links)[0], Bytes(1000), {}, {});
  const auto with = pricer->cells((*links)[0], Bytes(1000), milliseconds(3), {});
  EXPECT_NEAR(number(*pricer, with, "latency_ms") - number(*pricer, without, "latency_ms"), 12,
              1e-9);
  EXPECT_NEAR(number(*pricer, with, "node_coding_mj"), 5.25 * 12, 1e-9);
  const double node_mj = number(*pricer, with, "node_mj");
  EXPECT_NEAR(node_mj,
              number(*pricer, with, "node_compute_mj") + number(*pricer, with, "node_coding_mj") +
                  number(*pricer, with, "node_link_mj"),
              1e-9);
  // Half a second at 2.25 W or more.
  EXPECT_GT(number(*pricer, with, "mj_at_rate"), 2250 / 2);
  EXPECT_NEAR(number(*pricer, with, "battery_h"),
              10 / (number(*pricer, with, "mj_at_rate") / 1e3 * 2), 1e-9);
}

TEST(DesignPricer, PricesTheEndsToo) {
  const Graph graph = miniYolo();
  CostOptions options;
  options.links = {"ble4"};
  auto pricer = DesignPricer::create(options, graph);
  ASSERT_TRUE(pricer.ok());
  auto node = pricer->splits().onNode({milliseconds(8), milliseconds(1)});
  ASSERT_TRUE(node.ok());
  ASSERT_EQ(node->size(), 1u);
  const auto on_node = pricer->cells((*node)[0], Bytes(), {}, {});
  EXPECT_NEAR(number(*pricer, on_node, "latency_ms"), 8, 1e-12);
  EXPECT_EQ(std::get<std::string>(on_node.back()), "measured");
  auto server =
      pricer->splits().forPicture({ImageCoding::jpeg, 90}, {milliseconds(8), milliseconds(1)});
  ASSERT_TRUE(server.ok());
  const auto on_server = pricer->cells((*server)[0], Bytes(4000), milliseconds(2), {});
  EXPECT_NEAR(number(*pricer, on_server, "latency_ms"), 3 + number(*pricer, on_server, "link_ms"),
              1e-9);
  EXPECT_EQ(std::get<std::string>(on_server.back()), "modelled");
}

TEST(DesignPricer, NamesTheOptionOfAMistake) {
  const Graph graph = miniYolo();
  CostOptions options;
  const auto errorOf = [&] {
    auto pricer = DesignPricer::create(options, graph);
    return pricer.ok() ? "" : pricer.error().message;
  };
  EXPECT_EQ(errorOf(), "--link: give at least one");
  options.links = {"carrier-pigeon"};
  EXPECT_TRUE(errorOf().starts_with("--link: \"carrier-pigeon\" is not a link")) << errorOf();
  options.links = {"wifi"};
  options.device = "abacus";
  EXPECT_TRUE(errorOf().starts_with("--device: \"abacus\" is not a device")) << errorOf();
}

}  // namespace
}  // namespace narrows
