#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/data_source.h"
#include "narrows/cli/model_source.h"
#include "narrows/plan/split.h"

namespace narrows {

/// How `narrows plan` codes what devices send each other; nothing is coded without a quantizer.
struct GroupCodingOptions {
  std::string quantizer;
  std::string bits = "6";
  /// Of partial sums; 0: as many.
  int sum_bits = 0;
  std::string granularity = "channel";
  std::string coder = "context";
  /// Partial sums travel as they are.
  bool raw_sums = false;
  CalibrationOptions calibration;
  std::string engine;

  bool wanted() const { return !quantizer.empty(); }
};

void addGroupCodingOptions(CLI::App& app, GroupCodingOptions& options);

/// Bytes to expect on the wire for each byte of floats, before anything is coded; 1 when nothing
/// is.
Result<double> expectedWireRatio(const GroupCodingOptions& options);

struct CodedTransfers {
  /// Of each transfer, framing included; the mean over the pictures. Measured.
  std::vector<double> bytes;
  /// "16 pictures of DIR".
  std::string pictures;
};

/// Adds interfaces to the plan, fitted to the calibration pictures.
Result<CodedTransfers> codeGroup(const GroupCodingOptions& options, const LoadedModel& model,
                                 SplitModel& split);

}  // namespace narrows
