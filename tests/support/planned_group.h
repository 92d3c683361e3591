#pragma once

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "narrows/codec/frame.h"
#include "narrows/engine/engine.h"
#include "narrows/graph/passes.h"
#include "narrows/graph/random_graph.h"
#include "narrows/planner/group_planner.h"
#include "narrows/zoo/zoo.h"

/// Networks that are planned over a group, and what one device makes of them.
namespace narrows::test {

inline constexpr std::string_view kFiveDevices = R"(
link = "1Gbit/s"
source = "camera"
sink = "screen"
[[device]]
name = "camera"
speed = 0.5
[[device]]
name = "board"
count = 3
[[device]]
name = "screen"
speed = 2
)";

/// Devices without overheads and a thousand times too slow, so that dividing pays for small
/// networks as well. `toml` as `parseDeviceGroup` takes it.
inline DeviceGroup slowGroup(std::string_view toml) {
  auto group = parseDeviceGroup(toml, "test");
  NARROWS_ASSERT(group.ok());
  for (GroupDevice& device : group->devices) {
    device.model.rates->macs_per_s /= 1000;
    device.model.rates->op = Seconds(0);
  }
  return std::move(*group);
}

inline std::vector<TensorView> viewsOf(std::span<const Tensor> tensors) {
  return {tensors.begin(), tensors.end()};
}

/// The whole network on the reference engine.
inline std::vector<Tensor> runWhole(const Graph& graph, std::span<const Tensor> inputs) {
  auto engine = makeEngine("reference");
  auto program = (*engine)->compile(graph, {});
  NARROWS_ASSERT(program.ok());
  auto outputs = runProgram(**program, viewsOf(inputs));
  NARROWS_ASSERT(outputs.ok());
  return std::move(*outputs);
}

inline Graph zooGraph(std::string_view name) {
  auto model = buildZooModel(name, 1);
  NARROWS_ASSERT(model.ok());
  auto graph = simplify(model->graph);
  NARROWS_ASSERT(graph.ok());
  return std::move(*graph);
}

inline GroupPlanning planned(const Graph& graph, const DeviceGroup& group,
                             GroupObjective objective) {
  GroupPlannerOptions options;
  options.objective = objective;
  options.frame_overhead = Bytes(static_cast<double>(kFrameHeaderBytes));
  auto planning = planGroup(graph, group, options);
  NARROWS_ASSERT(planning.ok());
  return std::move(*planning);
}

/// As it is deployed, with the outputs as they are for an answer.
inline Bundle bundleOf(SplitModel split, std::string name) {
  Bundle bundle;
  bundle.name = std::move(name);
  bundle.plan = std::move(split.plan);
  bundle.pieces = std::move(split.pieces);
  bundle.description.head.kind = HeadKind::none;
  const Shape& shape = bundle.plan.inputs[0].type.shape;
  bundle.description.preprocessing.width = shape[3];
  bundle.description.preprocessing.height = shape[2];
  return bundle;
}

}  // namespace narrows::test
