#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/cli/interface_options.h"
#include "narrows/cli/model_source.h"
#include "narrows/cli/output_options.h"
#include "narrows/cli/sweep_table.h"
#include "narrows/engine/engine.h"

namespace narrows {

struct EvalOptions {
  ModelOptions model;
  DataSourceOptions data;
  CalibrationOptions calibration;
  std::vector<std::string> cuts;
  std::size_t tensors = 1;
  InterfaceOptions interfaces;
  std::size_t slow_coder_frames = 8;
  bool uncut_only = false;
  /// Score against the uncut network even where there is truth.
  bool agreement = false;
  std::string engine{defaultEngineName()};
  std::size_t threads = 0;
  /// Without links nothing is priced.
  CostOptions cost;
  OutputOptions output;
};

/// A finished evaluation and the model that it was made with.
struct EvalRun {
  LoadedModel model;
  SweepDocument document;
};
Result<EvalRun> evaluate(const EvalOptions& options);

/// `narrows eval`.
int runEval(std::span<const std::string> arguments);

}  // namespace narrows
