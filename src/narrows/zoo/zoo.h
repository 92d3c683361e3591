#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

/// Networks that are built here, with random weights: to analyse a published architecture, and to
/// try things out where no trained model is at hand.
namespace narrows {

struct ZooAnchor {
  double width = 0;
  double height = 0;
};

/// What a builder can be asked for. Zeros mean the network's own default.
struct ZooOptions {
  /// Height and width of the input, pixels.
  std::int64_t size = 0;
  std::int64_t classes = 0;
  /// Factor on all channel counts but the heads'.
  double width = 1.0;
  /// Weights: normal with variance 2 / ((1 + slope^2) fan-in) (He et al. 2015, equation 15).
  /// Normalisation: scale 0.8 to 1.2, bias normal with deviation 0.2, mean 0, variance 1.
  std::uint64_t seed = 1;
};

/// A network with raw YOLOv3 heads: outputs "head0", "head1", maps 1 x A(5+K) x H x W.
struct ZooModel {
  std::string name;
  Graph graph;
  std::int64_t size = 0;
  std::int64_t classes = 0;
  /// One list for each head, pixels of the input.
  std::vector<std::vector<ZooAnchor>> anchors;
};

struct ZooEntry {
  std::string_view name;
  std::string_view summary;
  Result<ZooModel> (*build)(const ZooOptions& options);
};

/// All networks, by name.
std::span<const ZooEntry> zooEntries();

struct ZooName {
  std::string name;
  ZooOptions options;
};
/// Parses "zoo:NAME[@SIZE][,classes=N][,width=F]". The error says what was expected and, for an
/// unknown name, which there are.
Result<ZooName> parseZooName(std::string_view text);

/// Parses and builds. `seed` goes to the weights.
Result<ZooModel> buildZooModel(std::string_view text, std::uint64_t seed);

}  // namespace narrows
