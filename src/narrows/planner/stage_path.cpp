#include "narrows/planner/stage_path.h"

#include <algorithm>
#include <limits>

namespace narrows {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Price of a stage but for what flows into it; infinite when a device cannot hold it.
double ownPrice(const StageSpace& space, const Stage& stage, const StagePrices& prices) {
  double longest = 0;
  double total = 0;
  for (std::size_t d = 0; d < stage.loads.size(); ++d) {
    const StageLoad& load = stage.loads[d];
    if (load.weights + load.activations > prices.memory[d]) return kNever;
    longest = std::max(longest, load.seconds);
    total += prices.busy[d] * load.seconds + prices.weight[d] * load.weights;
  }
  if (stage.kind == Stage::Kind::summed) {
    StageSpace::Flow sums;
    sums.sent.resize(stage.loads.size());
    sums.received.resize(stage.loads.size());
    const auto parts = static_cast<double>(stage.reads.size());
    const double sum_bytes = space.wireRatio() * stage.sum_bytes;
    for (const PartReads& part : stage.reads) {
      if (part.device == stage.merge) continue;
      // Without one that adds all up, each part sends the others what is theirs and gets as much.
      const double bytes = stage.merge ? sum_bytes : sum_bytes * (parts - 1) / parts;
      sums.sent[part.device] += bytes;
      sums.received[stage.merge.value_or(part.device)] += bytes;
      sums.total += bytes;
    }
    longest += space.secondsOf(sums);
    total += prices.byte * sums.total;
  }
  return total + prices.second * longest;
}

}  // namespace

StagePath cheapestPath(const StageSpace& space, const DeviceGroup& group,
                       const StagePrices& prices) {
  const std::size_t boundaries = space.boundaries().size();
  const std::size_t layouts = space.layouts().size();
  const auto at = [&](std::size_t boundary, std::size_t layout) {
    return boundary * layouts + layout;
  };
  std::vector<double> best(boundaries * layouts, kNever);
  std::vector<std::size_t> taken(boundaries * layouts, kNone);
  std::vector<std::size_t> came_from(boundaries * layouts, kNone);
  best[at(0, *space.wholeOn(group.source))] = 0;
  // Stages are listed by their ends, and begin before.
  for (std::size_t s = 0; s < space.stages().size(); ++s) {
    const Stage& stage = space.stages()[s];
    if (space.layouts()[stage.layout].devices.size() > prices.most_devices) continue;
    const double own = ownPrice(space, stage, prices);
    if (own == kNever) continue;
    const std::size_t to = stage.kind == Stage::Kind::summed && stage.merge
                               ? *space.wholeOn(*stage.merge)
                               : stage.layout;
    double& target = best[at(stage.end, to)];
    for (std::size_t from = 0; from < layouts; ++from) {
      const double before = best[at(stage.begin, from)];
      if (before + own >= target) continue;
      const StageSpace::FlowCost flow = space.costInto(s, from);
      const double total = before + own + prices.byte * static_cast<double>(flow.bytes) +
                           prices.second * static_cast<double>(flow.seconds);
      if (total >= target) continue;
      target = total;
      taken[at(stage.end, to)] = s;
      came_from[at(stage.end, to)] = from;
    }
  }
  StagePath path;
  path.price = kNever;
  std::size_t layout = kNone;
  for (std::size_t last = 0; last < layouts; ++last) {
    const double before = best[at(boundaries - 1, last)];
    if (before == kNever) continue;
    const StageSpace::Flow flow = space.flowOut(last);
    const double total = before + prices.byte * flow.total + prices.second * space.secondsOf(flow);
    if (total >= path.price) continue;
    path.price = total;
    layout = last;
  }
  if (layout == kNone) return path;
  for (std::size_t boundary = boundaries - 1; boundary > 0;) {
    const std::size_t s = taken[at(boundary, layout)];
    path.stages.push_back(s);
    layout = came_from[at(boundary, layout)];
    boundary = space.stages()[s].begin;
  }
  std::reverse(path.stages.begin(), path.stages.end());
  return path;
}

}  // namespace narrows
