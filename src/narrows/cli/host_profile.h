#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/device_model.h"
#include "narrows/engine/engine.h"
#include "narrows/engine/precision.h"
#include "narrows/graph/graph.h"

namespace narrows {

struct HostProfileOptions {
  std::size_t threads = 1;
  Precision precision = Precision::f32;
  /// Of each piece, in turn.
  std::size_t runs = 20;
  /// Before each run.
  Seconds rest = milliseconds(20);
  /// Places where each network is cut, evenly spread over its MACs.
  std::size_t cuts = 4;
  /// Of the inputs.
  std::uint64_t seed = 1;
  std::string name = "host";
};

struct NamedGraph {
  std::string name;
  Graph graph;
};

/// A network, or a side of one of its cuts.
struct MeasuredPiece {
  /// "whole", "node" or "server".
  std::string side;
  /// Empty for the whole.
  std::string cut;
  std::int64_t macs = 0;
  Seconds measured;
  /// By the fit over the other networks; absent when there are none.
  std::optional<Seconds> predicted;
};

struct MeasuredNetwork {
  std::string name;
  std::vector<MeasuredPiece> pieces;
};

struct HostProfile {
  DeviceModel device;
  std::vector<MeasuredNetwork> networks;
};

/// Measures networks and pieces of them on this host, fits a predictor to their layers and makes a
/// profile of both. `progress` is called after each of `hostProfileSteps` steps.
Result<HostProfile> measureHost(const Engine& engine, std::span<const NamedGraph> models,
                                const HostProfileOptions& options,
                                const std::function<void()>& progress);
std::size_t hostProfileSteps(std::size_t networks, const HostProfileOptions& options);

}  // namespace narrows
