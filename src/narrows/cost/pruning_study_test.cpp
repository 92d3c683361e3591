// Table I of Sanchez Leal et al. ("Optimizing the IoT Performance", SAS 2023) from this project's
// model and profiles, with the spread over what the study does not print.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "narrows/cost/compute_model.h"
#include "narrows/cost/plan_pricer.h"
#include "narrows/cost/profiles.h"
#include "narrows/graph/cuts.h"
#include "narrows/plan/split.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

constexpr std::array kCuts = {"pool1", "pool2", "pool3", "pool4", "conv5.leaky"};
constexpr std::array kLinks = {"ble4", "ble5", "lte-cat4", "wifi54"};
constexpr double kRawImage = 416 * 416 * 3;

/// What is not in the profiles.
struct Parameters {
  /// Zlib's level 6 on one Cortex-A72 core: assumed.
  double coded_bytes_per_s = 10e6;
  /// For each frame whatever its size: not published, none.
  double coding_ms = 0;
  /// Of packed one-bit maps without pruning; they do not compress: assumed.
  double compressed = 1;
  /// "Under 5 kB at every cut" and "about 10 % of the MACs": published.
  double pruned_bytes = 5000;
  double pruned_macs = 0.1;
  /// Of the profile's, transmitting and receiving.
  double radio_power = 1;
  double server_ms = 0;
  /// Of what the profiles say that radios draw before and after a message.
  double setup_and_tail_power = 1;
};

struct Point {
  std::size_t cut = 0;  // 0 to 6
  std::string link;
  double ms = 0;
  double mj = 0;
  double link_mj = 0;
  double coding_mj = 0;
  double link_ms = 0;
};

/// Best by energy and by time.
struct Best {
  Point energy;
  Point time;
};

struct Study {
  std::vector<Point> unpruned;  // cuts 1 to 5 over all links
  std::vector<Point> pruned;
  Point on_server;
  Point on_node;
};

Best bestOf(const std::vector<Point>& points) {
  const auto least = [&](auto key) {
    return *std::min_element(points.begin(), points.end(),
                             [&](const Point& a, const Point& b) { return key(a) < key(b); });
  };
  return {least([](const Point& p) { return p.mj; }), least([](const Point& p) { return p.ms; })};
}

class TableOne : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto model = buildZooModel("zoo:tiny-yolov3", 1, false);
    ASSERT_TRUE(model.ok());
    graph() = model->graph;
  }

  static Graph& graph() {
    static Graph network;
    return network;
  }

  static Point price(const SplitModel& split, const std::string& link_name, double bytes,
                     double packed, double macs_share, const Parameters& parameters) {
    static const DeviceModel kStick = *findDeviceModel("ncs2");
    static const DeviceModel kServer = *findDeviceModel("gpu-server");
    PlanSetting setting;
    std::vector<PieceCost> pieces;
    for (const Device& own : split.plan.devices) {
      const bool is_server = own.name == kServerDevice;
      setting.devices.push_back(is_server ? kServer : kStick);
      setting.cabled.push_back(is_server);
    }
    LinkModel link = *findLinkModel(link_name);
    for (Watts* power : {&link.transmit_power, &link.receive_power, &link.wait_power})
      *power = *power * parameters.radio_power;
    for (Watts* power : {&link.setup_power, &link.tail_power})
      *power = *power * parameters.setup_and_tail_power;
    setting.links = {link};
    for (std::size_t p = 0; p < split.pieces.size(); ++p) {
      const std::size_t device = split.plan.pieces[p].device.index();
      const DeviceModel& model = setting.devices[device];
      PieceCost cost = *ComputeModel::create(model, graph())->cost(split.pieces[p]);
      if (split.plan.devices[device].name == kServerDevice) {
        cost.time += milliseconds(parameters.server_ms);
      } else {
        cost.time = model.start_time + macs_share * (cost.time - model.start_time);
        const Joules start = *model.start_energy;
        cost.energy = start + macs_share * (cost.energy - start);
      }
      pieces.push_back(cost);
    }
    auto pricer = PlanPricer::create(split.plan, setting, pieces);
    EXPECT_TRUE(pricer.ok());
    std::vector<FrameCost> frames(split.plan.transfers.size());
    if (const auto first = pricer->firstCrossing()) {
      const Seconds coding = packed > 0 ? Seconds(packed / parameters.coded_bytes_per_s) +
                                              milliseconds(parameters.coding_ms)
                                        : Seconds();
      frames[*first] = {Bytes(bytes), coding, Seconds()};
    }
    const Price result = pricer->price(frames);
    const DevicePrice& node = result.devices[0];
    return {0,
            link_name,
            toMilliseconds(result.latency),
            node.energy().value() * 1e3,
            node.link_energy.value() * 1e3,
            node.coding_energy.value() * 1e3,
            toMilliseconds(result.link_time)};
  }

  static Study run(const Parameters& parameters) {
    Study study;
    study.on_node = price(*allOnNode(graph()), "wifi54", 0, 0, 1, parameters);
    study.on_node.cut = 6;
    study.on_server = price(*allOnServer(graph(), {ImageCoding::raw, 100}), "wifi54", kRawImage, 0,
                            1, parameters);
    for (std::size_t j = 0; j < kCuts.size(); ++j) {
      const Cut cut = *findCut(graph(), kCuts[j]);
      const SplitModel split =
          *splitAt(graph(), cut, {plainInterface(graph().type(cut.values[0]))});
      const auto packed = static_cast<double>(cutBytes(graph(), cut, 1));
      for (const char* link : kLinks) {
        Point whole = price(split, link, parameters.compressed * packed, packed, 1, parameters);
        // A cut's maps with few channels left, which ZIP reads packed.
        Point pruned = price(split, link, parameters.pruned_bytes, parameters.pruned_bytes,
                             parameters.pruned_macs, parameters);
        whole.cut = pruned.cut = j + 1;
        study.unpruned.push_back(whole);
        study.pruned.push_back(pruned);
      }
    }
    return study;
  }

  struct Cells {
    std::array<double, 8> values{};
  };
  static constexpr std::array<const char*, 8> kNames = {
      "energy_unpruned_vs_edge", "energy_unpruned_vs_node",  "energy_pruned_vs_edge",
      "energy_pruned_vs_node",   "speedup_unpruned_vs_edge", "speedup_unpruned_vs_node",
      "speedup_pruned_vs_edge",  "speedup_pruned_vs_node"};
  static constexpr std::array<double, 8> kPublished = {1.26, 3.8, 5.74, 17, 2.05, 1.05, 5.24, 2.65};

  static Cells cells(const Study& study, const Best& unpruned, const Best& pruned) {
    const double e0 = study.on_server.mj;
    const double e6 = study.on_node.mj;
    const double t0 = study.on_server.ms;
    const double t6 = study.on_node.ms;
    return {{e0 / unpruned.energy.mj, e6 / unpruned.energy.mj, e0 / pruned.energy.mj,
             e6 / pruned.energy.mj, t0 / unpruned.time.ms, t6 / unpruned.time.ms,
             t0 / pruned.time.ms, t6 / pruned.time.ms}};
  }
  static Cells cells(const Study& study) {
    return cells(study, bestOf(study.unpruned), bestOf(study.pruned));
  }
};

TEST_F(TableOne, CellsRatiosAndTheirSpread) {
  const Study study = run({});
  const Cells ours = cells(study);
  // All ends of all ranges, and what lies between as drawn.
  constexpr std::array<std::array<double, 2>, 7> kRanges = {
      {{3e6, 30e6}, {0, 20}, {0.3, 1}, {1000, 5000}, {0.05, 0.15}, {0.5, 1}, {0, 5}}};
  Cells least = ours;
  Cells most = ours;
  for (unsigned corner = 0; corner < 1U << kRanges.size(); ++corner) {
    std::array<double, kRanges.size()> at{};
    for (std::size_t i = 0; i < at.size(); ++i) at[i] = kRanges[i][(corner >> i) & 1U];
    const Cells there = cells(run({at[0], at[1], at[2], at[3], at[4], at[5], at[6]}));
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      least.values[i] = std::min(least.values[i], there.values[i]);
      most.values[i] = std::max(most.values[i], there.values[i]);
    }
  }
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const std::string name = fmt::format("table1_{}", kNames[i]);
    test::recordFigure(name, ours.values[i], "times", "modelled");
    test::recordFigure(name + "_published", kPublished[i], "times", "published");
    test::recordFigure(name + "_least", least.values[i], "times", "modelled");
    test::recordFigure(name + "_most", most.values[i], "times", "modelled");
    EXPECT_LE(least.values[i], kPublished[i]) << name;
    EXPECT_GE(most.values[i], kPublished[i]) << name;
  }
  const Best unpruned = bestOf(study.unpruned);
  const Best pruned = bestOf(study.pruned);
  test::recordFigure("ratio_E6_E0", study.on_node.mj / study.on_server.mj, "ratio", "modelled");
  test::recordFigure("ratio_T0_T6", study.on_server.ms / study.on_node.ms, "ratio", "modelled");
  test::recordFigure("ratio_E_pruning", unpruned.energy.mj / pruned.energy.mj, "ratio", "modelled");
  test::recordFigure("ratio_T_pruning", unpruned.time.ms / pruned.time.ms, "ratio", "modelled");
  EXPECT_NEAR(study.on_server.ms / study.on_node.ms, 1.97, 0.1 * 1.97);
}

/// With the cut that the study names as best without pruning, the first one over Wi-Fi.
TEST_F(TableOne, AtThePublishedCutOneFixedCodingTimeExplainsAllFourTimes) {
  const auto at_first = [](const Study& study) {
    std::vector<Point> first;
    for (const Point& point : study.unpruned) {
      if (point.cut == 1 && point.link == "wifi54") first.push_back(point);
    }
    return bestOf(first);
  };
  const Study study = run({});
  const Cells there = cells(study, at_first(study), bestOf(study.pruned));
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    test::recordFigure(fmt::format("table1_{}_at_published_cut", kNames[i]), there.values[i],
                       "times", "modelled");
  }
  test::recordFigure("ratio_E_pruning_at_published_cut",
                     at_first(study).energy.mj / bestOf(study.pruned).energy.mj, "ratio",
                     "modelled");
  test::recordFigure("ratio_T_pruning_at_published_cut",
                     at_first(study).time.ms / bestOf(study.pruned).time.ms, "ratio", "modelled");
  // The ratio falls with a time that both have; it is 2.55 at:
  double low = 0;
  double high = 100;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    const Study slower = run({.coding_ms = middle});
    const double ratio = at_first(slower).time.ms / bestOf(slower.pruned).time.ms;
    (ratio > 2.55 ? low : high) = middle;
  }
  test::recordFigure("coding_ms_for_ratio_T_pruning", low, "ms", "modelled");
  const Study slower = run({.coding_ms = low});
  const Cells explained = cells(slower, at_first(slower), bestOf(slower.pruned));
  for (std::size_t i = 4; i < kNames.size(); ++i) {
    test::recordFigure(fmt::format("table1_{}_with_that_coding_time", kNames[i]),
                       explained.values[i], "times", "modelled");
    EXPECT_NEAR(explained.values[i] / kPublished[i], 1, 0.2) << kNames[i];
  }
}

/// What the study's text says of its figure 5, each with whether it comes out here.
struct Orderings {
  bool unpruned_energy_best_is_first_cut = false;
  bool unpruned_time_best_is_first_cut = false;
  bool unpruned_time_best_is_wifi = false;
  bool pruned_energy_best_is_fourth_cut = false;
  bool pruned_time_best_is_fourth_cut = false;
  bool pruned_energy_best_is_ble5 = false;
  bool pruned_time_best_is_wifi = false;
  bool ble4_takes_most_energy_at_every_cut = false;
  bool ble4_is_slowest_at_every_cut = false;
  bool ble4_is_fastest_all_on_node = false;
  bool all_on_node_takes_most_energy_but_ble4 = false;
  bool coding_takes_most_energy_after_pruning = false;
  bool coding_takes_more_than_link_but_ble4 = false;
  bool link_takes_most_time_of_ble = false;
};

Orderings orderingsOf(const Study& study) {
  const Best unpruned = bestOf(study.unpruned);
  const Best pruned = bestOf(study.pruned);
  Orderings found;
  found.unpruned_energy_best_is_first_cut = unpruned.energy.cut == 1;
  found.unpruned_time_best_is_first_cut = unpruned.time.cut == 1;
  found.unpruned_time_best_is_wifi = unpruned.time.link == "wifi54";
  found.pruned_energy_best_is_fourth_cut = pruned.energy.cut == 4;
  found.pruned_time_best_is_fourth_cut = pruned.time.cut == 4;
  found.pruned_energy_best_is_ble5 = pruned.energy.link == "ble5";
  found.pruned_time_best_is_wifi = pruned.time.link == "wifi54";
  found.ble4_takes_most_energy_at_every_cut = found.ble4_is_slowest_at_every_cut = true;
  for (const std::vector<Point>* points : {&study.unpruned, &study.pruned}) {
    for (const Point& point : *points) {
      if (point.link != "ble4") continue;
      for (const Point& other : *points) {
        if (other.cut != point.cut || other.link == "ble4") continue;
        found.ble4_takes_most_energy_at_every_cut &= point.mj > other.mj;
        found.ble4_is_slowest_at_every_cut &= point.ms > other.ms;
      }
    }
  }
  found.ble4_is_fastest_all_on_node = found.all_on_node_takes_most_energy_but_ble4 = true;
  for (const Point& point : study.unpruned) {
    if (point.link == "ble4") found.ble4_is_fastest_all_on_node &= point.ms > study.on_node.ms;
    if (point.link != "ble4") {
      found.all_on_node_takes_most_energy_but_ble4 &= point.mj < study.on_node.mj;
    }
  }
  found.coding_takes_most_energy_after_pruning = found.coding_takes_more_than_link_but_ble4 = true;
  found.link_takes_most_time_of_ble = true;
  for (const Point& point : study.pruned) {
    const double compute = point.mj - point.link_mj - point.coding_mj;
    if (point.link == "ble5" || point.link == "wifi54") {
      found.coding_takes_more_than_link_but_ble4 &= point.coding_mj > point.link_mj;
      found.coding_takes_most_energy_after_pruning &=
          point.coding_mj > point.link_mj && point.coding_mj > compute;
    }
    if (point.link == "ble4" || point.link == "ble5")
      found.link_takes_most_time_of_ble &= 2 * point.link_ms > point.ms;
  }
  return found;
}

std::vector<std::pair<std::string, bool>> named(const Orderings& found) {
  return {{"unpruned_energy_best_is_first_cut", found.unpruned_energy_best_is_first_cut},
          {"unpruned_time_best_is_first_cut", found.unpruned_time_best_is_first_cut},
          {"unpruned_time_best_is_wifi", found.unpruned_time_best_is_wifi},
          {"pruned_energy_best_is_fourth_cut", found.pruned_energy_best_is_fourth_cut},
          {"pruned_time_best_is_fourth_cut", found.pruned_time_best_is_fourth_cut},
          {"pruned_energy_best_is_ble5", found.pruned_energy_best_is_ble5},
          {"pruned_time_best_is_wifi", found.pruned_time_best_is_wifi},
          {"ble4_takes_most_energy_at_every_cut", found.ble4_takes_most_energy_at_every_cut},
          {"ble4_is_slowest_at_every_cut", found.ble4_is_slowest_at_every_cut},
          {"ble4_is_fastest_all_on_node", found.ble4_is_fastest_all_on_node},
          {"all_on_node_takes_most_energy_but_ble4", found.all_on_node_takes_most_energy_but_ble4},
          {"coding_takes_most_energy_after_pruning", found.coding_takes_most_energy_after_pruning},
          {"coding_takes_more_than_link_but_ble4", found.coding_takes_more_than_link_but_ble4},
          {"link_takes_most_time_of_ble", found.link_takes_most_time_of_ble}};
}

TEST_F(TableOne, Orderings) {
  const Orderings found = orderingsOf(run({}));
  // As reported.
  EXPECT_TRUE(found.unpruned_time_best_is_wifi);
  EXPECT_TRUE(found.pruned_energy_best_is_ble5);
  EXPECT_TRUE(found.pruned_time_best_is_wifi);
  EXPECT_TRUE(found.ble4_is_slowest_at_every_cut);
  EXPECT_TRUE(found.ble4_is_fastest_all_on_node);
  EXPECT_TRUE(found.coding_takes_more_than_link_but_ble4);
  EXPECT_TRUE(found.link_takes_most_time_of_ble);
  for (const auto& [name, holds] : named(found))
    test::recordFigure("ordering_" + name, holds ? 1 : 0, "1 or 0", "modelled");
}

/// Those that do not come out from the profiles alone do with the figure that docs/cost-model.md
/// names for each.
TEST_F(TableOne, OrderingsWithTheFigureThatEachHangsOn) {
  EXPECT_TRUE(orderingsOf(run({.coding_ms = 1.9})).coding_takes_most_energy_after_pruning);
  const Orderings without_states = orderingsOf(run({.setup_and_tail_power = 0}));
  EXPECT_TRUE(without_states.ble4_takes_most_energy_at_every_cut);
  EXPECT_TRUE(without_states.all_on_node_takes_most_energy_but_ble4);
  EXPECT_TRUE(orderingsOf(run({.coded_bytes_per_s = 60e6})).unpruned_energy_best_is_first_cut);
}

}  // namespace
}  // namespace narrows
