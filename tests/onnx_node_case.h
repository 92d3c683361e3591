#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "narrows/base/result.h"

namespace narrows::test {

/// A model of the ONNX backend tests with the files of one input and output vector.
struct NodeCase {
  std::string name;
  std::filesystem::path model;
  std::vector<std::filesystem::path> inputs, outputs;
  /// Without input files: element i of the only input is i over the number of its elements.
  bool ramp_input = false;
};

/// The cases below `folder` of the archive's layout (FOLDER/TEST/model.onnx and
/// FOLDER/TEST/test_data_set_N/*.pb), by name.
std::vector<NodeCase> nodeCases(const std::filesystem::path& folder);

/// The cases of a folder with NAME.onnx and NAME_output_0.pb, by name.
std::vector<NodeCase> lightCases(const std::filesystem::path& folder);

enum class Verdict : std::uint8_t { passed, unsupported, failed };

struct Outcome {
  Verdict verdict = Verdict::passed;
  std::string reason;  // empty when passed
};

/// Reads the model, runs it on the engine and compares with the vectors as ONNX does: relative 1e-3
/// and absolute 1e-7, integers and booleans exactly. What the reader or the engine's compiler
/// refuses is unsupported; a refusal to run or another number is a failure. When the model is
/// refused with its inputs as inputs, those that may say shapes or axes become constants, and then
/// more of them.
Outcome runCase(const NodeCase& node_case, std::string_view engine_name);

/// Counts and reasons.
class Tally {
 public:
  void add(const std::string& name, const Outcome& outcome);
  std::size_t count(Verdict verdict) const { return counts_[static_cast<std::size_t>(verdict)]; }
  /// "PASSED passed, ..." and a line for each reason with the cases it stopped.
  std::string report() const;
  /// One line for each failure.
  std::string failures() const;

 private:
  std::size_t counts_[3] = {};
  std::map<std::string, std::vector<std::string>> reasons_;
  std::vector<std::string> failures_;
};

}  // namespace narrows::test
