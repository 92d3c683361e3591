#include "narrows/planner/stage_space.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "narrows/cost/compute_model.h"
#include "narrows/cost/group_simulator.h"
#include "narrows/graph/node_need.h"
#include "narrows/planner/stage_walk.h"

namespace narrows {
namespace {

/// More values than this at once mark the inside of a block.
constexpr std::size_t kMostCrossing = 3;
/// Layers that a fused stage spans at most.
constexpr std::size_t kMostFused = 20;
/// Counts of devices that are tried; beyond, powers of two and all.
constexpr std::size_t kMostSets = 8;
/// Bytes that stand for a device without a limit when weights are shared by room.
constexpr double kUnlimitedRoom = 8e9;
/// So many devices may have a stage to themselves, and the source and the sink.
constexpr std::size_t kMostWholes = 10;

bool joinsLayerBefore(const Op& op) {
  return std::holds_alternative<Unary>(op) || std::holds_alternative<LeakyRelu>(op) ||
         std::holds_alternative<Elu>(op) || std::holds_alternative<Clip>(op) ||
         std::holds_alternative<HardSigmoid>(op) || std::holds_alternative<PRelu>(op) ||
         std::holds_alternative<BatchNorm>(op) || std::holds_alternative<Identity>(op) ||
         std::holds_alternative<Binary>(op) || std::holds_alternative<Cast>(op);
}

double bytesOf(const Graph& graph, const ValueBox& box) {
  return static_cast<double>(box.box.elements()) *
         static_cast<double>(byteSize(graph.type(box.value).dtype));
}

/// MACs a second, or what stands for them, to share work in proportion.
double speedOf(const DeviceModel& model) {
  if (model.rates) return model.rates->macs_per_s;
  double macs = 0;
  double seconds = 0;
  for (const LayerTable& table : model.tables) {
    for (const LayerFigure& row : table.rows) {
      macs += static_cast<double>(row.macs);
      seconds += row.time.value();
    }
  }
  if (seconds == 0 && model.predictor)
    return 1e9 / std::max(model.predictor->nanoseconds[Term::conv_macs], 1e-9);
  return seconds > 0 ? std::max(macs, 1.0) / seconds : 1;
}

}  // namespace

Result<StageSpace> StageSpace::create(const Graph& graph, const DeviceGroup& group,
                                      double wire_ratio) {
  if (graph.nodeCount() == 0) return makeError("the network has no nodes");
  StageSpace space(graph, group, wire_ratio);
  space.findBoundaries();
  space.makeLayouts();
  NARROWS_CHECK(space.findTimes());
  space.holdBoxes();
  NARROWS_CHECK(space.makeStages());
  space.findFlows();
  return space;
}

void StageSpace::findBoundaries() {
  const std::size_t count = graph_->nodeCount();
  std::vector<std::size_t> last_reader(graph_->valueCount(), 0);
  for (std::size_t v = 0; v < graph_->valueCount(); ++v) {
    for (const NodeId reader : graph_->consumers(ValueId(v))) {
      last_reader[v] = std::max(last_reader[v], reader.index() + 1);
    }
    if (graph_->isOutput(ValueId(v))) last_reader[v] = count + 1;
  }
  for (std::size_t n = 0; n <= count; ++n) {
    std::vector<ValueId> crossing;
    for (std::size_t v = 0; v < graph_->valueCount(); ++v) {
      const Value& value = graph_->value(ValueId(v));
      if (value.isConstant() || last_reader[v] <= n) continue;
      const bool made = !value.producer.valid() || value.producer.index() < n;
      if (made) crossing.emplace_back(v);
    }
    const bool end = n == 0 || n == count;
    if (!end && (joinsLayerBefore(graph_->nodes()[n].op) || crossing.size() > kMostCrossing)) {
      continue;
    }
    boundaries_.push_back(n);
    crossing_.push_back(std::move(crossing));
  }
}

void StageSpace::makeLayouts() {
  const std::size_t count = group_->devices.size();
  // The fastest first, the source before its equals.
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> speed;
  for (const GroupDevice& device : group_->devices) speed.push_back(speedOf(device.model));
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (speed[a] != speed[b]) return speed[a] > speed[b];
    return a == group_->source && b != group_->source;
  });
  whole_on_.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t d = order[i];
    if (i >= kMostWholes && d != group_->source && d != group_->sink) continue;
    whole_on_[d] = layouts_.size();
    layouts_.push_back({Layout::Kind::whole, {1}, {1}, {d}});
  }
  for (std::size_t k = 2; k <= count; ++k) {
    if (k > kMostSets && k != count && (k & (k - 1)) != 0) continue;
    const std::vector<std::size_t> devices(order.begin(),
                                           order.begin() + static_cast<std::ptrdiff_t>(k));
    std::vector<double> weights;
    weights.reserve(k);
    for (const std::size_t d : devices) weights.push_back(speed[d]);
    layouts_.push_back({Layout::Kind::grid, weights, {1}, devices});
    layouts_.push_back({Layout::Kind::channels, {1}, weights, devices});
    // Weights go where there is room for them.
    std::vector<double> room;
    room.reserve(k);
    for (const std::size_t d : devices) {
      room.push_back(group_->devices[d].memory.value_or(kUnlimitedRoom));
    }
    if (std::adjacent_find(room.begin(), room.end(), std::not_equal_to<>()) != room.end()) {
      layouts_.push_back({Layout::Kind::channels, {1}, room, devices});
    }
    for (std::size_t rows = 2; rows * 2 <= k; ++rows) {
      if (k % rows != 0) continue;
      layouts_.push_back({Layout::Kind::grid, std::vector<double>(rows, 1.0),
                          std::vector<double>(k / rows, 1.0), devices});
    }
  }
}

Status StageSpace::findTimes() {
  for (const GroupDevice& device : group_->devices) {
    NARROWS_TRY(model, ComputeModel::create(device.model, *graph_));
    std::vector<NodeTime> times;
    for (const NodeId id : nodeIds(*graph_)) {
      const double seconds = (model.cost(std::span(&id, 1)).time - device.model.start_time).value();
      const double fixed = model.fromTable() ? 0 : device.model.rates->op.value();
      times.push_back({fixed, seconds - fixed});
    }
    times_.push_back(std::move(times));
    start_.push_back(device.model.start_time.value());
  }
  return {};
}

double StageSpace::timeOn(std::size_t device, std::size_t node, double share) const {
  const NodeTime& time = times_[device][node];
  return time.fixed + time.variable * share;
}

Region StageSpace::boxOf(const Layout& layout, std::size_t part, const Shape& shape) const {
  const Region whole = Region::whole(shape);
  if (layout.kind == Layout::Kind::whole) return whole;
  if (layout.kind == Layout::Kind::channels && shape.rank() >= 2) {
    return whole.with(1, intervalsOf(shape[1], layout.columns)[part]);
  }
  if (layout.kind == Layout::Kind::grid && shape.rank() == 4) {
    const std::size_t row = part / layout.columns.size();
    const std::size_t column = part % layout.columns.size();
    return whole.with(2, intervalsOf(shape[2], layout.rows)[row])
        .with(3, intervalsOf(shape[3], layout.columns)[column]);
  }
  // What cannot be divided so is the first part's.
  return part == 0 || shape.rank() == 0 ? whole : whole.with(0, {0, 0});
}

Status StageSpace::makeStages() {
  for (std::size_t end = 1; end < boundaries_.size(); ++end) {
    for (std::size_t layout = 0; layout < layouts_.size(); ++layout) {
      if (layouts_[layout].kind == Layout::Kind::grid) {
        NARROWS_CHECK(addGridStages(end, layout));
        continue;
      }
      NARROWS_CHECK(addStage(end - 1, end, layout));
      if (layouts_[layout].kind != Layout::Kind::channels) continue;
      NARROWS_CHECK(addSums(end - 1, end, layout));
      if (end >= 2) NARROWS_CHECK(addSums(end - 2, end, layout));
    }
  }
  return {};
}

Status StageSpace::addGridStages(std::size_t end, std::size_t layout) {
  const Layout& grid = layouts_[layout];
  const std::size_t first = end > kMostFused ? end - kMostFused : 0;
  std::vector<Stage> stages(end - first);  // by depth: from end - 1 down to first
  for (std::size_t depth = 0; depth < stages.size(); ++depth) {
    stages[depth].begin = end - 1 - depth;
    stages[depth].end = end;
    stages[depth].layout = layout;
    stages[depth].loads.resize(group_->devices.size());
  }
  for (std::size_t part = 0; part < grid.devices.size(); ++part) {
    StageWalk walk(*graph_);
    for (const ValueId value : crossing_[end]) {
      const Region box = boxOf(grid, part, graph_->shape(value));
      if (!box.empty()) walk.want(value, box);
    }
    const std::size_t device = grid.devices[part];
    double seconds = start_[device];
    double activations = 0;
    double weights = 0;
    for (std::size_t depth = 0; depth < stages.size(); ++depth) {
      const std::size_t begin = end - 1 - depth;
      for (std::size_t n = boundaries_[begin + 1]; n-- > boundaries_[begin];) {
        NARROWS_TRY(step, walk.back(NodeId(n)));
        if (step.share == 0) continue;
        seconds += timeOn(device, n, step.share);
        activations = std::max(activations, step.bytes);
        weights += step.weights;
      }
      StageLoad& load = stages[depth].loads[device];
      load.seconds += seconds;
      load.weights += weights;
      load.activations = std::max(load.activations, activations);
      stages[depth].reads.push_back({device, walk.reads()});
    }
  }
  for (Stage& stage : stages) stages_.push_back(std::move(stage));
  return {};
}

Status StageSpace::addStage(std::size_t begin, std::size_t end, std::size_t layout) {
  const Layout& division = layouts_[layout];
  Stage stage;
  stage.begin = begin;
  stage.end = end;
  stage.layout = layout;
  stage.loads.resize(group_->devices.size());
  for (std::size_t part = 0; part < division.devices.size(); ++part) {
    StageWalk walk(*graph_);
    for (const ValueId value : crossing_[end]) {
      const Region box = boxOf(division, part, graph_->shape(value));
      if (!box.empty()) walk.want(value, box);
    }
    const std::size_t device = division.devices[part];
    StageLoad& load = stage.loads[device];
    load.seconds += start_[device];
    for (std::size_t n = boundaries_[end]; n-- > boundaries_[begin];) {
      NARROWS_TRY(step, walk.back(NodeId(n)));
      if (step.share == 0) continue;
      load.seconds += timeOn(device, n, step.share);
      load.activations = std::max(load.activations, step.bytes);
      load.weights += step.weights;
    }
    stage.reads.push_back({device, walk.reads()});
  }
  stages_.push_back(std::move(stage));
  return {};
}

/// Partial sums over the last layer between the boundaries, added up on any one device or on each.
Status StageSpace::addSums(std::size_t begin, std::size_t end, std::size_t layout) {
  const std::size_t pivot = boundaries_[end - 1];
  const auto layer = summedLayer(*graph_, NodeId(pivot));
  // The merging stage needs a node of its own, and nothing else may leave the part before.
  if (!layer || pivot + 1 == boundaries_[end]) return {};
  for (const ValueId value : crossing_[end]) {
    const NodeId producer = graph_->value(value).producer;
    if (producer.valid() && producer.index() >= boundaries_[begin] && producer.index() <= pivot) {
      return {};
    }
  }
  for (std::size_t n = boundaries_[begin]; n < pivot; ++n) {
    for (const ValueId value : graph_->nodes()[n].outputs) {
      for (const NodeId reader : graph_->consumers(value)) {
        if (reader.index() > pivot) return {};
      }
    }
  }
  const Layout& division = layouts_[layout];
  const auto channels = intervalsOf(graph_->shape(layer->input)[layer->axis], division.columns);
  Stage stage;
  stage.kind = Stage::Kind::summed;
  stage.begin = begin;
  stage.end = end;
  stage.layout = layout;
  stage.loads.resize(group_->devices.size());
  stage.sum_bytes = static_cast<double>(graph_->type(layer->output).bytes());
  const Value& weight = graph_->value(graph_->node(NodeId(pivot)).inputs[1]);
  for (std::size_t part = 0; part < division.devices.size(); ++part) {
    const std::size_t device = division.devices[part];
    StageLoad& load = stage.loads[device];
    if (channels[part].length() == 0) continue;
    const Region box = Region::whole(graph_->shape(layer->input)).with(layer->axis, channels[part]);
    const double share = static_cast<double>(channels[part].length()) /
                         static_cast<double>(graph_->shape(layer->input)[layer->axis]);
    StageWalk walk(*graph_);
    walk.read(layer->input, box);
    load.seconds += start_[device] + timeOn(device, pivot, share);
    load.weights += share * static_cast<double>(weight.type.bytes());
    load.activations =
        std::max(load.activations, stage.sum_bytes + bytesOf(*graph_, {layer->input, box}));
    for (std::size_t n = pivot; n-- > boundaries_[begin];) {
      NARROWS_TRY(step, walk.back(NodeId(n)));
      if (step.share == 0) continue;
      load.seconds += timeOn(device, n, step.share);
      load.activations = std::max(load.activations, step.bytes);
      load.weights += step.weights;
    }
    stage.reads.push_back({device, walk.reads()});
  }
  const auto addMerged = [&](std::optional<std::size_t> merge) {
    Stage merged = stage;
    merged.merge = merge;
    const auto parts = static_cast<double>(division.devices.size());
    for (const std::size_t d : merge ? std::vector<std::size_t>{*merge} : division.devices) {
      const double share = merge ? 1 : 1 / parts;
      StageLoad& load = merged.loads[d];
      load.seconds += start_[d];
      for (std::size_t n = pivot + 1; n < boundaries_[end]; ++n)
        load.seconds += timeOn(d, n, share);
      load.activations = std::max(load.activations, 2 * share * stage.sum_bytes);
    }
    stages_.push_back(std::move(merged));
  };
  addMerged(std::nullopt);
  for (std::size_t merge = 0; merge < group_->devices.size(); ++merge) {
    if (whole_on_[merge]) addMerged(merge);
  }
  return {};
}

void StageSpace::holdBoxes() {
  held_.resize(graph_->valueCount());
  for (const auto& values : crossing_) {
    for (const ValueId value : values) {
      auto& boxes = held_[value.index()];
      if (!boxes.empty()) continue;
      for (const Layout& layout : layouts_) {
        std::vector<Region> parts;
        for (std::size_t part = 0; part < layout.devices.size(); ++part) {
          parts.push_back(boxOf(layout, part, graph_->shape(value)));
        }
        boxes.push_back(std::move(parts));
      }
    }
  }
}

void StageSpace::findFlows() {
  std::size_t flows = 0;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    const Stage& stage = stages_[s];
    const bool alike = s > 0 && stage.kind == Stage::Kind::summed &&
                       stages_[s - 1].kind == Stage::Kind::summed &&
                       stages_[s - 1].begin == stage.begin && stages_[s - 1].end == stage.end &&
                       stages_[s - 1].layout == stage.layout;
    flow_of_.push_back(alike ? flow_of_.back() : flows++);
    if (alike) continue;
    for (std::size_t from = 0; from < layouts_.size(); ++from) {
      const Flow flow = flowInto(stage, from);
      flow_costs_.push_back({static_cast<float>(flow.total), static_cast<float>(secondsOf(flow))});
    }
  }
}

StageSpace::Flow StageSpace::emptyFlow() const {
  Flow flow;
  flow.sent.resize(group_->devices.size());
  flow.received.resize(group_->devices.size());
  return flow;
}

void StageSpace::addFlow(const PartReads& reads, std::size_t from, Flow& flow) const {
  const Layout& layout = layouts_[from];
  for (const ValueBox& box : reads.boxes) {
    for (std::size_t part = 0; part < layout.devices.size(); ++part) {
      const std::size_t holder = layout.devices[part];
      if (holder == reads.device) continue;
      const Region& held = held_[box.value.index()][from][part];
      const double bytes = wire_ratio_ * bytesOf(*graph_, {box.value, held.intersection(box.box)});
      flow.sent[holder] += bytes;
      flow.received[reads.device] += bytes;
      flow.total += bytes;
    }
  }
}

StageSpace::Flow StageSpace::flowInto(const Stage& stage, std::size_t from) const {
  Flow flow = emptyFlow();
  for (const PartReads& reads : stage.reads) addFlow(reads, from, flow);
  return flow;
}

StageSpace::Flow StageSpace::flowOut(std::size_t from) const {
  Flow flow = emptyFlow();
  PartReads reads;
  reads.device = group_->sink;
  for (const ValueId output : graph_->outputs()) {
    reads.boxes.push_back({output, Region::whole(graph_->shape(output))});
  }
  addFlow(reads, from, flow);
  return flow;
}

double StageSpace::secondsOf(const Flow& flow) const {
  double longest = 0;
  double sum = 0;
  for (std::size_t d = 0; d < flow.sent.size(); ++d) {
    const LinkModel& link = group_->devices[d].link;
    if (flow.sent[d] > 0) {
      const double time = messageTime(link, Bytes(flow.sent[d]), LinkWay::up).arrival().value();
      longest = std::max(longest, time);
      sum += time;
    }
    if (flow.received[d] > 0) {
      longest = std::max(
          longest, messageTime(link, Bytes(flow.received[d]), LinkWay::down).arrival().value());
    }
  }
  return group_->medium == GroupMedium::shared ? std::max(sum, longest) : longest;
}

std::vector<GroupStage> StageSpace::designOf(std::span<const std::size_t> path) const {
  std::vector<GroupStage> design;
  for (const std::size_t index : path) {
    const Stage& stage = stages_[index];
    const Layout& layout = layouts_[stage.layout];
    const std::size_t end = boundaries_[stage.end];
    std::vector<DeviceId> devices;
    for (const std::size_t d : layout.devices) devices.emplace_back(d);
    if (stage.kind == Stage::Kind::summed) {
      design.push_back({boundaries_[stage.end - 1] + 1, SumStage{layout.columns, devices}});
      if (stage.merge) {
        design.push_back({end, WholeStage{DeviceId(*stage.merge)}});
      } else {
        design.push_back({end, FilterStage{layout.columns, devices}});
      }
      continue;
    }
    switch (layout.kind) {
      case Layout::Kind::whole: {
        const auto* before =
            design.empty() ? nullptr : std::get_if<WholeStage>(&design.back().division);
        if (before != nullptr && before->device == devices[0]) {
          design.back().end = end;
        } else {
          design.push_back({end, WholeStage{devices[0]}});
        }
        break;
      }
      case Layout::Kind::grid:
        design.push_back({end, GridStage{layout.rows, layout.columns, devices}});
        break;
      case Layout::Kind::channels:
        design.push_back({end, FilterStage{layout.columns, devices}});
        break;
    }
  }
  return design;
}

}  // namespace narrows
