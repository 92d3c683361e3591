#include "narrows/cost/compute_model.h"

#include <algorithm>

#include "narrows/graph/cost.h"
#include "narrows/graph/liveness.h"

namespace narrows {
namespace {

bool belongs(const std::string& layer, const LayerFigure& row) {
  for (const std::string& name : row.names) {
    if (!layer.starts_with(name)) continue;
    if (layer.size() == name.size() || layer[name.size()] == '.' || layer[name.size()] == '/')
      return true;
  }
  return false;
}

std::int64_t elementsOut(const Graph& graph, const Node& node) {
  std::int64_t elements = 0;
  for (ValueId value : node.outputs) elements += graph.type(value).elements();
  return elements;
}

}  // namespace

Result<ComputeModel> ComputeModel::create(const DeviceModel& device, const Graph& network) {
  ComputeModel model;
  model.device_ = device;
  model.terms_ = layerTerms(network);
  for (NodeId id : nodeIds(network)) {
    const Node& node = network.node(id);
    Layer layer;
    layer.row = kNoRow;
    layer.macs = macs(network, id);
    layer.elements = elementsOut(network, node);
    model.by_name_.emplace(node.name, model.layers_.size());
    model.layers_.push_back(layer);
  }
  for (ValueId value : network.inputs()) model.ends_.insert(network.value(value).name);
  for (ValueId value : network.outputs()) model.ends_.insert(network.value(value).name);
  std::optional<Error> misfit;
  std::optional<ComputeModel> scaled;
  for (const LayerTable& table : device.tables) {
    ComputeModel trial = model;
    if (Status fits = trial.applyTable(table, network); !fits.ok()) {
      if (!misfit) {
        misfit = makeError("device {} has figures of {} only, and this network differs: {}",
                           device.name, table.network, fits.error().message);
      }
      continue;
    }
    if (trial.isExact()) return trial;
    if (!scaled) scaled = std::move(trial);
  }
  if (scaled) return std::move(*scaled);
  if (!device.rates && !device.predictor) {
    return misfit ? *misfit : makeError("device {} states nothing of speed", device.name);
  }
  model.applyPrediction(network);
  return model;
}

Status ComputeModel::applyTable(const LayerTable& table, const Graph& network) {
  const std::vector<LayerFigure>& figures = table.rows;
  std::vector<double> row_macs(figures.size());
  rows_.resize(figures.size());
  std::unordered_map<std::string_view, std::size_t> row_of;
  for (std::size_t row = 0; row < figures.size(); ++row) {
    for (const std::string& name : figures[row].names) {
      const auto [entry, added] = row_of.emplace(name, row);
      if (!added && entry->second != row) return makeError("two rows name layer {}", name);
    }
  }
  for (NodeId id : nodeIds(network)) {
    Layer& layer = layers_[id.index()];
    const std::string& name = network.node(id).name;
    if (const auto found = row_of.find(name); found != row_of.end()) {
      layer.row = found->second;
    } else {
      for (std::size_t row = 0; row < figures.size(); ++row) {
        if (!belongs(name, figures[row])) continue;
        if (layer.row != kNoRow) return makeError("two rows name layer {}", name);
        layer.row = row;
      }
    }
    if (layer.row == kNoRow) {
      if (layer.macs > 0) return makeError("no row names layer {}", name);
      continue;
    }
    if (layer.macs > 0 && figures[layer.row].macs == 0)
      return makeError("layer {} has MACs, its row has none", name);
    ++rows_[layer.row].layers;
    row_macs[layer.row] += static_cast<double>(layer.macs);
  }
  // Shares of the rows among their layers.
  const bool predicted = device_.predictor || device_.rates;
  std::vector<double> weight(layers_.size());
  std::vector<double> row_weight(figures.size());
  for (NodeId id : nodeIds(network)) {
    const std::size_t row = layers_[id.index()].row;
    if (row == kNoRow) continue;
    weight[id.index()] =
        predicted ? predictedTime(device_, network, id, terms_[id.index()]).value() : 1;
    row_weight[row] += weight[id.index()];
  }
  for (std::size_t row = 0; row < figures.size(); ++row) {
    const bool without = figures[row].macs == 0;
    if (rows_[row].layers == 0 || (row_macs[row] == 0) != without)
      return makeError("no layer fits the row of {}", figures[row].names.front());
    rows_[row].scaled = row_macs[row] != static_cast<double>(figures[row].macs);
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::size_t row = layers_[i].row;
    if (row == kNoRow) continue;
    const LayerFigure& figure = figures[row];
    double share = row_weight[row] > 0 ? weight[i] / row_weight[row]
                                       : 1 / static_cast<double>(rows_[row].layers);
    if (rows_[row].scaled) share *= row_macs[row] / static_cast<double>(figure.macs);
    layers_[i].time = share * figure.time;
    if (!device_.compute_power) continue;
    layers_[i].energy =
        figure.energy ? share * *figure.energy : *device_.compute_power * layers_[i].time;
  }
  from_table_ = true;
  ground_ = table.ground;
  return {};
}

bool ComputeModel::isExact() const {
  return std::none_of(rows_.begin(), rows_.end(), [](const Row& row) { return row.scaled; });
}

void ComputeModel::applyPrediction(const Graph& network) {
  for (NodeId id : nodeIds(network)) {
    Layer& layer = layers_[id.index()];
    layer.time = predictedTime(device_, network, id, terms_[id.index()]);
    if (device_.compute_power) layer.energy = *device_.compute_power * layer.time;
  }
}

/// What maps that enter or leave between layers of the network cost.
Seconds ComputeModel::edges(const Graph& piece) const {
  if (!device_.predictor) return {};
  Terms terms;
  const auto add = [&](ValueId value) {
    if (!from_table_ || !ends_.contains(piece.value(value).name)) terms += edgeTerms(piece, value);
  };
  for (ValueId value : piece.inputs()) add(value);
  for (ValueId value : piece.outputs()) add(value);
  return device_.predictor->time(terms);
}

PieceCost ComputeModel::start() const {
  PieceCost cost;
  cost.time = device_.start_time;
  if (device_.compute_power) {
    cost.energy = device_.start_energy ? *device_.start_energy : *device_.compute_power * cost.time;
  }
  return cost;
}

/// The table's ground when the layers are whole rows as they were measured, else modelled.
Origin ComputeModel::originOf(std::span<const std::size_t> layers_of_row, bool all_whole) const {
  if (!from_table_ || !all_whole) return Origin::modelled;
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    const bool whole = layers_of_row[row] == 0 || layers_of_row[row] == rows_[row].layers;
    if (!whole || (rows_[row].scaled && layers_of_row[row] != 0)) return Origin::modelled;
  }
  return narrows::originOf(ground_);
}

PieceCost ComputeModel::cost(std::span<const NodeId> nodes) const {
  PieceCost total;
  if (nodes.empty()) return total;
  total = start();
  std::vector<std::size_t> layers_of_row(rows_.size());
  for (NodeId id : nodes) {
    NARROWS_ASSERT(id.index() < layers_.size());
    const Layer& layer = layers_[id.index()];
    total.time += layer.time;
    total.energy += layer.energy;
    if (layer.row != kNoRow) ++layers_of_row[layer.row];
  }
  total.origin = originOf(layers_of_row, true);
  return total;
}

Result<PieceCost> ComputeModel::cost(const Graph& piece) const {
  PieceCost total = start();
  std::vector<std::size_t> layers_of_row(rows_.size());
  bool all_whole = true;
  std::vector<Terms> terms;  // of the piece, when they are needed
  for (NodeId id : nodeIds(piece)) {
    const Node& node = piece.node(id);
    const auto found = by_name_.find(node.name);
    if (found == by_name_.end()) {
      if (!device_.rates && !device_.predictor) {
        return makeError("piece {}: device {} has no figure for layer {}", piece.name, device_.name,
                         node.name);
      }
      if (terms.empty()) terms = layerTerms(piece);
      const Seconds time = predictedTime(device_, piece, id, terms[id.index()]);
      total.time += time;
      if (device_.compute_power) total.energy += *device_.compute_power * time;
      all_whole = false;
      continue;
    }
    const Layer& layer = layers_[found->second];
    double share = 1;
    const std::int64_t piece_macs = macs(piece, id);
    const std::int64_t piece_elements = elementsOut(piece, node);
    if (layer.macs > 0) {
      share = static_cast<double>(piece_macs) / static_cast<double>(layer.macs);
    } else if (layer.elements > 0) {
      share = static_cast<double>(piece_elements) / static_cast<double>(layer.elements);
    }
    all_whole = all_whole && piece_macs == layer.macs && piece_elements == layer.elements;
    total.time += share * layer.time;
    total.energy += share * layer.energy;
    if (layer.row != kNoRow) ++layers_of_row[layer.row];
  }
  const Seconds at_edges = edges(piece);
  total.time += at_edges;
  if (device_.compute_power) total.energy += *device_.compute_power * at_edges;
  total.origin = originOf(layers_of_row, all_whole && at_edges.value() == 0);
  const MemoryNeed memory = peakMemory(piece);
  total.weights = memory.weights;
  total.activations = memory.activations;
  return total;
}

}  // namespace narrows
