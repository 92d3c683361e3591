#pragma once

#include <array>
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
  /// Weights: normal with variance 2 / ((1 + slope^2) fan-in) (He et al. 2015, equation 15), slope
  /// 0 for ReLU and its smooth or clipped kin, 0.1 for leaky ReLU, 1 for linear layers.
  /// Normalisation: scale 0.8 to 1.2, bias normal with deviation 0.2, mean 0, variance 1. Other
  /// biases: normal with deviation 0.2; those of detection heads so that few boxes fire.
  std::uint64_t seed = 1;
  /// false: constants have types only, which is all that analysis reads; a large network is then
  /// built in milliseconds and in no memory to speak of. Engines and writers refuse such a graph.
  bool weights = true;
};

enum class ZooHead : std::uint8_t {
  classification,  // "logits" or "probabilities" (1,K)
  yolov2,          // "head", (1, A(5+K), H, W), Darknet [region], anchors in cells
  yolov3,          // "head0", "head1", (1, A(5+K), H, W), anchors in pixels of the input
  yolov10,         // "boxes" (1, 4+K, N): see HeadKind::yolov10
};

/// How a picture becomes the input.
struct ZooPicture {
  enum class Fit : std::uint8_t { stretch, letterbox, crop };
  Fit fit = Fit::stretch;
  /// For `crop`: the short side before the centre is taken, pixels.
  std::int64_t resize_to = 0;
  /// Input = (sample - mean) * scale, samples 0..255, RGB.
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> scale{1 / 255.0, 1 / 255.0, 1 / 255.0};
};

struct ZooModel {
  std::string name;
  Graph graph;
  std::int64_t size = 0;
  std::int64_t classes = 0;
  ZooHead head = ZooHead::yolov3;
  /// One list for each map of a YOLOv2 or YOLOv3 head.
  std::vector<std::vector<ZooAnchor>> anchors;
  /// Of the maps of a YOLOv10 head, pixels of the input.
  std::vector<std::int64_t> strides;
  /// The output of a classifier has passed a softmax.
  bool probabilities = false;
  ZooPicture picture;
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

/// Parses and builds. `seed` goes to the weights, without `weights` there are none (see
/// ZooOptions).
Result<ZooModel> buildZooModel(std::string_view text, std::uint64_t seed, bool weights = true);

}  // namespace narrows
