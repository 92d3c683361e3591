#include <array>
#include <cmath>
#include <stdexcept>

#include "narrows/torch/box_overlap.h"
#include "narrows/torch/convert.h"
#include "narrows/torch/loss_functions.h"

namespace narrows::torched {
namespace {

/// One map of a head: samples x anchors x fields x rows x columns.
struct HeadMap {
  at::Tensor fields;
  /// Shares of the network's input.
  std::vector<Anchor> anchors;
  double scale_xy = 1;

  std::int64_t height() const { return fields.size(3); }
  std::int64_t width() const { return fields.size(4); }
};

HeadMap makeMap(const at::Tensor& output, std::size_t index, const DetectionTask& task) {
  const Head& head = task.head;
  const bool v2 = head.kind == HeadKind::yolov2;
  const std::vector<Anchor>& anchors = head.anchors.at(v2 ? 0 : index);
  const auto count = static_cast<std::int64_t>(anchors.size());
  const std::int64_t fields = 5 + head.classes;
  if (output.dim() != 4 || output.size(1) != count * fields) {
    throw std::runtime_error(
        fmt::format("map {} of the head has not {} anchors of {} fields", index, count, fields));
  }
  HeadMap map;
  map.fields = output.reshape({output.size(0), count, fields, output.size(2), output.size(3)});
  const double unit_x = v2 ? static_cast<double>(output.size(3)) : static_cast<double>(task.width);
  const double unit_y = v2 ? static_cast<double>(output.size(2)) : static_cast<double>(task.height);
  for (const Anchor& anchor : anchors) {
    map.anchors.push_back({anchor.width / unit_x, anchor.height / unit_y});
  }
  if (!v2 && !head.scale_xy.empty()) map.scale_xy = head.scale_xy.at(index);
  return map;
}

/// IoU of two boxes with one centre.
double shapeIou(double w1, double h1, double w2, double h2) {
  const double both = std::min(w1, w2) * std::min(h1, h2);
  return both / (w1 * h1 + w2 * h2 - both);
}

double boxIou(const BoxTarget& a, const BoxTarget& b) {
  const double w =
      std::min(a.cx + a.w / 2, b.cx + b.w / 2) - std::max(a.cx - a.w / 2, b.cx - b.w / 2);
  const double h =
      std::min(a.cy + a.h / 2, b.cy + b.h / 2) - std::max(a.cy - a.h / 2, b.cy - b.h / 2);
  if (w <= 0 || h <= 0) return 0;
  return w * h / (a.w * a.h + b.w * b.h - w * h);
}

/// Anchors that predict boxes: where in a map, and which box.
struct Assigned {
  /// Flat positions in samples x anchors x rows x columns.
  std::vector<std::int64_t> places;
  std::vector<std::int64_t> labels;
  std::vector<double> columns;
  std::vector<double> rows;
  std::vector<double> anchor_w;
  std::vector<double> anchor_h;
  /// cx, cy, w, h of each.
  std::vector<std::array<double, 4>> boxes;
};

void assign(const BoxTarget& box, std::int64_t sample, std::size_t anchor, const HeadMap& map,
            Assigned& assigned) {
  const auto anchors = static_cast<std::int64_t>(map.anchors.size());
  const auto cell = [](double share, std::int64_t count) {
    return std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::floor(share * static_cast<double>(count))), 0, count - 1);
  };
  const std::int64_t x = cell(box.cx, map.width());
  const std::int64_t y = cell(box.cy, map.height());
  const std::int64_t place =
      ((sample * anchors + static_cast<std::int64_t>(anchor)) * map.height() + y) * map.width() + x;
  // Two boxes in one cell with one anchor: the first one has it.
  if (std::find(assigned.places.begin(), assigned.places.end(), place) != assigned.places.end()) {
    return;
  }
  assigned.places.push_back(place);
  assigned.labels.push_back(box.label);
  assigned.columns.push_back(static_cast<double>(x));
  assigned.rows.push_back(static_cast<double>(y));
  assigned.anchor_w.push_back(map.anchors[anchor].width);
  assigned.anchor_h.push_back(map.anchors[anchor].height);
  assigned.boxes.push_back({box.cx, box.cy, box.w, box.h});
}

std::vector<Assigned> assignAll(const std::vector<HeadMap>& maps,
                                std::span<const std::vector<BoxTarget>> boxes,
                                const DetectionTask& task) {
  std::vector<Assigned> assigned(maps.size());
  for (std::size_t n = 0; n < boxes.size(); ++n) {
    for (const BoxTarget& box : boxes[n]) {
      if (box.label < 0 || box.label >= task.head.classes) {
        throw std::runtime_error(
            fmt::format("label {} of {} classes", box.label, task.head.classes));
      }
      if (!(box.w > 0 && box.h > 0)) continue;
      double best = -1;
      std::size_t best_map = 0;
      std::size_t best_anchor = 0;
      for (std::size_t m = 0; m < maps.size(); ++m) {
        for (std::size_t a = 0; a < maps[m].anchors.size(); ++a) {
          const double iou =
              shapeIou(box.w, box.h, maps[m].anchors[a].width, maps[m].anchors[a].height);
          if (iou > task.assign_iou) {
            assign(box, static_cast<std::int64_t>(n), a, maps[m], assigned[m]);
          }
          if (iou > best) {
            best = iou;
            best_map = m;
            best_anchor = a;
          }
        }
      }
      assign(box, static_cast<std::int64_t>(n), best_anchor, maps[best_map], assigned[best_map]);
    }
  }
  return assigned;
}

/// Objectnesses that are punished: 0 where a prediction that is not assigned overlaps a box.
at::Tensor objectMask(const HeadMap& map, std::span<const std::vector<BoxTarget>> boxes,
                      double ignore_iou) {
  const at::Tensor f = map.fields.detach().to(at::kCPU).to(at::kDouble).contiguous();
  const auto anchors = static_cast<std::int64_t>(map.anchors.size());
  const std::int64_t plane = map.height() * map.width();
  const std::int64_t field_count = f.size(2);
  at::Tensor mask = at::ones({f.size(0), anchors, map.height(), map.width()}, at::kDouble);
  const double* values = f.data_ptr<double>();
  double* out = mask.data_ptr<double>();
  const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
  const double shift = 0.5 * (map.scale_xy - 1);
  for (std::int64_t n = 0; n < f.size(0); ++n) {
    for (std::int64_t a = 0; a < anchors; ++a) {
      const double* first = values + (n * anchors + a) * field_count * plane;
      const Anchor& anchor = map.anchors[static_cast<std::size_t>(a)];
      for (std::int64_t i = 0; i < plane; ++i) {
        BoxTarget found;
        found.cx =
            (static_cast<double>(i % map.width()) + sigmoid(first[i]) * map.scale_xy - shift) /
            static_cast<double>(map.width());
        found.cy = (static_cast<double>(i / map.width()) +
                    sigmoid(first[plane + i]) * map.scale_xy - shift) /
                   static_cast<double>(map.height());
        found.w = std::exp(std::min(first[2 * plane + i], 10.0)) * anchor.width;
        found.h = std::exp(std::min(first[3 * plane + i], 10.0)) * anchor.height;
        for (const BoxTarget& box : boxes[static_cast<std::size_t>(n)]) {
          if (boxIou(found, box) > ignore_iou) out[(n * anchors + a) * plane + i] = 0;
        }
      }
    }
  }
  return mask;
}

at::Tensor mapLoss(const HeadMap& map, const Assigned& assigned,
                   std::span<const std::vector<BoxTarget>> boxes, const DetectionTask& task) {
  const at::Tensor& f = map.fields;
  at::Tensor mask = objectMask(map, boxes, task.ignore_iou);
  at::Tensor wanted = at::zeros_like(mask);
  for (const std::int64_t place : assigned.places) {
    mask.data_ptr<double>()[place] = 1;
    wanted.data_ptr<double>()[place] = 1;
  }
  const at::Tensor objectness = f.select(2, 4);
  const at::Tensor object = at::binary_cross_entropy_with_logits(objectness, wanted.to(f.options()),
                                                                 {}, {}, at::Reduction::None) *
                            mask.to(f.options());
  at::Tensor loss = object.sum() * task.object_weight;
  if (assigned.places.empty()) return loss;

  const at::Tensor rows = f.permute({0, 1, 3, 4, 2})
                              .reshape({-1, f.size(2)})
                              .index_select(0, indicesInto(f, assigned.places));
  const auto width = static_cast<double>(map.width());
  const auto height = static_cast<double>(map.height());
  const double shift = 0.5 * (map.scale_xy - 1);
  const std::array<at::Tensor, 4> found = {
      (at::sigmoid(rows.select(1, 0)) * map.scale_xy - shift + column(assigned.columns, f)) / width,
      (at::sigmoid(rows.select(1, 1)) * map.scale_xy - shift + column(assigned.rows, f)) / height,
      at::exp(rows.select(1, 2).clamp_max(10)) * column(assigned.anchor_w, f),
      at::exp(rows.select(1, 3).clamp_max(10)) * column(assigned.anchor_h, f)};
  std::array<at::Tensor, 4> truth;
  for (std::size_t k = 0; k < 4; ++k) {
    std::vector<double> values;
    for (const auto& box : assigned.boxes) values.push_back(box[k]);
    truth[k] = column(values, f);
  }
  const at::Tensor weight = 2 - truth[2] * truth[3];
  loss = loss + (weight * ciouLoss(found, truth)).sum() * task.box_weight;

  const at::Tensor labels = at::tensor(assigned.labels, at::kLong);
  const at::Tensor scores = rows.narrow(1, 5, task.head.classes);
  const bool softmax = task.head.kind == HeadKind::yolov2 && task.head.softmax;
  const at::Tensor one_hot = at::one_hot(labels, task.head.classes).to(f.options());
  const at::Tensor of_class =
      softmax ? -(at::log_softmax(scores, 1) * one_hot).sum()
              : at::binary_cross_entropy_with_logits(scores, one_hot, {}, {}, at::Reduction::Sum);
  return loss + of_class * task.class_weight;
}

}  // namespace

at::Tensor yolo(const Tensors& outputs, std::span<const std::vector<BoxTarget>> boxes,
                const DetectionTask& task) {
  std::vector<HeadMap> maps;
  for (std::size_t m = 0; m < outputs.size(); ++m) maps.push_back(makeMap(outputs[m], m, task));
  if (maps.empty() || maps[0].fields.size(0) != static_cast<std::int64_t>(boxes.size())) {
    throw std::runtime_error("boxes of another number of samples");
  }
  const std::vector<Assigned> assigned = assignAll(maps, boxes, task);
  at::Tensor loss = at::zeros({}, outputs[0].options());
  for (std::size_t m = 0; m < maps.size(); ++m) {
    loss = loss + mapLoss(maps[m], assigned[m], boxes, task);
  }
  return loss / static_cast<double>(boxes.size());
}

}  // namespace narrows::torched
