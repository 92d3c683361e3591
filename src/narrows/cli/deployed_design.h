#pragma once

#include <cstddef>
#include <string>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cost/split_pricer.h"
#include "narrows/explore/explorer.h"

namespace narrows {

/// What an exploration said of a design, as its store has it.
struct DesignPromise {
  std::string link;
  Seconds latency;
  /// Mean of a picture's frames, and twice its standard error.
  double bytes = 0;
  double bytes_error = 0;
  double accuracy_percent = 0;
  /// Of the node for a picture; nothing here measures it.
  Joules energy;
  /// How far the latency may be off, and what it is made of: the node's computing, coding and
  /// messages of both sides, the link, the server's computing.
  Seconds latency_error;
  Seconds node;
  Seconds coding;
  Seconds link_time;
  Seconds server;
};

/// The stated error of a design's latency: 10 % (what the model keeps to, docs/cost-model.md), and
/// for computing what a device's profile states, when that is more: how far its times lie from each
/// other, how far they lie from those without rest, or the error of the predictor that priced the
/// design.
Seconds latencyError(const SplitPricer& pricer, const DesignCost& cost);

/// Fails on anything but the figures that `explore` writes.
Result<DesignPromise> parsePromise(const std::string& figures);
std::string toJson(const DesignPromise& promise);

struct DeployedOptions {
  ModelOptions model;
  DataSourceOptions data;
  /// Beginning of an id, the store that has it, and the bundle that `split` made of it.
  std::string design;
  std::string store;
  std::string bundle;
  std::string engine;
  std::size_t threads = 0;
  bool simulate = false;
  OutputOptions output;
};

/// Runs the bundle of a design, node and server as two processes over the design's link, on all
/// pictures of the data, and prints what it measures beside what was promised: accuracy, bytes and
/// latency. The picture's preparation is left out of the latency, as exploration does. Fails on a
/// design that cuts nothing and on a link that is no rate.
Status measureDeployed(const DeployedOptions& options);

}  // namespace narrows
