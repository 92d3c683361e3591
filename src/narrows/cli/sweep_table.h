#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "narrows/base/units.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/table.h"
#include "narrows/eval/sweep.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// A finished `eval`, ready to print.
struct SweepDocument {
  std::string model;
  bool untrained = false;
  std::string data;
  std::string calibration;
  std::string engine;
  std::size_t threads = 1;
  std::uint64_t seed = 0;
  SweepBaseline baseline;
  std::vector<ImageSweep> images;
  std::vector<CutSweep> cuts;
  Seconds elapsed;
};

/// A head line or two, then one row for each cut, quantizer and coder, and for each end. Bytes,
/// times and accuracies are measured. With a pricer there is a row for each link, with what it
/// costs there. Fails when a design cannot be priced.
Result<std::string> formatSweep(const SweepDocument& document, const Graph& graph,
                                OutputFormat format, const DesignPricer* pricer = nullptr);

}  // namespace narrows
