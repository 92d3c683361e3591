#pragma once

#include <vector>

namespace narrows {

/// Corners relative to the picture: x by its width, y by its height. 0..1 inside the picture.
struct Box {
  float x1 = 0;
  float y1 = 0;
  float x2 = 0;
  float y2 = 0;

  /// 0 when the corners are out of order.
  float area() const { return x2 > x1 && y2 > y1 ? (x2 - x1) * (y2 - y1) : 0.0F; }
  friend bool operator==(const Box&, const Box&) = default;
};

/// Area of the intersection over the area of the union; 0 when both are empty.
float intersectionOverUnion(const Box& a, const Box& b);

struct Detection {
  int label = 0;
  float score = 0;
  Box box;
  friend bool operator==(const Detection&, const Detection&) = default;
};

struct ClassScore {
  int label = 0;
  float score = 0;
  friend bool operator==(const ClassScore&, const ClassScore&) = default;
};

/// What a model says about one picture.
struct Prediction {
  /// Best score first.
  std::vector<Detection> detections;
  /// Up to five, best first.
  std::vector<ClassScore> classes;
  friend bool operator==(const Prediction&, const Prediction&) = default;
};

}  // namespace narrows
