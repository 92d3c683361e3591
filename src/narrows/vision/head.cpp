#include "narrows/vision/head.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "narrows/vision/head_decoders.h"

namespace narrows {
namespace {

constexpr std::size_t kTopClasses = 5;

/// Up to five classes, best first; of equal ones the lower label.
std::vector<ClassScore> topClasses(std::span<const float> values) {
  std::vector<ClassScore> best;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    if (std::isnan(value)) continue;
    if (best.size() == kTopClasses && !(value > best.back().score)) continue;
    auto place = best.end();
    while (place != best.begin() && value > (place - 1)->score) --place;
    best.insert(place, {static_cast<int>(i), value});
    if (best.size() > kTopClasses) best.pop_back();
  }
  return best;
}

Result<Prediction> decodeClasses(const Head& head, TensorView output) {
  const std::int64_t entries = head.classes + head.class_offset;
  const Shape& shape = output.shape();
  const bool fits = output.dtype() == DType::f32 && shape.rank() >= 2 && shape[0] == 1 &&
                    shape[1] == entries && shape.elements() == entries;
  if (!fits) {
    return makeError("output 0 is {} {}; a classification head of {} classes needs f32 1x{}",
                     toString(output.dtype()), toString(shape), head.classes, entries);
  }
  const auto all = output.as<float>();
  Prediction prediction;
  prediction.classes = topClasses(all.subspan(static_cast<std::size_t>(head.class_offset)));
  if (!head.softmax) return prediction;
  float largest = -std::numeric_limits<float>::infinity();
  for (float value : all) largest = std::max(largest, value);
  double sum = 0;
  for (float value : all) sum += std::exp(static_cast<double>(value - largest));
  for (ClassScore& entry : prediction.classes) {
    entry.score = static_cast<float>(std::exp(static_cast<double>(entry.score - largest)) / sum);
  }
  return prediction;
}

Result<std::vector<Detection>> decodeCandidates(const HeadInput& input) {
  switch (input.head.kind) {
    case HeadKind::yolov2:
      return decodeYoloV2(input);
    case HeadKind::yolov3:
      return decodeYoloV3(input);
    case HeadKind::yolox:
      return decodeYolox(input);
    case HeadKind::fastestdet:
      return decodeFastestDet(input);
    case HeadKind::ultraface:
      return decodeUltraFace(input);
    case HeadKind::ultraface_ssd:
      return decodeUltraFaceSsd(input);
    case HeadKind::nms_free:
      return decodeNmsFree(input);
    case HeadKind::yolov10:
      return decodeYoloV10(input);
    case HeadKind::classification:
    case HeadKind::none:
      break;
  }
  return std::vector<Detection>{};
}

/// The part inside the picture; detections wholly outside go.
void clipToPicture(std::vector<Detection>& detections) {
  for (Detection& detection : detections) {
    Box& box = detection.box;
    box = {std::clamp(box.x1, 0.0F, 1.0F), std::clamp(box.y1, 0.0F, 1.0F),
           std::clamp(box.x2, 0.0F, 1.0F), std::clamp(box.y2, 0.0F, 1.0F)};
  }
  std::erase_if(detections, [](const Detection& detection) { return !(detection.box.area() > 0); });
}

}  // namespace

Result<Prediction> decodeHead(const ModelDescription& description,
                              std::span<const TensorView> outputs, ImageSize picture,
                              const HeadOptions& options) {
  const Head& head = description.head;
  if (head.kind == HeadKind::none) return Prediction{};
  NARROWS_CHECK(checkDescription(description));
  if (outputs.size() != outputCount(head)) {
    return makeError("{} outputs; a {} head needs {}", outputs.size(), toString(head.kind),
                     outputCount(head));
  }
  if (head.kind == HeadKind::classification) return decodeClasses(head, outputs[0]);

  NARROWS_TRY(map, makePixelMap(description.preprocessing, picture));
  const double score_threshold = options.score_threshold.value_or(head.score_threshold);
  // Some networks learned to give one box for each object: a threshold of 1 keeps every box.
  const bool suppressed = head.kind == HeadKind::nms_free || head.kind == HeadKind::yolov10;
  const double iou_threshold =
      suppressed ? 1.0 : options.iou_threshold.value_or(head.iou_threshold);
  const HeadInput input{description.preprocessing, head, outputs, map,
                        static_cast<float>(score_threshold)};
  NARROWS_TRY(candidates, decodeCandidates(input));
  Prediction prediction;
  prediction.detections =
      suppressNonMaxima(std::move(candidates), iou_threshold, options.max_detections);
  clipToPicture(prediction.detections);
  return prediction;
}

}  // namespace narrows
