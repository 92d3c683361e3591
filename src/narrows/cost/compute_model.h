#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
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
/// layers without. A row's figures count in proportion to MACs when the network has fewer or more
/// in it (a pruned layer), and are shared among its layers by the device's rates, or evenly. Layers
/// without MACs that no row names cost nothing: the table's rows hold them. When the table does not
/// apply, rates do.
class ComputeModel {
 public:
  /// Fails when neither table nor rates apply; the error names the layer that has no figure.
  static Result<ComputeModel> create(const DeviceModel& device, const Graph& network);

  bool fromTable() const { return from_table_; }

  /// Of these layers of the network, without memory.
  PieceCost cost(std::span<const NodeId> nodes) const;

  /// Of a piece of the network: its layers are found by name. One that does more or less than the
  /// network's (a tile, a slice) counts in proportion to MACs, or to elements without MACs; one
  /// that the network lacks by the rates, an error without.
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

  Status applyTable(const Graph& network);
  void applyRates(const Graph& network);
  PieceCost start() const;
  Origin originOf(std::span<const std::size_t> layers_of_row, bool all_whole) const;

  DeviceModel device_;
  std::vector<Layer> layers_;  // by NodeId
  std::vector<Row> rows_;
  std::unordered_map<std::string, std::size_t> by_name_;
  bool from_table_ = false;
};

}  // namespace narrows
