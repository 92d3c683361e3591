#include "narrows/plan/group.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "narrows/graph/part.h"

namespace narrows {
namespace {

using Interval = Region::Interval;

Region relativeTo(const Region& box, const Region& origin) {
  Region result = box;
  for (std::size_t axis = 0; axis < box.rank(); ++axis) {
    const std::int64_t begin = origin[axis].begin;
    result = result.with(axis, {box[axis].begin - begin, box[axis].end - begin});
  }
  return result;
}

/// What of `box` lies outside `hole`, a part of it, as disjoint boxes.
void subtract(const Region& box, const Region& hole, std::vector<Region>& rest) {
  Region inner = box;
  for (std::size_t axis = 0; axis < box.rank(); ++axis) {
    const Interval whole = inner[axis];
    const Interval cut = hole[axis];
    if (whole.begin < cut.begin) rest.push_back(inner.with(axis, {whole.begin, cut.begin}));
    if (cut.end < whole.end) rest.push_back(inner.with(axis, {cut.end, whole.end}));
    inner = inner.with(axis, cut);
  }
}

/// A box of a value, or of a partial sum of it, at an output of a piece or an input of the model.
struct Holding {
  Endpoint end;
  DeviceId device;
  Region box;
};

/// What one device computes in a stage.
struct Share {
  DeviceId device;
  std::string name;
  std::vector<ValueBox> wanted;
  std::optional<PartialSum> partial;
};

class GroupBuilder {
 public:
  GroupBuilder(const Graph& graph, const GroupDesign& design)
      : graph_(graph), design_(design), holdings_(graph.valueCount()) {}

  Result<SplitModel> build() {
    NARROWS_CHECK(checkDesign());
    Plan& plan = built_.plan;
    plan.devices = design_.devices;
    plan.source_device = design_.source;
    plan.sink_device = design_.sink;
    plan.inputs = portsOf(graph_, graph_.inputs());
    plan.outputs = portsOf(graph_, graph_.outputs());
    for (std::size_t i = 0; i < graph_.inputs().size(); ++i) {
      const ValueId input = graph_.inputs()[i];
      hold(input, {{PieceId(), i}, design_.source, Region::whole(graph_.shape(input))});
    }
    std::size_t begin = 0;
    for (std::size_t s = 0; s < design_.stages.size(); ++s) {
      NARROWS_CHECK(addStage(s, begin).within(fmt::format("stages[{}]", s)));
      begin = design_.stages[s].end;
    }
    NARROWS_CHECK(connectOutputs());
    NARROWS_CHECK(checkPlan(built_.plan));
    NARROWS_CHECK(checkPieces(built_.plan, built_.pieces));
    return std::move(built_);
  }

 private:
  bool isDevice(DeviceId id) const { return id.valid() && id.index() < design_.devices.size(); }

  Status checkParts(std::span<const double> weights, std::size_t parts,
                    std::string_view what) const {
    if (weights.size() != parts)
      return makeError("{} {} for {} parts", weights.size(), what, parts);
    double total = 0;
    for (const double weight : weights) {
      if (!(weight >= 0) || !std::isfinite(weight)) {
        return makeError("{}: {}, expected 0 or more", what, weight);
      }
      total += weight;
    }
    if (!(total > 0) || !std::isfinite(total)) return makeError("{}: no part has any", what);
    return {};
  }

  Status checkDevices(std::span<const DeviceId> devices) const {
    if (devices.empty()) return makeError("devices: none");
    if (!std::all_of(devices.begin(), devices.end(), [&](DeviceId id) { return isDevice(id); })) {
      return makeError("devices: no such device");
    }
    return {};
  }

  Status checkDivision(const WholeStage& stage) const { return checkDevices({&stage.device, 1}); }
  Status checkDivision(const GridStage& stage) const {
    NARROWS_CHECK(checkDevices(stage.devices));
    NARROWS_CHECK(checkParts(stage.rows, stage.rows.size(), "rows"));
    NARROWS_CHECK(checkParts(stage.columns, stage.columns.size(), "columns"));
    if (stage.rows.size() * stage.columns.size() == stage.devices.size()) return {};
    return makeError("devices: {} for a grid of {} x {}", stage.devices.size(), stage.rows.size(),
                     stage.columns.size());
  }
  Status checkDivision(const FilterStage& stage) const {
    NARROWS_CHECK(checkDevices(stage.devices));
    return checkParts(stage.shares, stage.devices.size(), "shares");
  }
  Status checkDivision(const SumStage& stage) const {
    NARROWS_CHECK(checkDevices(stage.devices));
    return checkParts(stage.shares, stage.devices.size(), "shares");
  }

  Status checkDesign() const {
    if (!isDevice(design_.source)) return makeError("source: no such device");
    if (!isDevice(design_.sink)) return makeError("sink: no such device");
    std::size_t begin = 0;
    for (std::size_t s = 0; s < design_.stages.size(); ++s) {
      const GroupStage& stage = design_.stages[s];
      const std::string place = fmt::format("stages[{}]", s);
      if (stage.end <= begin || stage.end > graph_.nodeCount()) {
        return makeError("{}.end: {}, expected {} to {}", place, stage.end, begin + 1,
                         graph_.nodeCount());
      }
      begin = stage.end;
      NARROWS_CHECK(std::visit([&](const auto& d) { return checkDivision(d); }, stage.division)
                        .within(place));
    }
    if (begin == graph_.nodeCount()) return {};
    return makeError("stages: the last one ends at node {} of {}", begin, graph_.nodeCount());
  }

  void hold(ValueId value, Holding holding) {
    holdings_[value.index()].push_back(std::move(holding));
    if (std::find(given_.begin(), given_.end(), value) == given_.end()) given_.push_back(value);
  }

  /// Whether a node from `end` on reads the value, or the model gives it out.
  bool isReadFrom(ValueId value, std::size_t end) const {
    const auto readers = graph_.consumers(value);
    return graph_.isOutput(value) ||
           std::any_of(readers.begin(), readers.end(),
                       [&](NodeId reader) { return reader.index() >= end; });
  }

  /// Values made by nodes [begin, end) that are read after them.
  std::vector<ValueId> leaving(std::size_t begin, std::size_t end) const {
    std::vector<ValueId> values;
    for (std::size_t n = begin; n < end; ++n) {
      for (ValueId value : graph_.nodes()[n].outputs) {
        if (isReadFrom(value, end)) values.push_back(value);
      }
    }
    return values;
  }

  Status addStage(std::size_t index, std::size_t begin) {
    const GroupStage& stage = design_.stages[index];
    std::vector<ValueId> values = leaving(begin, stage.end);
    // A sum that is still wanted behind this stage is added up in it, once.
    std::vector<ValueId> finished;
    for (const SummedLayer& layer : summed_) {
      if (isReadFrom(layer.output, stage.end)) finished.push_back(layer.output);
    }
    values.insert(values.begin(), finished.begin(), finished.end());
    const std::string prefix = fmt::format("s{:02}", index);
    auto shares = std::visit(
        [&](const auto& division) { return sharesOf(division, prefix, stage.end, values); },
        stage.division);
    if (!shares.ok()) return shares.takeError();
    // All shares read what was there before the stage, and none what another one makes.
    std::vector<std::pair<ValueId, Holding>> made;
    for (const Share& share : *shares) {
      if (share.wanted.empty() && !share.partial) continue;
      NARROWS_CHECK(addPiece(share, made));
    }
    for (ValueId sum : finished) {
      holdings_[sum.index()].clear();
      summed_.erase(std::find_if(summed_.begin(), summed_.end(),
                                 [&](const SummedLayer& layer) { return layer.output == sum; }));
    }
    for (auto& [value, holding] : made) hold(value, std::move(holding));
    // Sums that this stage leaves are summed by those after it.
    for (const Share& share : *shares) {
      if (!share.partial) continue;
      summed_.push_back(share.partial->layer);
      break;
    }
    return {};
  }

  using Shares = Result<std::vector<Share>>;

  Shares sharesOf(const WholeStage& stage, const std::string& prefix, std::size_t,
                  std::span<const ValueId> values) const {
    Share share{stage.device, prefix + "-whole", {}, std::nullopt};
    for (ValueId value : values)
      share.wanted.push_back({value, Region::whole(graph_.shape(value))});
    return std::vector<Share>{std::move(share)};
  }

  Shares sharesOf(const GridStage& stage, const std::string& prefix, std::size_t,
                  std::span<const ValueId> values) const {
    std::vector<Share> shares;
    for (std::size_t r = 0; r < stage.rows.size(); ++r) {
      for (std::size_t c = 0; c < stage.columns.size(); ++c) {
        Share share{stage.devices[shares.size()],
                    fmt::format("{}-tile{}x{}", prefix, r, c),
                    {},
                    std::nullopt};
        for (ValueId value : values) {
          const Shape& shape = graph_.shape(value);
          Region box = Region::whole(shape);
          if (shape.rank() == 4) {
            box = box.with(2, intervalsOf(shape[2], stage.rows)[r])
                      .with(3, intervalsOf(shape[3], stage.columns)[c]);
          } else if (!shares.empty()) {
            continue;
          }
          if (!box.empty()) share.wanted.push_back({value, box});
        }
        shares.push_back(std::move(share));
      }
    }
    return shares;
  }

  /// Slice `part` of each value along its channels; what has none goes to the first.
  std::vector<ValueBox> slicesOf(std::span<const ValueId> values, std::span<const double> weights,
                                 std::size_t part) const {
    std::vector<ValueBox> slices;
    for (ValueId value : values) {
      const Shape& shape = graph_.shape(value);
      Region box = Region::whole(shape);
      if (shape.rank() >= 2) {
        box = box.with(1, intervalsOf(shape[1], weights)[part]);
      } else if (part != 0) {
        continue;
      }
      if (!box.empty()) slices.push_back({value, box});
    }
    return slices;
  }

  Shares sharesOf(const FilterStage& stage, const std::string& prefix, std::size_t,
                  std::span<const ValueId> values) const {
    std::vector<Share> shares;
    for (std::size_t part = 0; part < stage.devices.size(); ++part) {
      shares.push_back({stage.devices[part], fmt::format("{}-filters{}", prefix, part),
                        slicesOf(values, stage.shares, part), std::nullopt});
    }
    return shares;
  }

  Shares sharesOf(const SumStage& stage, const std::string& prefix, std::size_t end,
                  std::vector<ValueId> values) const {
    const NodeId last(end - 1);
    const auto layer = summedLayer(graph_, last);
    if (!layer) {
      return makeError("node \"{}\" ({}) does not sum over channels with constant weights",
                       graph_.node(last).name, opName(graph_.node(last).op));
    }
    values.erase(std::remove(values.begin(), values.end(), layer->output), values.end());
    const auto channels = intervalsOf(graph_.shape(layer->input)[layer->axis], stage.shares);
    std::vector<Share> shares;
    for (std::size_t part = 0; part < stage.devices.size(); ++part) {
      Share share{stage.devices[part], fmt::format("{}-sum{}", prefix, part),
                  slicesOf(values, stage.shares, part), std::nullopt};
      if (channels[part].length() > 0) share.partial = PartialSum{*layer, channels[part]};
      shares.push_back(std::move(share));
    }
    return shares;
  }

  bool isSummed(ValueId value) const {
    return std::any_of(summed_.begin(), summed_.end(),
                       [&](const SummedLayer& layer) { return layer.output == value; });
  }

  Status addPiece(const Share& share, std::vector<std::pair<ValueId, Holding>>& made) {
    PartRequest request;
    request.given = given_;
    request.wanted = share.wanted;
    request.partial = share.partial;
    request.summed = summed_;
    NARROWS_TRY(part, extractPart(graph_, request, share.name));
    const PieceId id(built_.plan.pieces.size());
    built_.plan.pieces.push_back({share.name, share.device,
                                  portsOf(part.graph, part.graph.inputs()),
                                  portsOf(part.graph, part.graph.outputs())});
    for (std::size_t port = 0; port < part.inputs.size(); ++port) {
      NARROWS_CHECK(connect(part.inputs[port], {id, port}, share.device));
    }
    for (std::size_t port = 0; port < share.wanted.size(); ++port) {
      const ValueBox& wanted = share.wanted[port];
      made.emplace_back(wanted.value, Holding{{id, port}, share.device, wanted.box});
    }
    if (share.partial) {
      const ValueId sum = share.partial->layer.output;
      made.emplace_back(
          sum, Holding{{id, share.wanted.size()}, share.device, Region::whole(graph_.shape(sum))});
    }
    built_.pieces.push_back(std::move(part.graph));
    return {};
  }

  /// Brings a box of a value to a port that holds just this box: first what the device itself
  /// holds.
  Status connect(const ValueBox& wanted, Endpoint destination, DeviceId device) {
    const std::vector<Holding>& holdings = holdings_[wanted.value.index()];
    if (isSummed(wanted.value)) {
      for (const Holding& holding : holdings) {
        built_.plan.transfers.push_back({holding.end, relativeTo(wanted.box, holding.box),
                                         destination, Region::whole(wanted.box.shape()),
                                         TransferMode::add, InterfaceId()});
      }
      return {};
    }
    std::vector<Region> missing{wanted.box};
    for (const bool own : {true, false}) {
      for (const Holding& holding : holdings) {
        if ((holding.device == device) == own) take(holding, wanted.box, destination, missing);
      }
    }
    if (missing.empty()) return {};
    return makeError("nobody holds {} of \"{}\"", toString(missing.front()),
                     graph_.value(wanted.value).name);
  }

  void take(const Holding& holding, const Region& port_box, Endpoint destination,
            std::vector<Region>& missing) {
    std::vector<Region> rest;
    for (const Region& box : missing) {
      const Region common = box.intersection(holding.box);
      if (common.empty()) {
        rest.push_back(box);
        continue;
      }
      built_.plan.transfers.push_back({holding.end, relativeTo(common, holding.box), destination,
                                       relativeTo(common, port_box), TransferMode::copy,
                                       InterfaceId()});
      subtract(box, common, rest);
    }
    missing = std::move(rest);
  }

  Status connectOutputs() {
    for (std::size_t i = 0; i < graph_.outputs().size(); ++i) {
      const ValueId output = graph_.outputs()[i];
      const std::string& name = graph_.value(output).name;
      if (isSummed(output)) {
        return makeError("output \"{}\" is left as partial sums; a stage has to follow", name);
      }
      NARROWS_CHECK(
          connect({output, Region::whole(graph_.shape(output))}, {PieceId(), i}, design_.sink)
              .within(fmt::format("output \"{}\"", name)));
    }
    return {};
  }

  const Graph& graph_;
  const GroupDesign& design_;
  std::vector<std::vector<Holding>> holdings_;  // by value
  std::vector<ValueId> given_;
  std::vector<SummedLayer> summed_;
  SplitModel built_;
};

}  // namespace

std::vector<Region::Interval> intervalsOf(std::int64_t extent, std::span<const double> weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  std::vector<Interval> intervals;
  double before = 0;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    before += weights[i];
    const double exact = static_cast<double>(extent) * before / total;
    const std::int64_t end =
        i + 1 == weights.size()
            ? extent
            : std::clamp(static_cast<std::int64_t>(std::floor(exact + 1e-9)), begin, extent);
    intervals.push_back({begin, end});
    begin = end;
  }
  return intervals;
}

Result<SplitModel> buildGroupPlan(const Graph& graph, const GroupDesign& design) {
  return GroupBuilder(graph, design).build().within("group plan");
}

}  // namespace narrows
