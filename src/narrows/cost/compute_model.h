#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/device_model.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// What running a piece once takes.
struct PieceCost {
  Seconds time;
  /// 0 on a device whose power is not known.
  Joules energy;
  /// Of time and energy.
  Origin origin = Origin::modelled;
  /// Bytes, fp32 as in the graph; modelled.
  std::size_t weights = 0;
  std::size_t activations = 0;
};

/// Time and energy of each layer of one network on one device.
///
/// A device's table applies when its rows and the network's layers fit each other: every row names
/// at least one layer, every layer with MACs is in exactly one row, and rows without MACs hold
/// layers without. A layer belongs to the row that has its name, else to one whose name it
/// continues. A row's figures count in proportion to MACs when the network has fewer or more
/// in it (a pruned layer), and are shared among its layers by the device's predictor or rates, or
/// evenly. Layers without MACs that no row names cost nothing: the table's rows hold them. Of
/// several tables that apply the first counts whose MACs are the network's, else the first. When
/// none applies, the predictor does, or else rates.
///
/// With a predictor, a piece also pays for maps that enter or leave it between layers of the
/// network.
class ComputeModel {
 public:
  /// Fails when no table applies and there is nothing else; the error names the layer that has no
  /// figure.
  static Result<ComputeModel> create(const DeviceModel& device, const Graph& network);

  bool fromTable() const { return from_table_; }

  /// Of these layers of the network, without memory.
  PieceCost cost(std::span<const NodeId> nodes) const;

  /// Of a piece of the network: its layers are found by name. One that does more or less than the
  /// network's (a tile, a slice) counts in proportion to MACs, or to elements without MACs; one
  /// that the network lacks by the predictor or the rates, an error without.
  Result<PieceCost> cost(const Graph& piece) const;

 private:
  struct Layer {
    Seconds time;
    Joules energy;
    /// Index into `rows_`, or `kNoRow`.
    std::size_t row = 0;
    std::int64_t macs = 0;
    std::int64_t elements = 0;
  };
  /// A row of the table, or nothing when rates apply.
  struct Row {
    std::size_t layers = 0;
    bool scaled = false;
  };
  static constexpr std::size_t kNoRow = static_cast<std::size_t>(-1);

  Status applyTable(const LayerTable& table, const Graph& network);
  bool isExact() const;
  void applyPrediction(const Graph& network);
  PieceCost start() const;
  Seconds edges(const Graph& piece) const;
  Origin originOf(std::span<const std::size_t> layers_of_row, bool all_whole) const;

  DeviceModel device_;
  std::vector<Layer> layers_;  // by NodeId
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> by_name_;
  std::vector<Terms> terms_;  // by NodeId
  /// Inputs and outputs of the network: what entering and leaving there costs is in its layers.
  std::unordered_set<std::string> ends_;
  bool from_table_ = false;
  Ground ground_ = Ground::measured;  // of the table
};

}  // namespace narrows
