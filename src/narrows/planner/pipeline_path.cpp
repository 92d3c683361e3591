#include "narrows/planner/pipeline_path.h"

#include <algorithm>
#include <limits>

namespace narrows {
namespace {

constexpr std::size_t kMostDevices = 8;
constexpr float kNever = std::numeric_limits<float>::infinity();

/// Loads of the layers on one device, summed up from the first.
struct Prefix {
  std::vector<double> seconds{0};
  std::vector<double> weights{0};
  std::vector<double> activations;  // of each layer
};

class Pipeline {
 public:
  Pipeline(const StageSpace& space, const DeviceGroup& group, const Graph& graph,
           GroupObjective objective)
      : space_(space),
        group_(group),
        graph_(graph),
        objective_(objective),
        boundaries_(space.boundaries().size()) {}

  std::optional<std::vector<GroupStage>> run() {
    chooseDevices();
    sumLoads();
    countCrossing();
    const std::size_t sets = std::size_t{1} << devices_.size();
    best_.assign(sets * devices_.size() * boundaries_, kNever);
    came_.resize(best_.size());
    for (std::size_t set = 1; set < sets; ++set) {
      for (std::size_t last = 0; last < devices_.size(); ++last) {
        if ((set >> last & 1) != 0) extend(set, last);
      }
    }
    return trace(sets);
  }

 private:
  struct Step {
    std::uint16_t boundary = 0;
    std::uint16_t device = 0;
  };

  void chooseDevices() {
    for (const Layout& layout : space_.layouts()) {
      if (layout.kind != Layout::Kind::whole) continue;
      const std::size_t d = layout.devices[0];
      if (devices_.size() < kMostDevices) {
        devices_.push_back(d);
      } else if (d == group_.source || d == group_.sink) {
        devices_[d == group_.source ? kMostDevices - 1 : kMostDevices - 2] = d;
      }
    }
  }

  void sumLoads() {
    loads_.resize(devices_.size());
    for (std::size_t i = 0; i < devices_.size(); ++i) {
      for (const Stage& stage : space_.stages()) {
        const Layout& layout = space_.layouts()[stage.layout];
        if (layout.kind != Layout::Kind::whole || layout.devices[0] != devices_[i]) continue;
        const StageLoad& load = stage.loads[devices_[i]];
        loads_[i].seconds.push_back(loads_[i].seconds.back() + load.seconds);
        loads_[i].weights.push_back(loads_[i].weights.back() + load.weights);
        loads_[i].activations.push_back(load.activations);
      }
    }
  }

  void countCrossing() {
    for (std::size_t b = 0; b < boundaries_; ++b) {
      double bytes = 0;
      for (const ValueId value : space_.crossing(b)) {
        bytes += static_cast<double>(graph_.type(value).bytes());
      }
      crossing_.push_back(space_.wireRatio() * bytes);
    }
  }

  std::size_t at(std::size_t set, std::size_t last, std::size_t boundary) const {
    return (set * devices_.size() + last) * boundaries_ + boundary;
  }

  /// Value of moving what crosses a boundary, and of layers [begin, end) on device `i`.
  float moving(std::size_t boundary, std::size_t from, std::size_t to) const {
    if (from == to || objective_ == GroupObjective::memory) return 0;
    const double bytes = crossing_[boundary];
    if (objective_ == GroupObjective::traffic) return static_cast<float>(bytes);
    const double seconds = groupMessageTime(group_, from, to, Bytes(bytes)).arrival().value();
    if (objective_ != GroupObjective::energy) return static_cast<float>(seconds);
    return static_cast<float>(seconds * idlePower());
  }
  double idlePower() const {
    double power = 0;
    for (const std::size_t d : devices_) power += group_.devices[d].model.idle_power.value();
    return power / static_cast<double>(devices_.size());
  }
  float working(std::size_t i, std::size_t begin, std::size_t end, double activations) const {
    const GroupDevice& device = group_.devices[devices_[i]];
    const double memory = loads_[i].weights[end] - loads_[i].weights[begin] + activations;
    if (device.memory && memory > *device.memory) return kNever;
    const double seconds = loads_[i].seconds[end] - loads_[i].seconds[begin];
    switch (objective_) {
      case GroupObjective::latency:
      case GroupObjective::throughput:
        return static_cast<float>(seconds);
      case GroupObjective::traffic:
        return static_cast<float>(seconds * 1e-3);  // among equals the fast one
      case GroupObjective::memory:
        return static_cast<float>(memory);
      case GroupObjective::energy:
        return static_cast<float>(seconds * device.model.compute_power.value_or(Watts(0)).value());
    }
    return kNever;
  }
  float join(float a, float b) const {
    const bool worst =
        objective_ == GroupObjective::throughput || objective_ == GroupObjective::memory;
    return worst ? std::max(a, b) : a + b;
  }

  void extend(std::size_t set, std::size_t last) {
    const std::size_t before = set & ~(std::size_t{1} << last);
    for (std::size_t begin = 0; begin + 1 < boundaries_; ++begin) {
      float start = kNever;
      std::size_t from = last;
      if (before == 0 && begin == 0) {
        start = moving(0, group_.source, devices_[last]);
      }
      for (std::size_t i = 0; before != 0 && begin > 0 && i < devices_.size(); ++i) {
        if ((before >> i & 1) == 0 || best_[at(before, i, begin)] == kNever) continue;
        const float value =
            join(best_[at(before, i, begin)], moving(begin, devices_[i], devices_[last]));
        if (value >= start) continue;
        start = value;
        from = i;
      }
      if (start == kNever) continue;
      double activations = 0;
      for (std::size_t end = begin + 1; end < boundaries_; ++end) {
        activations = std::max(activations, loads_[last].activations[end - 1]);
        const float work = working(last, begin, end, activations);
        if (work == kNever) break;
        const float value = join(start, work);
        float& target = best_[at(set, last, end)];
        if (value >= target) continue;
        target = value;
        came_[at(set, last, end)] = {static_cast<std::uint16_t>(begin),
                                     static_cast<std::uint16_t>(from)};
      }
    }
  }

  std::optional<std::vector<GroupStage>> trace(std::size_t sets) const {
    float least = kNever;
    std::size_t set = 0;
    std::size_t last = 0;
    for (std::size_t s = 1; s < sets; ++s) {
      for (std::size_t i = 0; i < devices_.size(); ++i) {
        const float found = best_[at(s, i, boundaries_ - 1)];
        if (found == kNever) continue;
        const float value = join(found, moving(boundaries_ - 1, devices_[i], group_.sink));
        if (value >= least) continue;
        least = value;
        set = s;
        last = i;
      }
    }
    if (least == kNever) return std::nullopt;
    std::vector<GroupStage> stages;
    for (std::size_t boundary = boundaries_ - 1; boundary > 0;) {
      stages.push_back({space_.boundaries()[boundary], WholeStage{DeviceId(devices_[last])}});
      const Step step = came_[at(set, last, boundary)];
      set &= ~(std::size_t{1} << last);
      boundary = step.boundary;
      last = step.device;
    }
    std::reverse(stages.begin(), stages.end());
    return stages;
  }

  const StageSpace& space_;
  const DeviceGroup& group_;
  const Graph& graph_;
  GroupObjective objective_;
  std::size_t boundaries_;
  std::vector<std::size_t> devices_;
  std::vector<Prefix> loads_;
  std::vector<double> crossing_;
  std::vector<float> best_;
  std::vector<Step> came_;
};

}  // namespace

std::optional<std::vector<GroupStage>> bestPipeline(const StageSpace& space,
                                                    const DeviceGroup& group, const Graph& graph,
                                                    GroupObjective objective) {
  return Pipeline(space, group, graph, objective).run();
}

}  // namespace narrows
