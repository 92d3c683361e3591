#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/vision/detection.h"
#include "narrows/vision/image.h"

/// Pictures on disk with what is known about them.
namespace narrows {

enum class DataLayout : std::uint8_t {
  /// Found out from the folder.
  automatic,
  /// images/[SPLIT/]NAME.jpg with labels/[SPLIT/]NAME.txt, lines "class cx cy w h", relative; names
  /// in labels.txt or classes.txt, one a line, if there.
  yolo,
  /// JPEGImages, Annotations and ImageSets/Main/SPLIT.txt, or images and annotations.
  voc,
  /// One folder for each class, its index the alphabetic order; [SPLIT/]CLASS/NAME.jpg.
  class_folders,
  /// train/CLASS/images, val/images with val/val_annotations.txt, wnids.txt.
  tiny_imagenet,
  /// images and labels.tsv with lines "index TAB file TAB name".
  labels_tsv,
  /// One file or a folder of pictures without truth.
  pictures,
};

std::string_view toString(DataLayout layout);
std::optional<DataLayout> parseDataLayout(std::string_view name);

enum class TruthKind : std::uint8_t { none, classes, boxes };

struct TruthBox {
  int label = 0;
  Box box;
  /// VOC: neither needed nor punished.
  bool difficult = false;
  /// COCO: a region of many objects; takes any number of detections, neither needed nor punished.
  bool crowd = false;
  friend bool operator==(const TruthBox&, const TruthBox&) = default;
};

struct DataItem {
  std::filesystem::path image;
  /// File name without extension; unique within a split of most sets.
  std::string name;
  /// Class of the picture where the set has TruthKind::classes, else -1.
  int label = -1;
  std::vector<TruthBox> boxes;
};

struct DataOptions {
  DataLayout layout = DataLayout::automatic;
  /// Empty: val (or val2017, or test) where the set has splits, whole otherwise.
  /// "shuffled:A-B@SEED" (0 <= A < B; without "@SEED": 1) is a split of a set without any: pictures
  /// A to B - 1 of the set that an empty split gives, in an order that depends on their number and
  /// the seed only.
  std::string split = {};
  /// Class names of the model; they fix the indices of VOC names. Empty: the set's own order.
  std::vector<std::string> labels = {};
  /// 0 means all; else the first so many items in order.
  std::size_t limit = 0;
};

struct DataSet {
  DataLayout layout = DataLayout::pictures;
  TruthKind truth = TruthKind::none;
  /// The split that was opened; empty when the set has none.
  std::string split;
  std::vector<std::string> labels;
  /// Ordered by path (or as the set's list says), the same on every machine.
  std::vector<DataItem> items;
};

/// Reads lists and annotations, not the pictures (VOC without sizes reads their headers). Fails
/// with file and line on anything malformed, on a missing split, and on an empty set.
Result<DataSet> openDataSet(const std::filesystem::path& path, const DataOptions& options = {});

/// Reads and decodes one item's picture.
Result<Image> readImage(const std::filesystem::path& path);

}  // namespace narrows
