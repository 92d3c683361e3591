#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

enum class DarknetHeadKind : std::uint8_t { yolo, region };

/// A [yolo] or [region] section. Its input is an output of the graph, raw: before any sigmoid, exp
/// or softmax; channels are boxes x (x, y, w, h, objectness, classes...).
struct DarknetHead {
  struct Anchor {
    double width = 0;
    double height = 0;
    friend bool operator==(const Anchor&, const Anchor&) = default;
  };
  DarknetHeadKind kind = DarknetHeadKind::yolo;
  /// Name of the graph's output: "head0", "head1", ... in the order of the sections.
  std::string output;
  /// One for each box of a cell, the mask applied: pixels of the network's input (yolo), cells of
  /// the map (region).
  std::vector<Anchor> anchors;
  std::int64_t classes = 0;
  /// Factor on sigmoid(x), sigmoid(y) about the cell's middle (YOLOv4); 1 otherwise.
  double scale_x_y = 1;
  /// Region only: class scores pass a softmax, not sigmoids.
  bool softmax = false;
};

struct DarknetModel {
  /// Input "input", 1 x channels x height x width; outputs "head0", ..., or "output" without heads.
  Graph graph;
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 0;
  std::vector<DarknetHead> heads;
};

/// Weights for a network without a weights file.
struct DarknetRandomWeights {
  /// Convolutions and connected layers: normal with variance 2 / inputs of one output (He et al.
  /// 2015, equation 10); normalisation neutral, biases 0. Same seed, same weights.
  std::uint64_t seed = 1;
  /// Most weights that the network may have.
  std::int64_t max_parameters = std::int64_t{1} << 29;
  /// false: constants have types only (tensor/absent.h), for counting; nothing can run them.
  bool elements = true;
};

/// Reads a Darknet network, batch 1. The weights file must hold exactly the weights of the network:
/// both counts stand in the error. Batch normalisation is Darknet's (x - mean) / (sqrt(variance) +
/// 1e-6), as BatchNorm with epsilon 0 and variance (sqrt(variance) + 1e-6)^2. Weights of
/// convolutions stay mapped. Errors in the network's text name file and line.
Result<DarknetModel> readDarknet(const std::filesystem::path& cfg,
                                 const std::filesystem::path& weights);
Result<DarknetModel> readDarknet(const std::filesystem::path& cfg,
                                 const DarknetRandomWeights& weights);

/// The same from memory; `place` stands for the cfg's path in errors.
Result<DarknetModel> parseDarknet(std::string_view cfg_text, ByteSpan weights,
                                  std::string_view place = "cfg");
Result<DarknetModel> parseDarknet(std::string_view cfg_text, const DarknetRandomWeights& weights,
                                  std::string_view place = "cfg");

}  // namespace narrows
