#include "narrows/cli/group_replanner.h"

#include <algorithm>
#include <memory>

#include "narrows/bundle/bundle.h"
#include "narrows/codec/frame.h"
#include "narrows/planner/group_planner.h"

namespace narrows {
namespace {

/// The devices of the group that are named. Who was to give inputs or take outputs and is gone is
/// replaced by the first one left.
DeviceGroup remaining(const DeviceGroup& group, const std::vector<std::string>& names) {
  DeviceGroup left;
  left.medium = group.medium;
  for (std::size_t d = 0; d < group.devices.size(); ++d) {
    if (std::find(names.begin(), names.end(), group.devices[d].name) == names.end()) continue;
    if (d == group.source) left.source = left.devices.size();
    if (d == group.sink) left.sink = left.devices.size();
    left.devices.push_back(group.devices[d]);
  }
  return left;
}

}  // namespace

void addReplanOptions(CLI::App& app, ReplanOptions& options) {
  auto* model = app.add_option("--model", options.model.model,
                               "The whole network (PATH.onnx, PATH.cfg or zoo:NAME): with "
                               "--devices, a group that changes is planned anew");
  auto* devices =
      app.add_option("--devices", options.devices, "The group's file that the plan was made for");
  model->needs(devices);
  devices->needs(model);
  app.add_option("--objective", options.objective,
                 "Of new plans: latency, throughput, traffic, memory or energy")
      ->needs(model)
      ->capture_default_str();
  app.add_option("--seed", options.model.seed, "For random weights of a network of the zoo")
      ->needs(model)
      ->capture_default_str();
}

Result<Replanner> makeReplanner(const ReplanOptions& options, const ModelDescription& description) {
  if (options.model.model.empty()) return Replanner();
  const auto objective = parseGroupObjective(options.objective);
  if (!objective) return makeError("--objective: \"{}\" is not known", options.objective);
  NARROWS_TRY(group, readDeviceGroup(options.devices));
  NARROWS_TRY(loaded, loadModel(options.model));
  const auto model = std::make_shared<const LoadedModel>(std::move(loaded));
  GroupPlannerOptions planner;
  planner.objective = *objective;
  planner.frame_overhead = Bytes(static_cast<double>(kFrameHeaderBytes));
  return Replanner([=](const std::vector<std::string>& alive) -> Result<Deployment> {
    const DeviceGroup left = remaining(group, alive);
    if (left.devices.empty()) return makeError("none of the workers is in {}", options.devices);
    NARROWS_TRY(planning, planGroup(model->graph, left, planner));
    Bundle bundle;
    bundle.name = model->name;
    bundle.plan = std::move(planning.best.split.plan);
    bundle.pieces = std::move(planning.best.split.pieces);
    bundle.description = description;
    return Deployment::of(bundle);
  });
}

}  // namespace narrows
