#include "narrows/cli/design_timeline.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "narrows/cli/end_designs.h"
#include "narrows/cli/exploration_table.h"
#include "narrows/cost/plan_simulator.h"

namespace narrows {
namespace {

/// To a tenth of a microsecond.
double roundedMs(Seconds time) {
  constexpr double kSteps = 1e4;
  return std::round(toMilliseconds(time) * kSteps) / kSteps;
}

class Timelines {
 public:
  Timelines(const ExplorationDocument& document, const SplitPricer& splits, SplitPricing& pricing,
            const std::map<std::string, CutTimes>& times)
      : document_(document), splits_(splits), pricing_(pricing), times_(times) {}

  Result<Simulation> simulate(std::size_t position) {
    const ExploredDesign& design = document_.exploration.designs[position];
    if (!design.end) return atCut(design.cut, design, *design.frame);
    const EndDesign& end = document_.ends[*design.end];
    const Bytes bytes(at(end.cost.scores, Objective::bytes));
    if (end.cut) {
      FrameRow frame;
      frame.mean_bytes = bytes.value();
      frame.encode_time = end.encode_time;
      frame.decode_time = end.decode_time;
      return atCut(*end.cut, design, frame);
    }
    const Seconds uncut = times_.at(std::string(kPicture)).server;
    NARROWS_TRY(pricers, pricersOf(document_.recipes[position], uncut));
    return simulate(pricers[design.link.value_or(0)], bytes, end.encode_time, end.decode_time);
  }

 private:
  Result<Simulation> atCut(std::size_t cut, const ExploredDesign& design, const FrameRow& frame) {
    NARROWS_TRY(plans, pricing_.plansOf(cut, times_.at(document_.space.cuts[cut])));
    return simulate((*plans)[*design.link], Bytes(frame.mean_bytes), frame.encode_time,
                    frame.decode_time);
  }

  Result<std::vector<PlanPricer>> pricersOf(const SplitRecipe& recipe, Seconds uncut) const {
    if (recipe.on_node) return splits_.onNode({uncut, {}});
    NARROWS_TRY(coding, parseImageCoding(recipe.picture));
    return splits_.forPicture({coding, recipe.jpeg_quality}, {{}, uncut});
  }

  Result<Simulation> simulate(const PlanPricer& pricer, Bytes bytes, Seconds encode,
                              Seconds decode) const {
    return simulatePlan(pricer, splits_.transfers(pricer, bytes, encode, decode), kTimelineFrames,
                        kTimelineInFlight);
  }

  const ExplorationDocument& document_;
  const SplitPricer& splits_;
  SplitPricing& pricing_;
  const std::map<std::string, CutTimes>& times_;
};

}  // namespace

Status addTimelines(ExplorationDocument& document, const SplitPricer& splits, SplitPricing& pricing,
                    const std::map<std::string, CutTimes>& times) {
  Timelines timelines(document, splits, pricing, times);
  const auto& designs = document.exploration.designs;
  for (std::size_t i = 0; i < designs.size(); ++i) {
    if (!designs[i].on_front) continue;
    NARROWS_TRY(simulation, timelines.simulate(i));
    document.timelines.push_back({i, std::move(simulation)});
  }
  return {};
}

nlohmann::ordered_json timelineJson(const DesignTimeline& timeline) {
  auto steps = nlohmann::ordered_json::array();
  for (const TimelineEntry& entry : timeline.simulation.timeline) {
    const char* place = entry.to ? "link" : entry.device == 0 ? "node" : "server";
    steps.push_back({entry.frame, place, toString(entry.activity), roundedMs(entry.start),
                     roundedMs(entry.end)});
  }
  return steps;
}

}  // namespace narrows
