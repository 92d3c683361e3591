#include "narrows/explore/regimes.h"

#include <gtest/gtest.h>

#include <cmath>

#include "narrows/cost/profiles.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

/// mini-yolo between a Raspberry Pi and a GPU over a link without anything but its rate.
class RegimesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = buildZooModel("zoo:mini-yolo", 1);
    ASSERT_TRUE(model.ok());
    graph_ = model->graph;
    for (const char* name : {"pool1", "pool3"}) {
      auto cut = findCut(graph_, name);
      ASSERT_TRUE(cut.ok());
      cuts_.push_back(*cut);
    }
    designs_ = {{std::nullopt, std::nullopt, {}, {}, {}, {}},
                {std::nullopt, ImageInterface{}, Bytes(12'000), {}, {}, {}},
                {0, std::nullopt, Bytes(4000), milliseconds(0.1), milliseconds(0.1), {}},
                {1, std::nullopt, Bytes(1000), milliseconds(0.1), milliseconds(0.1), {}}};
    setting_.node = *findDeviceModel("raspberry-pi4");
    setting_.server = *findDeviceModel("gpu-server");
    LinkModel link;
    link.up = link.down = BitsPerSecond(1e6);
    setting_.links = {link};
    regimes_.emplace(graph_, cuts_, designs_);
  }

  Graph graph_;
  std::vector<Cut> cuts_;
  std::vector<PricedDesign> designs_;
  SplitSetting setting_;
  std::optional<Regimes> regimes_;
};

TEST_F(RegimesTest, SlowLinksFavourTheNodeAndFastOnesTheServer) {
  const auto slow = regimes_->winner(turned(setting_, Knob::link_rate, 1e-3), Objective::latency);
  const auto fast = regimes_->winner(turned(setting_, Knob::link_rate, 1e4), Objective::latency);
  ASSERT_TRUE(slow.ok() && fast.ok());
  EXPECT_EQ(*slow, 0u);
  EXPECT_NE(*fast, 0u);
}

/// The node alone has most memory and no bytes; pool3 has few bytes.
TEST_F(RegimesTest, OnlyDesignsWithinTheBoundsWin) {
  const auto winner = [&](const DesignBounds& bounds, double rate) {
    const Regimes bounded(graph_, cuts_, designs_, bounds);
    const auto found = bounded.winner(turned(setting_, Knob::link_rate, rate), Objective::latency);
    EXPECT_TRUE(found.ok());
    return found.ok() ? *found : std::nullopt;
  };
  DesignBounds bounds;
  EXPECT_EQ(winner(bounds, 1e-3), 0u);
  bounds.memory = 1;
  EXPECT_EQ(winner(bounds, 1e-3), 1u);
  bounds.bytes = 5000;
  EXPECT_EQ(winner(bounds, 1e-3), std::nullopt);
  bounds = {};
  bounds.latency = 1e-9;
  EXPECT_EQ(winner(bounds, 1), std::nullopt);
  // The bound of the latency holds where the link is fast enough.
  bounds = {};
  bounds.latency = (*regimes_->scores(setting_, Objective::latency))[0] * 0.99;
  EXPECT_EQ(winner(bounds, 1e-3), std::nullopt);
  EXPECT_NE(winner(bounds, 1e4), std::nullopt);
}

TEST_F(RegimesTest, ElasticitiesOfLatencyAddUpToMinusOne) {
  // All of the latency is either the node's, the server's or the link's; the link's part falls with
  // the rate and grows with the bytes.
  for (std::size_t design = 1; design < designs_.size(); ++design) {
    const auto found = regimes_->elasticities(setting_, Objective::latency, design);
    ASSERT_TRUE(found.ok()) << found.error().message;
    const auto& [link, node, server, bytes, work] = *found;
    EXPECT_NEAR(link + node + server, -1, 1e-3);
    // The node computes, and codes what it sends of a cut.
    if (designs_[design].picture) {
      EXPECT_EQ(work, 0);
    } else {
      EXPECT_GT(work, 0);
      EXPECT_LT(work, -node);
    }
    const double expected = designs_[design].picture ? 0 : -link;
    EXPECT_NEAR(bytes, expected, 1e-3);
  }
}

TEST_F(RegimesTest, AHostThatIsFasterTakesLessTime) {
  for (PricedDesign& design : designs_) design.times = {milliseconds(40), milliseconds(10)};
  setting_.node.reset();
  setting_.server.reset();
  const auto now = regimes_->scores(setting_, Objective::latency);
  const auto faster = regimes_->scores(turned(setting_, Knob::node_speed, 2), Objective::latency);
  const auto server = regimes_->scores(turned(setting_, Knob::server_speed, 2), Objective::latency);
  ASSERT_TRUE(now.ok() && faster.ok() && server.ok());
  EXPECT_NEAR((*now)[0] - (*faster)[0], 0.02, 1e-9);
  EXPECT_NEAR((*now)[2] - (*faster)[2], 0.02 + 0.05e-3, 1e-9);
  EXPECT_NEAR((*now)[1] - (*server)[1], 0.005, 1e-9);
}

TEST_F(RegimesTest, TheWinnerChangesAtTheBreakEven) {
  const auto at = regimes_->breakEven(setting_, Objective::latency, Knob::link_rate, 1e-3);
  ASSERT_TRUE(at.ok()) << at.error().message;
  ASSERT_TRUE(at->has_value());
  const auto before =
      regimes_->winner(turned(setting_, Knob::link_rate, **at * 1.011), Objective::latency);
  const auto after = regimes_->winner(turned(setting_, Knob::link_rate, **at), Objective::latency);
  ASSERT_TRUE(before.ok() && after.ok());
  EXPECT_NE(*before, *after);
}

TEST_F(RegimesTest, WithoutAChangeThereIsNoBreakEven) {
  const auto at = regimes_->breakEven(setting_, Objective::bytes, Knob::link_rate, 100);
  ASSERT_TRUE(at.ok());
  EXPECT_FALSE(at->has_value());
}

}  // namespace
}  // namespace narrows
