#include "narrows/runtime/message.h"

#include <algorithm>

#include "narrows/pipeline/fnv1a.h"

namespace narrows {

std::string_view toString(CallCode code) {
  switch (code) {
    case CallCode::ok:
      return "ok";
    case CallCode::cancelled:
      return "cancelled";
    case CallCode::unknown:
      return "unknown";
    case CallCode::invalid_argument:
      return "invalid argument";
    case CallCode::deadline_exceeded:
      return "deadline exceeded";
    case CallCode::not_found:
      return "not found";
    case CallCode::permission_denied:
      return "permission denied";
    case CallCode::resource_exhausted:
      return "resource exhausted";
    case CallCode::failed_precondition:
      return "failed precondition";
    case CallCode::aborted:
      return "aborted";
    case CallCode::internal:
      return "internal";
    case CallCode::unavailable:
      return "unavailable";
    case CallCode::data_loss:
      return "data loss";
    case CallCode::unauthenticated:
      return "unauthenticated";
  }
  return "unknown";
}

std::string toString(const CallStatus& status) {
  if (status.message.empty()) return std::string(toString(status.code));
  return fmt::format("{}: {}", toString(status.code), status.message);
}

namespace {

void addContents(Fnv1a& hash, std::span<const NamedFrame> frames,
                 std::span<const NamedTensor> tensors) {
  hash.add(std::uint64_t{frames.size()});
  for (const NamedFrame& frame : frames) {
    hash.add(std::string_view(frame.name));
    hash.add(asText(frame.bytes));
  }
  hash.add(std::uint64_t{tensors.size()});
  for (const NamedTensor& named : tensors) {
    hash.add(std::string_view(named.name));
    hash.add(static_cast<std::uint64_t>(named.tensor.dtype()));
    for (const std::int64_t extent : named.tensor.shape().extents()) {
      hash.add(static_cast<std::uint64_t>(extent));
    }
    hash.add(asText(named.tensor.view().bytes()));
  }
}

const NamedTensor* find(std::span<const NamedTensor> tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const NamedTensor& named) { return named.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

/// The tensor of that name with elements of type T; asserts nothing about its shape.
template <class T>
Result<std::span<const T>> elementsOf(std::span<const NamedTensor> tensors, std::string_view name) {
  const NamedTensor* named = find(tensors, name);
  if (named == nullptr) return makeError("the answer has no tensor \"{}\"", name);
  if (named->tensor.dtype() != dtypeOf<T>()) {
    return makeError("tensor \"{}\" is {}, expected {}", name, toString(named->tensor.dtype()),
                     toString(dtypeOf<T>()));
  }
  return named->tensor.as<T>();
}

}  // namespace

std::uint64_t digest(const InferRequest& request) {
  Fnv1a hash;
  hash.add(std::string_view(request.model));
  hash.add(std::string_view(request.id));
  hash.add(std::uint64_t{request.sequence});
  hash.add(request.bundle);
  hash.add(static_cast<std::uint64_t>(request.picture ? request.picture->width : -1));
  hash.add(static_cast<std::uint64_t>(request.picture ? request.picture->height : -1));
  addContents(hash, request.frames, request.tensors);
  return hash.value();
}

std::uint64_t digest(const InferReply& reply) {
  Fnv1a hash;
  hash.add(std::string_view(reply.id));
  hash.add(reply.request);
  addContents(hash, reply.frames, reply.tensors);
  return hash.value();
}

std::vector<NamedTensor> predictionTensors(const Prediction& prediction, HeadKind head) {
  std::vector<NamedTensor> tensors;
  if (head == HeadKind::none) return tensors;
  if (head == HeadKind::classification) {
    std::vector<float> scores;
    std::vector<std::int64_t> labels;
    for (const ClassScore& entry : prediction.classes) {
      scores.push_back(entry.score);
      labels.push_back(entry.label);
    }
    const auto count = static_cast<std::int64_t>(scores.size());
    tensors.push_back(
        {"class_scores", Tensor::from<float>({count}, std::span<const float>(scores))});
    tensors.push_back({"class_labels",
                       Tensor::from<std::int64_t>({count}, std::span<const std::int64_t>(labels))});
    return tensors;
  }
  std::vector<float> boxes;
  std::vector<float> scores;
  std::vector<std::int64_t> labels;
  for (const Detection& detection : prediction.detections) {
    boxes.insert(boxes.end(),
                 {detection.box.x1, detection.box.y1, detection.box.x2, detection.box.y2});
    scores.push_back(detection.score);
    labels.push_back(detection.label);
  }
  const auto count = static_cast<std::int64_t>(scores.size());
  tensors.push_back({"boxes", Tensor::from<float>({count, 4}, std::span<const float>(boxes))});
  tensors.push_back({"scores", Tensor::from<float>({count}, std::span<const float>(scores))});
  tensors.push_back(
      {"labels", Tensor::from<std::int64_t>({count}, std::span<const std::int64_t>(labels))});
  return tensors;
}

Result<Prediction> predictionOf(std::span<const NamedTensor> tensors) {
  Prediction prediction;
  if (find(tensors, "boxes") != nullptr) {
    NARROWS_TRY(boxes, elementsOf<float>(tensors, "boxes"));
    NARROWS_TRY(scores, elementsOf<float>(tensors, "scores"));
    NARROWS_TRY(labels, elementsOf<std::int64_t>(tensors, "labels"));
    if (boxes.size() != scores.size() * 4 || labels.size() != scores.size()) {
      return makeError("the answer has {} scores, {} labels and {} box corners", scores.size(),
                       labels.size(), boxes.size());
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const Box box{boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]};
      prediction.detections.push_back({static_cast<int>(labels[i]), scores[i], box});
    }
  }
  if (find(tensors, "class_scores") != nullptr) {
    NARROWS_TRY(scores, elementsOf<float>(tensors, "class_scores"));
    NARROWS_TRY(labels, elementsOf<std::int64_t>(tensors, "class_labels"));
    if (labels.size() != scores.size()) {
      return makeError("the answer has {} class scores and {} class labels", scores.size(),
                       labels.size());
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
      prediction.classes.push_back({static_cast<int>(labels[i]), scores[i]});
    }
  }
  return prediction;
}

}  // namespace narrows
