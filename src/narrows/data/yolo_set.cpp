#include <charconv>
#include <cmath>

#include "narrows/data/files.h"
#include "narrows/data/layouts.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxBoxes = 10'000;
constexpr int kMaxLabel = 99'999;

/// "class cx cy w h", relative to the picture. Segment polygons have more fields and are refused.
Result<TruthBox> parseBox(std::string_view line) {
  const auto fields = splitFields(line, " \t", true);
  if (fields.size() != 5) return makeError("{} fields; expected class cx cy w h", fields.size());
  TruthBox truth;
  const auto label = std::from_chars(fields[0].begin(), fields[0].end(), truth.label);
  if (label.ec != std::errc() || label.ptr != fields[0].end() || truth.label < 0 ||
      truth.label > kMaxLabel) {
    return makeError("class '{}'; expected an integer 0 to {}", fields[0], kMaxLabel);
  }
  double values[4];
  for (std::size_t i = 0; i < 4; ++i) {
    const std::string_view field = fields[i + 1];
    const auto parsed = std::from_chars(field.begin(), field.end(), values[i]);
    // Boxes of cut objects reach a little outside; anything further is pixels, not shares.
    const bool near = std::isfinite(values[i]) && values[i] >= -1 && values[i] <= 2;
    if (parsed.ec != std::errc() || parsed.ptr != field.end() || !near) {
      return makeError("'{}'; expected a share of the picture, 0 to 1", field);
    }
  }
  const auto [cx, cy, w, h] = values;
  if (w < 0 || h < 0) return makeError("a box of {} x {}; expected no negative size", w, h);
  truth.box = {static_cast<float>(cx - w / 2), static_cast<float>(cy - h / 2),
               static_cast<float>(cx + w / 2), static_cast<float>(cy + h / 2)};
  return truth;
}

/// A picture without a label file is one without objects.
Result<std::vector<TruthBox>> readBoxes(const fs::path& path) {
  std::vector<TruthBox> boxes;
  if (!isFile(path)) return boxes;
  NARROWS_TRY(lines, readLines(path, kMaxBoxes));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].find_first_not_of(" \t") == std::string::npos) continue;
    auto box = parseBox(lines[i]);
    if (!box.ok()) return box.takeError().within(fmt::format("{}:{}", path.string(), i + 1));
    boxes.push_back(*box);
  }
  return boxes;
}

/// Names beside the pictures, one a line; none when the set has no such file.
Result<std::vector<std::string>> readNames(const fs::path& path) {
  for (const char* file : {"labels.txt", "classes.txt"}) {
    if (isFile(path / file)) return readLines(path / file, kMaxLabel + 1);
  }
  return std::vector<std::string>{};
}

}  // namespace

Result<DataSet> openYolo(const fs::path& path, const DataOptions& options) {
  NARROWS_TRY(splits, listFolders(path / "images"));
  NARROWS_TRY(split, chooseSplit(path / "images", options.split, splits));
  DataSet set;
  set.truth = TruthKind::boxes;
  set.split = split;
  NARROWS_TRY(names, readNames(path));
  set.labels = options.labels.empty() ? names : options.labels;
  NARROWS_TRY(pictures, listPictures(path / "images" / split));
  for (const fs::path& picture : pictures) {
    DataItem item;
    item.image = picture;
    item.name = picture.stem().string();
    NARROWS_TRY(boxes, readBoxes(path / "labels" / split / (item.name + ".txt")));
    item.boxes = std::move(boxes);
    set.items.push_back(std::move(item));
  }
  return set;
}

}  // namespace narrows
