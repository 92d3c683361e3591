#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cli/table.h"
#include "narrows/codec/params.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/plan_pricer.h"
#include "narrows/graph/cuts.h"
#include "narrows/plan/split.h"

namespace narrows {

/// What designs are priced with.
struct CostOptions {
  /// Names of built-in profiles, or files. An empty device or server is this host, with the times
  /// that were measured on it and no energy.
  std::string device;
  std::string server;
  std::vector<std::string> links;
  std::size_t answer_bytes = 128;
  /// With a frame rate, energy at that rate is shown; with a capacity too, battery life.
  double frames_per_second = 0;
  double battery_wh = 0;
};

/// Adds --link, --device, --server, --answer-bytes, --fps and --battery-wh.
void addCostOptions(CLI::App& app, CostOptions& options);

/// Times of a design's two sides on this host, one thread; measured.
struct HostTimes {
  Seconds node;
  Seconds server;
};

/// Prices splits of one network over one or more links.
class DesignPricer {
 public:
  /// The graph must outlive it. Fails on an unknown profile, a mistake in one, and a device that
  /// has no figures for the network.
  static Result<DesignPricer> create(const CostOptions& options, const Graph& graph);

  /// A pricer for each link. Times are used for devices that are this host, and needed there.
  Result<std::vector<PlanPricer>> forCut(const Cut& cut, const HostTimes& times) const;
  Result<std::vector<PlanPricer>> forPicture(const ImageInterface& interface,
                                             const HostTimes& times) const;
  /// Nothing crosses: one pricer.
  Result<std::vector<PlanPricer>> onNode(const HostTimes& times) const;

  std::vector<Column> columns() const;
  /// One row: a frame of that size, with its coding times on this host. Cells in the order of
  /// `columns`.
  std::vector<Cell> cells(PlanPricer& pricer, Bytes bytes, Seconds encode, Seconds decode) const;

  /// Lines for a person: what the devices and links are and what the energies mean.
  std::string legend() const;

 private:
  DesignPricer(const CostOptions& options, const Graph& graph)
      : options_(options), graph_(&graph) {}
  Result<std::vector<PlanPricer>> make(const SplitModel& split, const HostTimes& times) const;

  CostOptions options_;
  const Graph* graph_;
  DeviceModel node_;
  DeviceModel server_;
  /// Absent for this host.
  std::optional<ComputeModel> node_compute_;
  std::optional<ComputeModel> server_compute_;
  std::vector<LinkModel> links_;
};

}  // namespace narrows
