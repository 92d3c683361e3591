#include "narrows/vision/description.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace narrows {
namespace {

constexpr std::int64_t kMaxExtent = 8192;
constexpr std::int64_t kMaxClasses = 100'000;
constexpr std::size_t kMaxMaps = 16;
constexpr std::size_t kMaxAnchors = 64;
constexpr double kMaxPixelsOfAnchor = 1e5;
constexpr double kMaxFactor = 1e6;

Status checkRange(std::string_view key, double value, double low, double high) {
  if (std::isfinite(value) && value >= low && value <= high) return {};
  return makeError("{} is {}; expected {} to {}", key, value, low, high);
}

Status checkInput(const Preprocessing& input) {
  NARROWS_CHECK(checkRange("input.width", static_cast<double>(input.width), 1, kMaxExtent));
  NARROWS_CHECK(checkRange("input.height", static_cast<double>(input.height), 1, kMaxExtent));
  NARROWS_CHECK(checkRange("input.fill", input.fill, 0, 255));
  NARROWS_CHECK(checkRange("input.resize_to", static_cast<double>(input.resize_to), 0, kMaxExtent));
  const std::int64_t larger = std::max(input.width, input.height);
  if (input.resize_to > 0 && input.resize_to < larger) {
    return makeError("input.resize_to is {}; the crop needs at least {}", input.resize_to, larger);
  }
  NARROWS_CHECK(checkRange("input.crop_fraction", input.crop_fraction, 1e-3, 1));
  for (std::size_t c = 0; c < 3; ++c) {
    NARROWS_CHECK(checkRange("input.mean", input.mean[c], -kMaxFactor, kMaxFactor));
    NARROWS_CHECK(checkRange("input.scale", input.scale[c], -kMaxFactor, kMaxFactor));
  }
  return {};
}

Status checkAnchors(const Head& head) {
  const bool one_list = head.kind == HeadKind::yolov2;
  if (one_list ? head.anchors.size() != 1 : head.anchors.empty()) {
    return makeError("head.anchors has {} lists; expected {}", head.anchors.size(),
                     one_list ? "one" : "one for each map");
  }
  for (const std::vector<Anchor>& list : head.anchors) {
    if (list.empty() || list.size() > kMaxAnchors) {
      return makeError("head.anchors has a list of {}; expected 1 to {}", list.size(), kMaxAnchors);
    }
    for (const Anchor& anchor : list) {
      NARROWS_CHECK(checkRange("head.anchors", anchor.width, 0, kMaxPixelsOfAnchor));
      NARROWS_CHECK(checkRange("head.anchors", anchor.height, 0, kMaxPixelsOfAnchor));
    }
  }
  return {};
}

Status checkHead(const Head& head) {
  const HeadKind kind = head.kind;
  NARROWS_CHECK(checkRange("head.classes", static_cast<double>(head.classes),
                           kind == HeadKind::none ? 0 : 1, kMaxClasses));
  NARROWS_CHECK(checkRange("head.class_offset", static_cast<double>(head.class_offset), 0, 1000));
  NARROWS_CHECK(checkRange("head.score_threshold", head.score_threshold, 0, 1));
  NARROWS_CHECK(checkRange("head.iou_threshold", head.iou_threshold, 0, 1));
  if (head.anchors.size() > kMaxMaps || head.strides.size() > kMaxMaps ||
      head.scale_xy.size() > kMaxMaps || head.outputs.size() > kMaxMaps) {
    return makeError("head: a list is longer than {} maps", kMaxMaps);
  }
  for (std::int64_t stride : head.strides) {
    NARROWS_CHECK(checkRange("head.strides", static_cast<double>(stride), 1, kMaxExtent));
  }
  for (double factor : head.scale_xy) {
    NARROWS_CHECK(checkRange("head.scale_xy", factor, 0.5, 4));
  }
  const bool priors = kind == HeadKind::ultraface_ssd;
  if (kind == HeadKind::yolov2 || kind == HeadKind::yolov3 || priors) {
    NARROWS_CHECK(checkAnchors(head));
  }
  if (kind == HeadKind::yolov3 && !head.scale_xy.empty() &&
      head.scale_xy.size() != head.anchors.size()) {
    return makeError("head.scale_xy has {} entries for {} maps", head.scale_xy.size(),
                     head.anchors.size());
  }
  const bool grids = kind == HeadKind::yolox || kind == HeadKind::yolov10 || priors;
  if (grids && head.strides.empty()) {
    return makeError("head.strides is missing");
  }
  if (priors && head.strides.size() != head.anchors.size()) {
    return makeError("head.strides has {} entries for {} lists of anchors", head.strides.size(),
                     head.anchors.size());
  }
  const std::size_t outputs = outputCount(head);
  if (kind != HeadKind::none && !head.outputs.empty() && head.outputs.size() != outputs) {
    return makeError("head.outputs has {} names; {} heads have {}", head.outputs.size(),
                     toString(kind), outputs);
  }
  return {};
}

}  // namespace

std::string_view toString(HeadKind kind) {
  constexpr std::array<std::string_view, 10> kNames = {
      "classification", "yolov2",        "yolov3",   "yolox",   "fastestdet",
      "ultraface",      "ultraface_ssd", "nms_free", "yolov10", "none"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::size_t outputCount(const Head& head) {
  switch (head.kind) {
    case HeadKind::yolov3:
      return head.anchors.size();
    case HeadKind::ultraface:
    case HeadKind::ultraface_ssd:
      return 2;
    case HeadKind::none:
      return head.outputs.size();
    default:
      return 1;
  }
}

Status checkDescription(const ModelDescription& description) {
  NARROWS_CHECK(checkInput(description.preprocessing));
  NARROWS_CHECK(checkHead(description.head));
  const auto classes = static_cast<std::size_t>(description.head.classes);
  if (!description.labels.empty() && description.labels.size() != classes) {
    return makeError("labels has {} names; head.classes is {}", description.labels.size(), classes);
  }
  return {};
}

}  // namespace narrows
