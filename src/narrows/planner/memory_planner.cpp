#include "narrows/planner/memory_planner.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "narrows/cost/group_simulator.h"
#include "narrows/graph/liveness.h"
#include "narrows/plan/sequence.h"
#include "narrows/planner/stage_space.h"
#include "narrows/planner/stage_walk.h"

namespace narrows {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
/// To open a piece and make it ready; assumed. It also lets one piece be better than several.
constexpr double kPieceSeconds = 1e-3;
/// Plans are built so often until one keeps the limit as built.
constexpr int kMostRounds = 8;
/// Bytes of weights that an engine packs at once when they are streamed, about.
constexpr double kPacked = 4 << 20;
/// Layers that a stage spans at most when it is tiled.
constexpr std::size_t kMostFused = 16;
constexpr std::array<std::pair<std::size_t, std::size_t>, 12> kGrids{{{1, 1},
                                                                      {2, 1},
                                                                      {3, 1},
                                                                      {4, 1},
                                                                      {3, 2},
                                                                      {6, 1},
                                                                      {4, 2},
                                                                      {4, 3},
                                                                      {4, 4},
                                                                      {6, 4},
                                                                      {6, 6},
                                                                      {8, 8}}};
constexpr std::array<std::size_t, 10> kSlices{2, 3, 4, 6, 8, 12, 16, 24, 32, 64};

double bytesOf(const Graph& graph, const ValueBox& box) {
  return static_cast<double>(box.box.elements()) *
         static_cast<double>(byteSize(graph.type(box.value).dtype));
}

/// What is packed at once of a node's weights: some results, or all where channels have groups.
double packingBytes(const Node& node, double weights) {
  const auto* conv = std::get_if<Conv2d>(&node.op);
  return conv != nullptr && conv->groups > 1 ? weights : std::min(weights, kPacked);
}

/// What a stage takes that runs its parts one after another.
struct StageNeed {
  double seconds = 0;
  double peak = 0;
};

class MemorySearch {
 public:
  MemorySearch(const Graph& graph, const StageSpace& space, const MemoryPlannerOptions& options)
      : graph_(graph), space_(space), options_(options) {}

  /// Modelled; of the stages that `run` found.
  Seconds time() const { return Seconds(best_.back()); }

  Result<std::vector<GroupStage>> run() {
    const std::size_t count = space_.boundaries().size();
    best_.assign(count, kNever);
    taken_.resize(count);
    best_[0] = 0;
    for (std::size_t end = 1; end < count; ++end) {
      for (const auto& [rows, columns] : kGrids) NARROWS_CHECK(tryGrid(end, rows, columns));
      for (const std::size_t parts : kSlices) NARROWS_CHECK(trySlices(end, parts));
    }
    if (best_.back() < kNever) return trace();
    std::size_t stuck = count - 1;
    while (stuck > 1 && best_[stuck - 1] == kNever) --stuck;
    const Node& node = graph_.nodes()[space_.boundaries()[stuck] - 1];
    return makeError("layer \"{}\" needs {:.3g} MB at least, however it is divided", node.name,
                     needed_[stuck] / 1e6);
  }

 private:
  struct Taken {
    std::size_t begin = 0;
    StageDivision division;
  };

  /// What is there whichever piece runs.
  double outside() const { return options_.program + options_.window; }
  double crossingBytes(std::size_t boundary) const {
    double bytes = 0;
    for (const ValueId value : space_.crossing(boundary)) {
      bytes += static_cast<double>(graph_.type(value).bytes());
    }
    return bytes;
  }
  /// Of what the stage makes and leaves behind.
  double madeBytes(std::size_t begin, std::size_t end) const {
    double bytes = 0;
    for (const ValueId value : space_.crossing(end)) {
      const NodeId producer = graph_.value(value).producer;
      const bool made = producer.valid() && producer.index() >= space_.boundaries()[begin];
      if (made) bytes += static_cast<double>(graph_.type(value).bytes());
    }
    return bytes;
  }

  void offer(std::size_t begin, std::size_t end, const StageNeed& stage, StageDivision division) {
    needed_.resize(space_.boundaries().size(), kNever);
    needed_[end] = std::min(needed_[end], stage.peak);
    if (stage.peak > options_.memory) return;
    const double total = best_[begin] + stage.seconds;
    if (total >= best_[end]) return;
    best_[end] = total;
    taken_[end] = {begin, std::move(division)};
  }

  /// Walks one part back over every depth and adds it to the stages that end here.
  Status walkPart(std::size_t end, std::span<const ValueBox> wanted, bool divided,
                  std::vector<StageNeed>& stages) const {
    StageWalk walk(graph_);
    for (const ValueBox& box : wanted) walk.want(box.value, box.box);
    const auto boundaries = space_.boundaries();
    std::vector<double> live(stages.size(), 0);  // by depth
    double seconds = 0;
    double packing = 0;
    for (std::size_t depth = 0; depth < stages.size(); ++depth) {
      const std::size_t begin = end - 1 - depth;
      for (std::size_t n = boundaries[begin + 1]; n-- > boundaries[begin];) {
        NARROWS_TRY(step, walk.back(NodeId(n)));
        if (step.share == 0) continue;
        // Weights are read while others are multiplied.
        seconds +=
            std::max(space_.timeOn(0, n, step.share), step.weights / options_.read_bytes_per_s);
        packing = std::max(packing, packingBytes(graph_.nodes()[n], step.weights));
        const auto values = walk.live();
        for (std::size_t d = depth; d < stages.size(); ++d) {
          double bytes = 0;
          for (const StageWalk::Live& value : values) {
            if (value.maker >= boundaries[end - 1 - d]) bytes += value.bytes;
          }
          live[d] = std::max(live[d], bytes);
        }
      }
      double copies = 0;
      for (const ValueBox& box : walk.reads()) copies += bytesOf(graph_, box);
      StageNeed& stage = stages[depth];
      stage.seconds += seconds + kPieceSeconds;
      // Inputs are turned into the engine's layout, and parts of them are copied before.
      const double inputs = divided ? 2 * copies : copies;
      const double held = live[depth] + inputs + packing;
      stage.peak = std::max(stage.peak, held);
    }
    return {};
  }

  Status tryGrid(std::size_t end, std::size_t rows, std::size_t columns) {
    const bool divided = rows * columns > 1;
    const std::size_t depth = divided ? std::min(end, kMostFused) : end;
    std::vector<StageNeed> stages(depth);
    const GridStage grid{std::vector<double>(rows, 1.0), std::vector<double>(columns, 1.0),
                         std::vector<DeviceId>(rows * columns, DeviceId(0))};
    for (std::size_t part = 0; part < rows * columns; ++part) {
      std::vector<ValueBox> wanted;
      for (const ValueId value : space_.crossing(end)) {
        const Shape& shape = graph_.shape(value);
        Region box = Region::whole(shape);
        if (divided && shape.rank() == 4) {
          box = box.with(2, intervalsOf(shape[2], grid.rows)[part / columns])
                    .with(3, intervalsOf(shape[3], grid.columns)[part % columns]);
        } else if (part > 0) {
          continue;
        }
        if (!box.empty()) wanted.push_back({value, box});
      }
      NARROWS_CHECK(walkPart(end, wanted, divided, stages));
    }
    for (std::size_t d = 0; d < stages.size(); ++d) {
      const std::size_t begin = end - 1 - d;
      StageNeed stage = stages[d];
      stage.peak += outside() + crossingBytes(begin) + madeBytes(begin, end);
      offer(begin, end, stage, divided ? StageDivision(grid) : WholeStage{DeviceId(0)});
    }
    return {};
  }

  Status trySlices(std::size_t end, std::size_t parts) {
    std::vector<StageNeed> stages(1);
    const FilterStage slices{std::vector<double>(parts, 1.0),
                             std::vector<DeviceId>(parts, DeviceId(0))};
    for (std::size_t part = 0; part < parts; ++part) {
      std::vector<ValueBox> wanted;
      for (const ValueId value : space_.crossing(end)) {
        const Shape& shape = graph_.shape(value);
        Region box = Region::whole(shape);
        if (shape.rank() >= 2) box = box.with(1, intervalsOf(shape[1], slices.shares)[part]);
        if (!box.empty()) wanted.push_back({value, box});
      }
      // A slice reads its input in place when it needs all of it, as filters do.
      NARROWS_CHECK(walkPart(end, wanted, false, stages));
    }
    StageNeed stage = stages[0];
    stage.peak += outside() + crossingBytes(end - 1) + madeBytes(end - 1, end);
    offer(end - 1, end, stage, slices);
    return {};
  }

  std::vector<GroupStage> trace() const {
    std::vector<GroupStage> stages;
    for (std::size_t end = best_.size() - 1; end > 0; end = taken_[end].begin) {
      stages.push_back({space_.boundaries()[end], taken_[end].division});
    }
    std::reverse(stages.begin(), stages.end());
    return stages;
  }

  const Graph& graph_;
  const StageSpace& space_;
  const MemoryPlannerOptions& options_;
  std::vector<double> best_;
  std::vector<double> needed_;
  std::vector<Taken> taken_;
};

}  // namespace

Result<std::vector<std::size_t>> sequenceMemory(const SplitModel& split,
                                                const MemoryPlannerOptions& options) {
  NARROWS_TRY(sequence, Sequence::of(split.plan));
  std::vector<std::size_t> memory;
  // The room for weights stays from piece to piece; no more of it is touched than one piece fills.
  double window = 0;
  for (const Graph& piece : split.pieces) {
    window = std::max(window, static_cast<double>(peakMemory(piece).weights));
  }
  window = std::min(window, options.window);
  for (std::size_t p = 0; p < split.pieces.size(); ++p) {
    const MemoryNeed need = peakMemory(split.pieces[p]);
    double packing = 0;
    for (const Node& node : split.pieces[p].nodes()) {
      double bytes = 0;
      for (const ValueId input : node.inputs) {
        if (!input.valid()) continue;
        const auto& constant = split.pieces[p].value(input).constant;
        if (constant != nullptr) bytes += static_cast<double>(constant->type().bytes());
      }
      packing = std::max(packing, packingBytes(node, bytes));
    }
    double program = static_cast<double>(need.activations) + packing;
    if (options.program_memory) {
      NARROWS_TRY(exact, options.program_memory(split.pieces[p]));
      program = static_cast<double>(exact);
    }
    const Sequence::Held held = sequence.held(p);
    const double running = static_cast<double>(held.during) + program;
    memory.push_back(static_cast<std::size_t>(options.program + window +
                                              std::max(running, static_cast<double>(held.after))));
  }
  return memory;
}

Result<MemoryPlanning> planWithinMemory(const Graph& graph, const DeviceGroup& group,
                                        const MemoryPlannerOptions& options) {
  if (group.devices.size() != 1) return makeError("expected one device");
  if (!(options.memory > 0) || !(options.read_bytes_per_s > 0)) {
    return makeError("expected memory and a rate of reading above 0");
  }
  NARROWS_TRY(space, StageSpace::create(graph, group));
  MemoryPlanning planning;
  MemoryPlannerOptions target = options;
  target.window = std::min(options.window, static_cast<double>(peakMemory(graph).weights));
  for (int round = 0; round < kMostRounds; ++round) {
    MemorySearch search(graph, space, target);
    NARROWS_TRY(stages, search.run());
    planning.time = search.time();
    planning.design.devices = {{group.devices[0].name}};
    planning.design.source = planning.design.sink = DeviceId(0);
    planning.design.stages = std::move(stages);
    NARROWS_TRY(split, buildGroupPlan(graph, planning.design));
    planning.split = std::move(split);
    NARROWS_TRY(memory, sequenceMemory(planning.split, options));
    const auto largest = std::max_element(memory.begin(), memory.end());
    planning.peak = *largest;
    planning.peak_piece = static_cast<std::size_t>(largest - memory.begin());
    // The search adds up what a stage holds and not what passes it by.
    const double excess = static_cast<double>(planning.peak) - options.memory;
    if (excess <= 0) break;
    if (round + 1 == kMostRounds) {
      return makeError("no plan keeps {:.3g} MB: piece \"{}\" needs {:.3g} MB",
                       options.memory / 1e6, planning.split.plan.pieces[planning.peak_piece].name,
                       static_cast<double>(planning.peak) / 1e6);
    }
    target.memory -= excess;
  }
  NARROWS_TRY(costs, groupCosts(group, graph, planning.split.plan, planning.split.pieces));
  for (const PieceCost& cost : costs) planning.weight_bytes += cost.weights;
  NARROWS_TRY(whole, ComputeModel::create(group.devices[0].model, graph));
  NARROWS_TRY(floor, whole.cost(graph));
  planning.floor =
      floor.time + Seconds(static_cast<double>(floor.weights) / options.read_bytes_per_s);
  return planning;
}

}  // namespace narrows
