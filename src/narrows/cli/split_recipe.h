#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/cli/data_source.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Where `explore` keeps what it measured and `split` looks for designs.
inline constexpr std::string_view kStandardStore = "narrows.sqlite";

/// All that makes a bundle of a model, as `split` takes it from its options or from the store of an
/// exploration. One of `cut`, `picture`, `on_node` and `bundle` is set.
struct SplitRecipe {
  /// SHA-256 of the network's text and weights; empty when not checked.
  std::string model_digest = {};
  std::string cut = {};
  std::string picture = {};
  bool on_node = false;
  /// A bundle that training made.
  std::string bundle = {};
  int jpeg_quality = 90;
  std::string quantizer = "uniform";
  std::string bits = "8";
  std::string granularity = "channel";
  /// Empty: context, or zstd where there is no quantizer.
  std::string coder = {};
  CalibrationOptions calibration = {};
  std::string engine = {};
};

/// The same recipe gives the same text.
std::string toJson(const SplitRecipe& recipe);
/// Fails on anything but an object with the members that `toJson` writes, each of its type.
Result<SplitRecipe> parseSplitRecipe(const std::string& json);

/// SHA-256 of the network's text form, which holds its constants or their hashes.
std::string graphDigest(const Graph& graph);

}  // namespace narrows
