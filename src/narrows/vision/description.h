#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

/// What a model expects of a picture and means by its outputs: `MODEL.toml`.
namespace narrows {

enum class ResizeRule : std::uint8_t {
  /// Both extents to the model's, the aspect ratio is lost.
  stretch,
  /// Largest size that fits, the rest filled with `fill`.
  letterbox,
  /// Resize (see `resize_to`), then the centre.
  crop,
};

enum class LetterboxAnchor : std::uint8_t { center, top_left };

/// Bilinear: with Pillow's antialias (support grows with the downscale) or without.
enum class Resampling : std::uint8_t { antialias, bilinear };

enum class ColorOrder : std::uint8_t { rgb, bgr };

struct Preprocessing {
  std::int64_t width = 0;  // of the network's input, pixels
  std::int64_t height = 0;
  ResizeRule rule = ResizeRule::stretch;
  LetterboxAnchor anchor = LetterboxAnchor::center;
  /// For `crop`: > 0 first resizes both extents to this (when `resize_both`) or the short side to
  /// this, then takes the centre; 0 takes the largest centre part of the network's aspect ratio
  /// times `crop_fraction`, then resizes.
  std::int64_t resize_to = 0;
  bool resize_both = false;
  double crop_fraction = 1.0;
  Resampling resampling = Resampling::antialias;
  ColorOrder order = ColorOrder::rgb;
  /// 8-bit value of the letterbox border.
  int fill = 114;
  /// Network input = (sample - mean[c]) * scale[c], c in the network's colour order.
  std::array<double, 3> mean{0, 0, 0};
  std::array<double, 3> scale{1 / 255.0, 1 / 255.0, 1 / 255.0};
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

enum class HeadKind : std::uint8_t {
  classification,  // logits or probabilities, (1,C) or (1,C,1,1)
  yolov2,          // one map (1, A*(5+K), H, W), [region] semantics, anchors in cells
  yolov3,          // maps (1, A*(5+K), H, W), anchors in pixels of the network's input
  yolox,           // (1, N, 5+K), grid order by stride
  fastestdet,      // (1, 5+K, H, W)
  ultraface,       // scores (1,N,2), boxes (1,N,4) as corners
  ultraface_ssd,   // the same with boxes as offsets to priors, sizes in pixels as anchors
  nms_free,        // (1, N, 6): x1 y1 x2 y2 score class, in pixels of the network's input
  yolov10,         // (1, 4+K, N): distances to left, top, right, bottom in cells, scores; no NMS
  none,            // outputs are given as they are
};

std::string_view toString(HeadKind kind);

struct Anchor {
  double width = 0;
  double height = 0;
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

struct Head {
  HeadKind kind = HeadKind::none;
  std::int64_t classes = 0;
  /// Names of the graph's outputs in the head's order; empty means the graph's order.
  std::vector<std::string> outputs;
  /// yolov2: one list; yolov3 and ultraface_ssd: one list for each map.
  std::vector<std::vector<Anchor>> anchors;
  /// yolox, yolov10 and ultraface_ssd: stride of each grid, pixels of the network's input.
  std::vector<std::int64_t> strides;
  /// yolov3: factor of the centre's sigmoid (Darknet scale_x_y).
  std::vector<double> scale_xy;
  double score_threshold = 0.3;
  double iou_threshold = 0.45;
  /// Entry of the output that is class 0 (1 when the output starts with a background entry).
  std::int64_t class_offset = 0;
  /// classification: the output is logits, scores are their softmax. yolov2: class scores by
  /// softmax, else by sigmoid.
  bool softmax = true;
  friend bool operator==(const Head&, const Head&) = default;
};

/// Outputs that the head decodes; for `none` the names given.
std::size_t outputCount(const Head& head);

struct ModelDescription {
  std::string name;
  Preprocessing preprocessing;
  Head head;
  /// Class names; may be empty.
  std::vector<std::string> labels;
  friend bool operator==(const ModelDescription&, const ModelDescription&) = default;
};

/// Whether every field is in its range and the fields fit one another; the error names the key.
Status checkDescription(const ModelDescription& description);

/// Parses `MODEL.toml`; errors carry line and key, unknown keys are errors. The result passes
/// `checkDescription`.
Result<ModelDescription> parseDescription(std::string_view toml, std::string_view origin);
/// Text that `parseDescription` reads back to an equal description.
std::string formatDescription(const ModelDescription& description);

}  // namespace narrows
