#include "narrows/plan/plan.h"

#include <gtest/gtest.h>

namespace narrows {
namespace {

const TensorType kMap{DType::f32, Shape{1, 4, 6, 5}};
const TensorType kResult{DType::f32, Shape{1, 10}};

Region box(std::initializer_list<Region::Interval> intervals) {
  auto region = Region::create(std::vector<Region::Interval>(intervals));
  NARROWS_ASSERT(region.ok());
  return *region;
}

/// x -> head -> tail -> y over two devices, a feature interface between.
Plan twoPieces() {
  Plan plan;
  plan.devices = {{"node"}, {"server"}};
  plan.source_device = DeviceId(0);
  plan.sink_device = DeviceId(1);
  plan.inputs = {{"x", kMap}};
  plan.outputs = {{"y", kResult}};
  plan.pieces = {{"head", DeviceId(0), {{"x", kMap}}, {{"m", kMap}}},
                 {"tail", DeviceId(1), {{"m", kMap}}, {{"y", kResult}}}};
  const Region map = Region::whole(kMap.shape);
  const Region result = Region::whole(kResult.shape);
  FeatureInterface feature;
  feature.type = kMap;
  plan.interfaces = {feature};
  plan.transfers = {
      {{PieceId(), 0}, map, {PieceId(0), 0}, map, TransferMode::copy, InterfaceId()},
      {{PieceId(0), 0}, map, {PieceId(1), 0}, map, TransferMode::copy, InterfaceId(0)},
      {{PieceId(1), 0}, result, {PieceId(), 0}, result, TransferMode::copy, InterfaceId()}};
  return plan;
}

std::string problemOf(const Plan& plan) {
  const Status status = checkPlan(plan);
  return status.ok() ? "" : status.error().message;
}

TEST(CheckPlan, AcceptsTwoPieces) {
  EXPECT_EQ(problemOf(twoPieces()), "");
}

TEST(CheckPlan, RefusesNamesThatAreTakenOrEmpty) {
  Plan plan = twoPieces();
  plan.pieces[1].name = "head";
  EXPECT_EQ(problemOf(plan), "pieces[1].name: \"head\" is taken");
  plan = twoPieces();
  plan.devices[0].name = "";
  EXPECT_EQ(problemOf(plan), "devices[0].name: empty");
}

TEST(CheckPlan, RefusesIdsOutOfRange) {
  Plan plan = twoPieces();
  plan.pieces[0].device = DeviceId(2);
  EXPECT_EQ(problemOf(plan), "pieces[0].device: no such device");
  plan = twoPieces();
  plan.sink_device = DeviceId();
  EXPECT_EQ(problemOf(plan), "sink_device: no such device");
  plan = twoPieces();
  plan.transfers[1].source.port = 1;
  EXPECT_EQ(problemOf(plan), "transfers[1]: source: no such piece or port");
  plan = twoPieces();
  plan.transfers[1].destination.piece = PieceId(7);
  EXPECT_EQ(problemOf(plan), "transfers[1]: destination: no such piece or port");
  plan = twoPieces();
  plan.transfers[1].interface = InterfaceId(1);
  EXPECT_EQ(problemOf(plan), "transfers[1]: interface: there is no interface 1");
}

TEST(CheckPlan, RefusesBoxesThatDoNotFit) {
  Plan plan = twoPieces();
  plan.transfers[0].to = box({{0, 1}, {0, 4}, {0, 6}, {0, 6}});
  EXPECT_EQ(problemOf(plan),
            "transfers[0]: to: [0:1, 0:4, 0:6, 0:6] does not lie in \"x\" of 1x4x6x5");
  plan = twoPieces();
  plan.transfers[0].from = box({{0, 1}, {0, 4}, {0, 5}, {0, 5}});
  EXPECT_EQ(problemOf(plan),
            "transfers[0]: from [0:1, 0:4, 0:5, 0:5] and to [0:1, 0:4, 0:6, 0:5] differ in shape");
  plan = twoPieces();
  plan.transfers[0].to = box({{0, 1}, {0, 4}, {3, 3}, {0, 5}});
  EXPECT_EQ(problemOf(plan), "transfers[0]: to: [0:1, 0:4, 3:3, 0:5] is empty");
}

TEST(CheckPlan, RefusesGapsAndOverlaps) {
  Plan plan = twoPieces();
  const Region upper = box({{0, 1}, {0, 4}, {0, 3}, {0, 5}});
  const Region lower = box({{0, 1}, {0, 4}, {3, 6}, {0, 5}});
  plan.transfers[0].from = plan.transfers[0].to = upper;
  EXPECT_EQ(problemOf(plan), "pieces[0].inputs[0]: 60 of 120 elements of \"x\" are written");
  plan.transfers.push_back(plan.transfers[0]);
  plan.transfers[3].from = plan.transfers[3].to = lower;
  EXPECT_EQ(problemOf(plan), "");
  plan.transfers[3].to = box({{0, 1}, {0, 4}, {2, 5}, {0, 5}});
  EXPECT_EQ(problemOf(plan),
            "pieces[0].inputs[0]: transfers[0] and transfers[3] both write [0:1, 0:4, 2:3, 0:5] of "
            "\"x\"");
  plan.transfers.erase(plan.transfers.begin());
  plan.transfers.erase(plan.transfers.begin() + 1);
  EXPECT_EQ(problemOf(plan), "pieces[0].inputs[0]: 60 of 120 elements of \"x\" are written");
  plan = twoPieces();
  plan.transfers.pop_back();
  EXPECT_EQ(problemOf(plan), "outputs[0]: nothing writes \"y\"");
}

TEST(CheckPlan, AddsOnlyWholePortsAndDoesNotMixModes) {
  Plan plan = twoPieces();
  plan.transfers[1].mode = TransferMode::add;
  EXPECT_EQ(problemOf(plan), "");
  plan.transfers.push_back(plan.transfers[1]);
  EXPECT_EQ(problemOf(plan), "");
  plan.transfers[3].mode = TransferMode::copy;
  EXPECT_EQ(problemOf(plan), "pieces[1].inputs[0]: transfers[3] copies and transfers[1] adds");
  plan.transfers[3].mode = TransferMode::add;
  plan.transfers[3].from = plan.transfers[3].to = box({{0, 1}, {0, 2}, {0, 6}, {0, 5}});
  plan.transfers[3].interface = InterfaceId();
  EXPECT_EQ(problemOf(plan), "pieces[1].inputs[0]: transfers[3] adds to a part of \"m\" only");
}

TEST(CheckPlan, RefusesToReadFromAPieceThatRunsLater) {
  Plan plan = twoPieces();
  std::swap(plan.pieces[0], plan.pieces[1]);
  plan.transfers[0].destination.piece = PieceId(1);
  plan.transfers[1].source.piece = PieceId(1);
  plan.transfers[1].destination.piece = PieceId(0);
  plan.transfers[2].source.piece = PieceId(0);
  EXPECT_EQ(problemOf(plan), "transfers[1]: source: piece \"head\" does not come before \"tail\"");
}

TEST(CheckPlan, RefusesInterfacesThatDoNotFit) {
  Plan plan = twoPieces();
  std::get<FeatureInterface>(plan.interfaces[0]).type.shape = Shape{1, 4, 6, 4};
  EXPECT_EQ(problemOf(plan),
            "transfers[1]: interface: it is made for f32 1x4x6x4, the box is f32 1x4x6x5");
  plan = twoPieces();
  plan.pieces[1].device = DeviceId(0);
  EXPECT_EQ(problemOf(plan), "transfers[1]: interface: both ends lie on one device");
  plan = twoPieces();
  plan.interfaces[0] = ImageInterface{};
  EXPECT_EQ(problemOf(plan),
            "transfers[1]: interface: an image interface carries a whole input of the model only");
  plan = twoPieces();
  plan.transfers[1].interface = InterfaceId();
  EXPECT_EQ(problemOf(plan), "interfaces[0]: no transfer crosses it");
  plan = twoPieces();
  std::get<FeatureInterface>(plan.interfaces[0]).quantizer.kind = QuantizerKind::uniform;
  EXPECT_NE(problemOf(plan).find("interfaces[0]: "), std::string::npos);
}

TEST(CheckPlan, RefusesDTypesThatDiffer) {
  Plan plan = twoPieces();
  plan.outputs[0].type.dtype = DType::i64;
  EXPECT_EQ(problemOf(plan), "transfers[2]: \"y\" is f32 and \"y\" is i64");
}

TEST(CheckPieces, ComparesPortsWithGraphs) {
  Plan plan = twoPieces();
  std::vector<Graph> pieces(2);
  const ValueId x = pieces[0].addInput("x", kMap);
  auto m = pieces[0].add(Unary{UnaryKind::relu}, {x}, "m");
  ASSERT_TRUE(pieces[0].setOutputs({*m}).ok());
  const ValueId in = pieces[1].addInput("m", kMap);
  auto flat = pieces[1].add(Reshape{{1, 120}}, {in}, "flat");
  auto y = pieces[1].add(Slice{{0, 0}, {1, 10}, {1, 1}}, {*flat}, "y");
  ASSERT_TRUE(pieces[1].setOutputs({*y}).ok());
  EXPECT_TRUE(checkPieces(plan, pieces).ok());
  ASSERT_TRUE(pieces[1].renameValue(*y, "z").ok());
  EXPECT_EQ(
      checkPieces(plan, pieces).error().message,
      "pieces[1] \"tail\": outputs[0]: the plan has \"y\" f32 1x10, the graph \"z\" f32 1x10");
  pieces.pop_back();
  EXPECT_EQ(checkPieces(plan, pieces).error().message,
            "pieces: the plan has 2, there are 1 graphs");
}

}  // namespace
}  // namespace narrows
