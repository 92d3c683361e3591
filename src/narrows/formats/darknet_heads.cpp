#include "narrows/formats/darknet_network.h"

namespace narrows {
namespace {

constexpr std::int64_t kMaxClasses = 1 << 16;
constexpr std::int64_t kMaxBoxes = 1000;
constexpr std::int64_t kBoxFields = 5;  // x, y, width, height, objectness

Result<std::vector<DarknetHead::Anchor>> readAnchors(const DarknetSection& section,
                                                     std::int64_t count) {
  NARROWS_TRY(numbers, section.numbers("anchors"));
  if (numbers.size() != static_cast<std::size_t>(2 * count)) {
    return section.errorAt("anchors", fmt::format("{} numbers, expected a width and a height for "
                                                  "each of {} boxes",
                                                  numbers.size(), count));
  }
  std::vector<DarknetHead::Anchor> anchors;
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    if (!(numbers[i] > 0) || !(numbers[i + 1] > 0)) {
      return section.errorAt("anchors", "expected positive numbers");
    }
    anchors.push_back({numbers[i], numbers[i + 1]});
  }
  return anchors;
}

}  // namespace

Status DarknetNetwork::addYolo(const DarknetSection& section) {
  DarknetHead head;
  head.kind = DarknetHeadKind::yolo;
  NARROWS_TRY(classes, section.integer("classes", 20, 1, kMaxClasses));
  NARROWS_TRY(count, section.integer("num", 1, 1, kMaxBoxes));
  NARROWS_TRY(scale_x_y, section.number("scale_x_y", 1));
  NARROWS_CHECK(expectOff(section, {"new_coords", "embedding_layer"}));
  NARROWS_TRY(anchors, readAnchors(section, count));
  NARROWS_TRY(mask, section.integers("mask"));
  head.classes = classes;
  head.scale_x_y = scale_x_y;
  if (!section.has("mask")) head.anchors = anchors;
  for (std::int64_t index : mask) {
    if (index < 0 || index >= count) {
      return section.errorAt("mask", fmt::format("{} of {} anchors", index, count));
    }
    head.anchors.push_back(anchors[static_cast<std::size_t>(index)]);
  }
  const auto boxes = static_cast<std::int64_t>(head.anchors.size());
  if (boxes == 0) return section.errorAt("mask", "expected a list of anchors");
  return addHead(section, std::move(head), boxes * (classes + kBoxFields));
}

Status DarknetNetwork::addRegion(const DarknetSection& section) {
  DarknetHead head;
  head.kind = DarknetHeadKind::region;
  NARROWS_TRY(classes, section.integer("classes", 20, 1, kMaxClasses));
  NARROWS_TRY(count, section.integer("num", 1, 1, kMaxBoxes));
  NARROWS_TRY(softmax, section.integer("softmax", 0, 0, 1));
  NARROWS_TRY(coords, section.integer("coords", 4, 0, 1000));
  if (coords != 4) return section.errorAt("coords", "only 4 is supported");
  NARROWS_CHECK(expectOff(section, {"background"}));
  if (section.has("tree")) return section.errorAt("tree", "not supported");
  NARROWS_TRY(anchors, readAnchors(section, count));
  head.classes = classes;
  head.anchors = anchors;
  head.softmax = softmax != 0;
  return addHead(section, std::move(head), count * (classes + kBoxFields));
}

}  // namespace narrows
