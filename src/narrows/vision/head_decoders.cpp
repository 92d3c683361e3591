#include "narrows/vision/head_decoders.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace narrows {

void Candidates::addCorners(std::int64_t label, float score, float x1, float y1, float x2,
                            float y2) {
  const Box box = input_.map.toPicture(x1, y1, x2, y2);
  const bool finite = std::isfinite(score) && std::isfinite(box.x1) && std::isfinite(box.y1) &&
                      std::isfinite(box.x2) && std::isfinite(box.y2);
  if (finite) detections_.push_back({static_cast<int>(label), score, box});
}

float sigmoid(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

Status checkOutput(const HeadInput& input, std::size_t index,
                   std::initializer_list<std::int64_t> extents) {
  const TensorView& output = input.outputs[index];
  bool same = output.dtype() == DType::f32 && output.shape().rank() == extents.size();
  std::string expected;
  std::size_t axis = 0;
  for (std::int64_t extent : extents) {
    same = same && (extent < 0 || output.shape()[axis] == extent);
    expected.append(axis == 0 ? "" : "x").append(extent < 0 ? "?" : std::to_string(extent));
    ++axis;
  }
  if (same) return {};
  return makeError("output {} is {} {}; a {} head of {} classes needs f32 {}", index,
                   toString(output.dtype()), toString(output.shape()), toString(input.head.kind),
                   input.head.classes, expected);
}

namespace {

/// The planes of a map laid out (1, fields, H, W), read at one cell.
struct Cell {
  const float* first;
  std::int64_t plane;
  float operator[](std::int64_t field) const { return first[field * plane]; }
};

std::int64_t argMax(const Cell& cell, std::int64_t begin, std::int64_t count) {
  std::int64_t best = 0;
  for (std::int64_t k = 1; k < count; ++k) {
    if (cell[begin + k] > cell[begin + best]) best = k;
  }
  return best;
}

/// Class scores of one YOLOv2 box: softmax over its classes.
void softmaxScores(const Cell& cell, std::int64_t begin, std::span<float> scores) {
  float largest = cell[begin];
  for (std::size_t k = 1; k < scores.size(); ++k) {
    largest = std::max(largest, cell[begin + static_cast<std::int64_t>(k)]);
  }
  float sum = 0;
  for (std::size_t k = 0; k < scores.size(); ++k) {
    scores[k] = std::exp(cell[begin + static_cast<std::int64_t>(k)] - largest);
    sum += scores[k];
  }
  for (float& score : scores) score /= sum;
}

/// How one map of a Darknet head is read; fields of an anchor are tx ty tw th objectness classes.
struct DarknetMap {
  TensorView output;
  std::span<const Anchor> anchors;
  /// Pixels of the network's input that one unit of an anchor is, across and down.
  float anchor_x = 1;
  float anchor_y = 1;
  float scale_xy = 1;
  bool softmax = false;
};

void decodeDarknetMap(const HeadInput& input, const DarknetMap& map, Candidates& candidates) {
  const std::int64_t classes = input.head.classes;
  const std::int64_t height = map.output.shape()[2];
  const std::int64_t width = map.output.shape()[3];
  const std::int64_t plane = height * width;
  const float step_x = static_cast<float>(input.network.width) / static_cast<float>(width);
  const float step_y = static_cast<float>(input.network.height) / static_cast<float>(height);
  const float shift = 0.5F * (map.scale_xy - 1.0F);
  const float* values = map.output.as<float>().data();
  std::vector<float> scores(map.softmax ? static_cast<std::size_t>(classes) : 0);
  for (std::size_t a = 0; a < map.anchors.size(); ++a) {
    const float* first = values + static_cast<std::int64_t>(a) * (5 + classes) * plane;
    for (std::int64_t i = 0; i < plane; ++i) {
      const Cell cell{first + i, plane};
      const float objectness = sigmoid(cell[4]);
      if (!candidates.wants(objectness)) continue;
      const float column = static_cast<float>(i % width);
      const float row = static_cast<float>(i / width);
      const float cx = (column + sigmoid(cell[0]) * map.scale_xy - shift) * step_x;
      const float cy = (row + sigmoid(cell[1]) * map.scale_xy - shift) * step_y;
      const float w = std::exp(cell[2]) * static_cast<float>(map.anchors[a].width) * map.anchor_x;
      const float h = std::exp(cell[3]) * static_cast<float>(map.anchors[a].height) * map.anchor_y;
      if (map.softmax) softmaxScores(cell, 5, scores);
      for (std::int64_t k = 0; k < classes; ++k) {
        const float of_class =
            map.softmax ? scores[static_cast<std::size_t>(k)] : sigmoid(cell[5 + k]);
        const float score = objectness * of_class;
        if (candidates.wants(score)) candidates.addCentered(k, score, cx, cy, w, h);
      }
    }
  }
}

Status checkDarknetMap(const HeadInput& input, std::size_t index, std::size_t anchors) {
  const auto fields = static_cast<std::int64_t>(anchors) * (5 + input.head.classes);
  return checkOutput(input, index, {1, fields, -1, -1});
}

}  // namespace

// Darknet, region_layer.c: anchors count cells.
Result<std::vector<Detection>> decodeYoloV2(const HeadInput& input) {
  const std::vector<Anchor>& anchors = input.head.anchors.front();
  NARROWS_CHECK(checkDarknetMap(input, 0, anchors.size()));
  const Shape& shape = input.outputs[0].shape();
  DarknetMap map{input.outputs[0], anchors, 1, 1, 1, input.head.softmax};
  map.anchor_x = static_cast<float>(input.network.width) / static_cast<float>(shape[3]);
  map.anchor_y = static_cast<float>(input.network.height) / static_cast<float>(shape[2]);
  Candidates candidates(input);
  decodeDarknetMap(input, map, candidates);
  return std::move(candidates).take();
}

// Darknet, yolo_layer.c: anchors count pixels of the network's input.
Result<std::vector<Detection>> decodeYoloV3(const HeadInput& input) {
  Candidates candidates(input);
  for (std::size_t m = 0; m < input.outputs.size(); ++m) {
    const std::vector<Anchor>& anchors = input.head.anchors[m];
    NARROWS_CHECK(checkDarknetMap(input, m, anchors.size()));
    DarknetMap map{input.outputs[m], anchors, 1, 1, 1, false};
    if (!input.head.scale_xy.empty()) map.scale_xy = static_cast<float>(input.head.scale_xy[m]);
    decodeDarknetMap(input, map, candidates);
  }
  return std::move(candidates).take();
}

// YOLOX (Ge et al. 2021), demo_utils.py: centre (out + cell) * stride, size exp(out) * stride;
// objectness and classes are already sigmoids. One class for each row.
Result<std::vector<Detection>> decodeYolox(const HeadInput& input) {
  const std::int64_t classes = input.head.classes;
  std::int64_t rows = 0;
  for (std::int64_t stride : input.head.strides) {
    rows += (input.network.width / stride) * (input.network.height / stride);
  }
  NARROWS_CHECK(checkOutput(input, 0, {1, rows, 5 + classes}));
  Candidates candidates(input);
  const float* values = input.outputs[0].as<float>().data();
  for (std::int64_t stride : input.head.strides) {
    const std::int64_t width = input.network.width / stride;
    const std::int64_t height = input.network.height / stride;
    const auto step = static_cast<float>(stride);
    for (std::int64_t i = 0; i < width * height; ++i, values += 5 + classes) {
      if (!candidates.wants(values[4])) continue;
      const std::int64_t label = argMax(Cell{values, 1}, 5, classes);
      const float score = values[4] * values[5 + label];
      if (!candidates.wants(score)) continue;
      candidates.addCentered(label, score, (values[0] + static_cast<float>(i % width)) * step,
                             (values[1] + static_cast<float>(i / width)) * step,
                             std::exp(values[2]) * step, std::exp(values[3]) * step);
    }
  }
  return std::move(candidates).take();
}

// FastestDet, utils/tool.py: fields are objectness, x, y, w, h, classes; the score is
// objectness^0.6 * class^0.4, offsets go through tanh, sizes through a sigmoid of the whole input.
Result<std::vector<Detection>> decodeFastestDet(const HeadInput& input) {
  const std::int64_t classes = input.head.classes;
  NARROWS_CHECK(checkOutput(input, 0, {1, 5 + classes, -1, -1}));
  const std::int64_t height = input.outputs[0].shape()[2];
  const std::int64_t width = input.outputs[0].shape()[3];
  const auto input_width = static_cast<float>(input.network.width);
  const auto input_height = static_cast<float>(input.network.height);
  const float* values = input.outputs[0].as<float>().data();
  Candidates candidates(input);
  for (std::int64_t i = 0; i < width * height; ++i) {
    const Cell cell{values + i, width * height};
    const std::int64_t label = argMax(cell, 5, classes);
    const float score = std::pow(cell[0], 0.6F) * std::pow(cell[5 + label], 0.4F);
    if (!candidates.wants(score)) continue;
    const float cx = (static_cast<float>(i % width) + std::tanh(cell[1])) * input_width /
                     static_cast<float>(width);
    const float cy = (static_cast<float>(i / width) + std::tanh(cell[2])) * input_height /
                     static_cast<float>(height);
    candidates.addCentered(label, score, cx, cy, sigmoid(cell[3]) * input_width,
                           sigmoid(cell[4]) * input_height);
  }
  return std::move(candidates).take();
}

namespace {

/// Scores (1, N, class_offset + classes); calls `add(row, label, score)` for those wanted.
template <class Add>
void forEachScore(const HeadInput& input, const Candidates& candidates, Add add) {
  const std::int64_t offset = input.head.class_offset;
  const std::int64_t width = offset + input.head.classes;
  const std::int64_t rows = input.outputs[0].shape()[1];
  const float* scores = input.outputs[0].as<float>().data();
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t label = 0; label < input.head.classes; ++label) {
      const float score = scores[row * width + offset + label];
      if (candidates.wants(score)) add(row, label, score);
    }
  }
}

Status checkScoresAndBoxes(const HeadInput& input) {
  NARROWS_CHECK(checkOutput(input, 0, {1, -1, input.head.class_offset + input.head.classes}));
  return checkOutput(input, 1, {1, input.outputs[0].shape()[1], 4});
}

/// Centre and size in pixels of the network's input.
struct Prior {
  float cx = 0;
  float cy = 0;
  float width = 0;
  float height = 0;
};

// Ultra-Light-Fast-Generic-Face-Detector, vision/utils/box_utils.py: one square for each size in
// each cell, all clipped to the input.
std::vector<Prior> makePriors(const HeadInput& input) {
  const auto input_width = static_cast<float>(input.network.width);
  const auto input_height = static_cast<float>(input.network.height);
  std::vector<Prior> priors;
  for (std::size_t m = 0; m < input.head.strides.size(); ++m) {
    const std::int64_t stride = input.head.strides[m];
    const std::int64_t columns = (input.network.width + stride - 1) / stride;
    const std::int64_t rows = (input.network.height + stride - 1) / stride;
    for (std::int64_t i = 0; i < columns * rows; ++i) {
      const float cx = (static_cast<float>(i % columns) + 0.5F) / static_cast<float>(columns);
      const float cy = (static_cast<float>(i / columns) + 0.5F) / static_cast<float>(rows);
      for (const Anchor& size : input.head.anchors[m]) {
        priors.push_back({cx * input_width, cy * input_height,
                          std::min(static_cast<float>(size.width), input_width),
                          std::min(static_cast<float>(size.height), input_height)});
      }
    }
  }
  return priors;
}

std::int64_t priorCount(const HeadInput& input) {
  std::int64_t count = 0;
  for (std::size_t m = 0; m < input.head.strides.size(); ++m) {
    const std::int64_t stride = input.head.strides[m];
    count += ((input.network.width + stride - 1) / stride) *
             ((input.network.height + stride - 1) / stride) *
             static_cast<std::int64_t>(input.head.anchors[m].size());
  }
  return count;
}

}  // namespace

Result<std::vector<Detection>> decodeUltraFace(const HeadInput& input) {
  NARROWS_CHECK(checkScoresAndBoxes(input));
  const auto width = static_cast<float>(input.network.width);
  const auto height = static_cast<float>(input.network.height);
  const float* boxes = input.outputs[1].as<float>().data();
  Candidates candidates(input);
  forEachScore(input, candidates, [&](std::int64_t row, std::int64_t label, float score) {
    const float* box = boxes + row * 4;
    candidates.addCorners(label, score, box[0] * width, box[1] * height, box[2] * width,
                          box[3] * height);
  });
  return std::move(candidates).take();
}

// SSD (Liu et al. 2016) with variances 0.1 and 0.2.
Result<std::vector<Detection>> decodeUltraFaceSsd(const HeadInput& input) {
  const std::int64_t rows = priorCount(input);
  NARROWS_CHECK(checkOutput(input, 0, {1, rows, input.head.class_offset + input.head.classes}));
  NARROWS_CHECK(checkScoresAndBoxes(input));
  const std::vector<Prior> priors = makePriors(input);
  const float* offsets = input.outputs[1].as<float>().data();
  Candidates candidates(input);
  forEachScore(input, candidates, [&](std::int64_t row, std::int64_t label, float score) {
    const float* offset = offsets + row * 4;
    const Prior& prior = priors[static_cast<std::size_t>(row)];
    candidates.addCentered(label, score, prior.cx + 0.1F * offset[0] * prior.width,
                           prior.cy + 0.1F * offset[1] * prior.height,
                           prior.width * std::exp(0.2F * offset[2]),
                           prior.height * std::exp(0.2F * offset[3]));
  });
  return std::move(candidates).take();
}

Result<std::vector<Detection>> decodeNmsFree(const HeadInput& input) {
  NARROWS_CHECK(checkOutput(input, 0, {1, -1, 6}));
  Candidates candidates(input);
  const float* row = input.outputs[0].as<float>().data();
  for (std::int64_t i = 0; i < input.outputs[0].shape()[1]; ++i, row += 6) {
    if (!candidates.wants(row[4])) continue;
    const float label = std::round(row[5]);
    // Written so that NaN fails it.
    if (!(label >= 0 && label < static_cast<float>(input.head.classes))) continue;
    candidates.addCorners(static_cast<std::int64_t>(label), row[4], row[0], row[1], row[2], row[3]);
  }
  return std::move(candidates).take();
}

// YOLOv10 (Wang et al. 2024), v10Detect: distances from the middle of a cell; every class of a cell
// is a candidate, and the best of all are kept.
Result<std::vector<Detection>> decodeYoloV10(const HeadInput& input) {
  const std::int64_t classes = input.head.classes;
  std::int64_t cells = 0;
  for (std::int64_t stride : input.head.strides) {
    cells += (input.network.width / stride) * (input.network.height / stride);
  }
  NARROWS_CHECK(checkOutput(input, 0, {1, 4 + classes, cells}));
  Candidates candidates(input);
  const float* values = input.outputs[0].as<float>().data();
  for (std::int64_t stride : input.head.strides) {
    const std::int64_t width = input.network.width / stride;
    const std::int64_t height = input.network.height / stride;
    const auto step = static_cast<float>(stride);
    for (std::int64_t i = 0; i < width * height; ++i, ++values) {
      const Cell cell{values, cells};
      const float x = static_cast<float>(i % width) + 0.5F;
      const float y = static_cast<float>(i / width) + 0.5F;
      for (std::int64_t k = 0; k < classes; ++k) {
        if (!candidates.wants(cell[4 + k])) continue;
        candidates.addCorners(k, cell[4 + k], (x - cell[0]) * step, (y - cell[1]) * step,
                              (x + cell[2]) * step, (y + cell[3]) * step);
      }
    }
  }
  return std::move(candidates).take();
}

}  // namespace narrows
