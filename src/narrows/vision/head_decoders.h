#pragma once

#include <span>
#include <vector>

#include "narrows/tensor/tensor.h"
#include "narrows/vision/description.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/preprocess.h"

/// One function for each kind of detection head: outputs to candidates before suppression.
namespace narrows {

struct HeadInput {
  const Preprocessing& network;
  const Head& head;
  std::span<const TensorView> outputs;
  PixelMap map;
  float score_threshold = 0;
};

/// Candidates above the threshold; numbers that are not finite are left out.
class Candidates {
 public:
  explicit Candidates(const HeadInput& input) : input_(input) {}

  bool wants(float score) const { return score > input_.score_threshold; }
  /// A box by its centre and size in pixels of the network's input.
  void addCentered(std::int64_t label, float score, float cx, float cy, float w, float h) {
    addCorners(label, score, cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2);
  }
  /// A box by its corners in pixels of the network's input.
  void addCorners(std::int64_t label, float score, float x1, float y1, float x2, float y2);
  std::vector<Detection> take() && { return std::move(detections_); }

 private:
  const HeadInput& input_;
  std::vector<Detection> detections_;
};

/// 1 / (1 + exp(-x)).
float sigmoid(float x);

/// Fails, naming the output, unless it is f32 of shape `extents` (-1: any).
Status checkOutput(const HeadInput& input, std::size_t index,
                   std::initializer_list<std::int64_t> extents);

Result<std::vector<Detection>> decodeYoloV2(const HeadInput& input);
Result<std::vector<Detection>> decodeYoloV3(const HeadInput& input);
Result<std::vector<Detection>> decodeYolox(const HeadInput& input);
Result<std::vector<Detection>> decodeFastestDet(const HeadInput& input);
Result<std::vector<Detection>> decodeUltraFace(const HeadInput& input);
Result<std::vector<Detection>> decodeUltraFaceSsd(const HeadInput& input);
Result<std::vector<Detection>> decodeNmsFree(const HeadInput& input);
Result<std::vector<Detection>> decodeYoloV10(const HeadInput& input);

}  // namespace narrows
