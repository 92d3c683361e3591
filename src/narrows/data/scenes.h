#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/data/dataset.h"
#include "narrows/vision/image.h"

namespace narrows {

/// Drawn pictures with known contents, for trying things out where no data set is at hand.
struct SceneOptions {
  std::size_t count = 16;
  /// Pixels; 32 to 4096 each.
  ImageSize size{320, 240};
  /// Objects in a picture: 1 to this.
  int most_objects = 5;
  std::uint64_t seed = 1;
};

struct Scene {
  Image image;
  std::vector<TruthBox> boxes;
};

/// Names of what is drawn: a kind of shape in a colour each; the index is the label.
std::span<const std::string_view> sceneLabels();

/// One picture: shapes, shaded and partly over one another, on a ground with a gradient, stripes
/// and noise. The same generator state gives the same picture on every machine.
Scene drawScene(ImageSize size, int most_objects, std::mt19937_64& random);

/// Draws pictures into `folder`, which must not exist, as a YOLO-txt set: images/sceneNNNN.jpg
/// (quality 90), labels/sceneNNNN.txt and labels.txt with one name a line.
Status writeScenes(const std::filesystem::path& folder, const SceneOptions& options);

}  // namespace narrows
