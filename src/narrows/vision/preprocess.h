#pragma once

#include "narrows/tensor/tensor.h"
#include "narrows/vision/description.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

/// From a picture to a network's input, and back for boxes.
namespace narrows {

/// How the picture lies in the network's input: the part [crop_x, crop_x + crop_width) x [...] of
/// the picture fills [pad_x, pad_x + inner_width) x [...] of the input; all in pixels.
struct PixelMap {
  double crop_x = 0;
  double crop_y = 0;
  double crop_width = 0;
  double crop_height = 0;
  double pad_x = 0;
  double pad_y = 0;
  double inner_width = 0;
  double inner_height = 0;
  ImageSize picture;

  /// A box in pixels of the network's input as a box relative to the picture; not clipped.
  Box toPicture(double x1, double y1, double x2, double y2) const;
};

/// Fails when the picture is empty or the rule would make a picture of more than kMaxPixels on the
/// way.
Result<PixelMap> makePixelMap(const Preprocessing& preprocessing, ImageSize picture);

/// Pillow's resize to `size` in its 8-bit fixed-point arithmetic, bit for bit: `antialias` is
/// Image.resize(size, BILINEAR); `bilinear` samples four neighbours with half-pixel centres
/// whatever the scale (OpenCV's INTER_LINEAR, rounded to nearest).
Image resizeImage(const Image& image, ImageSize size, Resampling resampling);

/// The picture at the network's size under its resize rule, still RGB.
Result<Image> fitImage(const Image& image, const Preprocessing& preprocessing);

/// f32 1 x 3 x height x width in the network's colour order: (sample - mean) * scale, computed in
/// double and rounded once. `fitted` is any 8-bit picture, usually from `fitImage`.
Tensor normalizeImage(const Image& fitted, const Preprocessing& preprocessing);

/// `fitImage`, then `normalizeImage`.
Result<Tensor> preprocess(const Image& image, const Preprocessing& preprocessing);

}  // namespace narrows
