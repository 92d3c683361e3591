#include "narrows/cli/deployed_design.h"

#include <gtest/gtest.h>

#include "narrows/cost/profiles.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

/// Computing of 40 ms on the node and 20 ms on the server, and 100 ms of all else.
DesignCost costs() {
  DesignCost cost;
  at(cost.scores, Objective::latency) = 0.16;
  cost.node_compute = milliseconds(40);
  cost.server_compute = milliseconds(20);
  return cost;
}

class LatencyErrorTest : public testing::Test {
 protected:
  void SetUp() override {
    auto model = buildZooModel("zoo:mini-yolo", 1);
    ASSERT_TRUE(model.ok());
    graph_ = model->graph;
    setting_.node = *findDeviceModel("raspberry-pi4");
    setting_.server = setting_.node;
    setting_.links = {LinkModel()};
  }
  double errorInMs() const {
    auto pricer = SplitPricer::create(setting_, graph_);
    EXPECT_TRUE(pricer.ok());
    return pricer.ok() ? toMilliseconds(latencyError(*pricer, costs())) : -1;
  }

  Graph graph_;
  SplitSetting setting_;
};

TEST_F(LatencyErrorTest, IsATenthAtLeast) {
  EXPECT_NEAR(errorInMs(), 16, 1e-9);
  setting_.node->timing = TimingFigures{Seconds(0.02), 0.05, 0.95};
  EXPECT_NEAR(errorInMs(), 16, 1e-9);
}

TEST_F(LatencyErrorTest, IsWhatTheProfilesSayOfTheirTimes) {
  setting_.node->timing = TimingFigures{Seconds(0.02), 0.25, 0.95};
  EXPECT_NEAR(errorInMs(), 10 + 0.25 * 40 + 2, 1e-9);
  setting_.server->timing = TimingFigures{Seconds(0.02), 0.05, 0.7};
  EXPECT_NEAR(errorInMs(), 10 + 0.25 * 40 + 0.3 * 20, 1e-9);
}

TEST_F(LatencyErrorTest, IsThatOfThePredictorWhereNoTableApplies) {
  setting_.node->predictor = TimePredictor();
  setting_.node->predictor->error_percent = 50;
  EXPECT_NEAR(errorInMs(), 10 + 0.5 * 40 + 2, 1e-9);
}

}  // namespace
}  // namespace narrows
