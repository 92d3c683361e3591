#include "narrows/cli/host_profile.h"

#include <gtest/gtest.h>

#include "narrows/cli/cut_choice.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/profile_writer.h"
#include "narrows/graph/passes.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

NamedGraph network(const char* name) {
  auto model = buildZooModel(name, 1);
  EXPECT_TRUE(model.ok()) << model.error().message;
  auto simple = simplify(model->graph);
  EXPECT_TRUE(simple.ok());
  return {name, std::move(*simple)};
}

class HostProfileTest : public testing::TestWithParam<bool> {};

/// The profile that was written prices the network that was measured from its table: with the time
/// of the run, but for what the clocks and other work add.
TEST_P(HostProfileTest, PricesWhatWasMeasured) {
  auto engine = makeEngine(defaultEngineName());
  ASSERT_TRUE(engine.ok());
  const std::vector<NamedGraph> networks{network("zoo:squeezenet@64,width=0.25"),
                                         network("zoo:mobilenetv2@64,width=0.25")};
  HostProfileOptions options;
  options.precision = GetParam() ? Precision::int8 : Precision::f32;
  options.runs = 5;
  options.rest = milliseconds(1);
  options.cuts = 2;
  std::size_t steps = 0;
  auto profile = measureHost(**engine, networks, options, [&] { ++steps; });
  ASSERT_TRUE(profile.ok()) << profile.error().message;
  EXPECT_EQ(steps, hostProfileSteps(networks.size(), options));
  ASSERT_EQ(profile->networks.size(), networks.size());
  auto read = parseDeviceModel(formatDeviceModel(profile->device), "written");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(read->predictor->error_percent.has_value());
  ASSERT_TRUE(read->timing.has_value());
  EXPECT_EQ(read->timing->rest, options.rest);
  EXPECT_GT(read->timing->at_once, 0);
  for (std::size_t n = 0; n < networks.size(); ++n) {
    const Graph& graph = networks[n].graph;
    auto model = ComputeModel::create(*read, graph);
    ASSERT_TRUE(model.ok()) << model.error().message;
    EXPECT_TRUE(model->fromTable());
    auto whole = model->cost(graph);
    ASSERT_TRUE(whole.ok());
    EXPECT_EQ(whole->origin, Origin::measured);
    const MeasuredNetwork& measured = profile->networks[n];
    ASSERT_EQ(measured.pieces.size(), 5u);
    // A factor, since other work may strike any of the runs.
    EXPECT_LT(whole->time / measured.pieces[0].measured, 3) << networks[n].name;
    EXPECT_GT(whole->time / measured.pieces[0].measured, 1.0 / 3) << networks[n].name;
    std::int64_t sides = 0;
    for (std::size_t p = 1; p < measured.pieces.size(); p += 2) {
      sides = measured.pieces[p].macs + measured.pieces[p + 1].macs;
      EXPECT_EQ(sides, measured.pieces[0].macs);
      EXPECT_EQ(measured.pieces[p].side, "node");
      EXPECT_EQ(measured.pieces[p + 1].side, "server");
      EXPECT_TRUE(measured.pieces[p].predicted.has_value());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, HostProfileTest, testing::Bool());

TEST(HostProfile, OneNetworkHasNoErrorToShow) {
  auto engine = makeEngine("reference");
  ASSERT_TRUE(engine.ok());
  HostProfileOptions options;
  options.runs = 1;
  options.cuts = 0;
  const std::vector<NamedGraph> networks{network("zoo:squeezenet@32,width=0.125")};
  auto profile = measureHost(**engine, networks, options, [] {});
  ASSERT_TRUE(profile.ok()) << profile.error().message;
  EXPECT_FALSE(profile->device.predictor->error_percent.has_value());
  EXPECT_FALSE(profile->networks[0].pieces[0].predicted.has_value());
}

TEST(SpreadCuts, LieAtEvenSharesOfTheWork) {
  const NamedGraph model = network("zoo:vgg16@32,width=0.125");
  const std::vector<Cut> all = singleTensorCuts(model.graph);
  const auto total = static_cast<double>(cost(model.graph).macs);
  const std::vector<Cut> chosen = spreadCuts(model.graph, 3);
  ASSERT_EQ(chosen.size(), 3u);
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const double wanted = total * static_cast<double>(i + 1) / 4;
    const double off = std::abs(static_cast<double>(chosen[i].before.macs) - wanted);
    // No other cut is nearer.
    for (const Cut& cut : all)
      EXPECT_LE(off, std::abs(static_cast<double>(cut.before.macs) - wanted)) << i;
  }
}

}  // namespace
}  // namespace narrows
