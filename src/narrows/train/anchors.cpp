#include "narrows/train/anchors.h"

#include <algorithm>
#include <numeric>

#include "narrows/train/augment.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

double iou(const Anchor& a, const Anchor& b) {
  const double both = std::min(a.width, b.width) * std::min(a.height, b.height);
  return both / (a.width * a.height + b.width * b.height - both);
}

double area(const Anchor& anchor) {
  return anchor.width * anchor.height;
}

/// Shapes of all boxes in pixels of the network's input.
Result<std::vector<Anchor>> shapesOf(const DataSet& data, const Preprocessing& preprocessing) {
  std::vector<Anchor> shapes;
  for (const DataItem& item : data.items) {
    if (item.boxes.empty()) continue;
    ImageSize size{preprocessing.width, preprocessing.height};
    if (preprocessing.rule != ResizeRule::stretch) {
      NARROWS_TRY(image, readImage(item.image));
      size = image.size();
    }
    NARROWS_TRY(map, makePixelMap(preprocessing, size));
    for (const TruthBox& truth : item.boxes) {
      const double w = static_cast<double>(truth.box.x2 - truth.box.x1) *
                       static_cast<double>(size.width) / map.crop_width * map.inner_width;
      const double h = static_cast<double>(truth.box.y2 - truth.box.y1) *
                       static_cast<double>(size.height) / map.crop_height * map.inner_height;
      if (w > 0 && h > 0) shapes.push_back({w, h});
    }
  }
  return shapes;
}

std::size_t nearest(const Anchor& shape, const std::vector<Anchor>& centers) {
  std::size_t best = 0;
  for (std::size_t c = 1; c < centers.size(); ++c) {
    if (iou(shape, centers[c]) > iou(shape, centers[best])) best = c;
  }
  return best;
}

}  // namespace

Result<std::vector<Anchor>> clusterAnchors(const DataSet& data, const Preprocessing& preprocessing,
                                           std::size_t count, std::uint64_t seed) {
  NARROWS_TRY(shapes, shapesOf(data, preprocessing));
  Draw draw(seed);
  std::vector<Anchor> centers;
  while (centers.size() < count) {
    std::vector<double> distance(shapes.size(), 1.0);
    for (std::size_t i = 0; i < shapes.size() && !centers.empty(); ++i) {
      distance[i] = std::max(0.0, 1 - iou(shapes[i], centers[nearest(shapes[i], centers)]));
    }
    const double total = std::accumulate(distance.begin(), distance.end(), 0.0);
    if (!(total > 1e-9)) {
      return makeError("{} boxes have fewer than {} different shapes", shapes.size(), count);
    }
    double left = draw.between(0, total);
    std::size_t chosen = 0;
    while (chosen + 1 < shapes.size() && left >= distance[chosen]) left -= distance[chosen++];
    centers.push_back(shapes[chosen]);
  }
  constexpr int kRounds = 100;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<Anchor> sums(count);
    std::vector<double> members(count, 0.0);
    for (const Anchor& shape : shapes) {
      const std::size_t c = nearest(shape, centers);
      sums[c].width += shape.width;
      sums[c].height += shape.height;
      ++members[c];
    }
    std::vector<Anchor> moved = centers;
    for (std::size_t c = 0; c < count; ++c) {
      if (members[c] > 0) moved[c] = {sums[c].width / members[c], sums[c].height / members[c]};
    }
    if (moved == centers) break;
    centers = std::move(moved);
  }
  std::sort(centers.begin(), centers.end(),
            [](const Anchor& a, const Anchor& b) { return area(a) < area(b); });
  return centers;
}

Result<Head> withAnchors(const Head& head, const DataSet& data, const Preprocessing& preprocessing,
                         std::int64_t grid_width, std::int64_t grid_height, std::uint64_t seed) {
  if (head.kind != HeadKind::yolov2 && head.kind != HeadKind::yolov3) {
    return makeError("a head of kind {} has no anchors", toString(head.kind));
  }
  Head result = head;
  std::size_t count = 0;
  for (const auto& list : head.anchors) count += list.size();
  NARROWS_TRY(anchors, clusterAnchors(data, preprocessing, count, seed));
  // Maps by the area of the anchors that they had.
  std::vector<std::size_t> maps(head.anchors.size());
  std::iota(maps.begin(), maps.end(), std::size_t{0});
  std::stable_sort(maps.begin(), maps.end(), [&](std::size_t a, std::size_t b) {
    return area(head.anchors[a].front()) < area(head.anchors[b].front());
  });
  std::size_t next = 0;
  for (const std::size_t map : maps) {
    for (Anchor& anchor : result.anchors[map]) {
      anchor = anchors[next++];
      if (head.kind == HeadKind::yolov2) {
        anchor.width *= static_cast<double>(grid_width) / static_cast<double>(preprocessing.width);
        anchor.height *=
            static_cast<double>(grid_height) / static_cast<double>(preprocessing.height);
      }
    }
  }
  return result;
}

}  // namespace narrows
