#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "narrows/cli/sweep_table.h"
#include "narrows/cli/table.h"
#include "narrows/cost/link_model.h"

namespace narrows {

/// One measured design: a cut, a quantizer and a coder, or an end.
struct Design {
  std::string cut;
  QuantizerSpec quantizer;
  CoderParams coder;
  bool is_cut = false;
  double mean_bytes = 0;
  Accuracy accuracy;
  /// Measured on this host, one thread.
  Seconds node;
  Seconds encode;
  Seconds decode;
  Seconds server;
};

/// All designs of an evaluation, ends included: pictures first, then cuts, then all on the node.
std::vector<Design> designs(const SweepDocument& document, const Graph& graph);

/// Time from picture to answer when the node computes `node_slowdown` times slower than this host;
/// the answer's way back is one packet. The link is modelled, the rest measured.
Seconds latency(const Design& design, const LinkModel& link, double node_slowdown);

/// For each of a few built-in links the design of least latency among those that lose at most
/// `max_drop` points.
Result<Table> bestDesigns(std::span<const Design> all, const SweepBaseline& baseline,
                          double max_drop, double node_slowdown);

}  // namespace narrows
