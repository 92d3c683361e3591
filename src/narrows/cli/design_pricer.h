#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cli/table.h"
#include "narrows/cost/split_pricer.h"

namespace narrows {

/// What designs are priced with.
struct CostOptions {
  /// Names of built-in profiles, or files. An empty device or server is this host, with the times
  /// that were measured on it and no energy.
  std::string device;
  std::string server;
  std::vector<std::string> links;
  std::size_t answer_bytes = 128;
  /// Around a picture's frames; `addCostOptions` makes it what `narrows node` puts there.
  std::size_t request_bytes = 0;
  /// With a frame rate, energy at that rate is shown; with a capacity too, battery life.
  double frames_per_second = 0;
  double battery_wh = 0;
};

/// Adds --link, --device, --server, --answer-bytes, --request-bytes, --fps and --battery-wh.
void addCostOptions(CLI::App& app, CostOptions& options);

/// The profiles that the options name; the error says which option is wrong.
Result<SplitSetting> readSetting(const CostOptions& options);

/// Prices splits of one network over one or more links, as rows of a table.
class DesignPricer {
 public:
  /// The graph must outlive it. Fails on an unknown profile, a mistake in one, and a device that
  /// has no figures for the network.
  static Result<DesignPricer> create(const CostOptions& options, const Graph& graph);

  const SplitPricer& splits() const { return splits_; }

  std::vector<Column> columns() const;
  /// One row: a frame of that size, with its coding times on this host. Cells in the order of
  /// `columns`.
  std::vector<Cell> cells(PlanPricer& pricer, Bytes bytes, Seconds encode, Seconds decode) const;

  /// Lines for a person: what the devices and links are and what the energies mean.
  std::string legend() const;

 private:
  DesignPricer(const CostOptions& options, SplitPricer splits)
      : options_(options), splits_(std::move(splits)) {}

  CostOptions options_;
  SplitPricer splits_;
};

}  // namespace narrows
