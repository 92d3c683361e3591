#include "narrows/data/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <random>
#include <utility>

#include "narrows/base/file.h"
#include "narrows/data/files.h"
#include "narrows/data/layouts.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, DataLayout>, 7> kLayouts = {{
    {"auto", DataLayout::automatic},
    {"yolo", DataLayout::yolo},
    {"voc", DataLayout::voc},
    {"class-folders", DataLayout::class_folders},
    {"tiny-imagenet", DataLayout::tiny_imagenet},
    {"labels-tsv", DataLayout::labels_tsv},
    {"pictures", DataLayout::pictures},
}};

/// Whether a folder below `path`, or `path` itself, holds a file of this extension.
bool holdsFiles(const fs::path& path, std::string_view extension) {
  const auto matches = [extension](const fs::path& folder) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() == extension) return true;
    }
    return false;
  };
  if (matches(path)) return true;
  std::error_code error;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    if (it->is_directory(error) && matches(it->path())) return true;
  }
  return false;
}

DataLayout detectLayout(const fs::path& path) {
  if (!isFolder(path)) return DataLayout::pictures;
  if (isFile(path / "wnids.txt") && isFolder(path / "val")) return DataLayout::tiny_imagenet;
  if (isFile(path / "labels.tsv")) return DataLayout::labels_tsv;
  if (isFolder(path / "images") && holdsFiles(path / "labels", ".txt")) return DataLayout::yolo;
  if (isFolder(path / "JPEGImages") && isFolder(path / "Annotations")) return DataLayout::voc;
  if (isFolder(path / "images") && holdsFiles(path / "annotations", ".xml")) {
    return DataLayout::voc;
  }
  if (hasPictures(path)) return DataLayout::pictures;
  return hasFolders(path) ? DataLayout::class_folders : DataLayout::pictures;
}

Result<DataSet> openLayout(const fs::path& path, DataLayout layout, const DataOptions& options) {
  switch (layout) {
    case DataLayout::yolo:
      return openYolo(path, options);
    case DataLayout::voc:
      return openVoc(path, options);
    case DataLayout::class_folders:
      return openClassFolders(path, options);
    case DataLayout::tiny_imagenet:
      return openTinyImageNet(path, options);
    case DataLayout::labels_tsv:
      return openLabelsTsv(path, options);
    case DataLayout::automatic:
    case DataLayout::pictures:
      break;
  }
  return openPictures(path, options);
}

/// Pictures `begin` to `end` - 1 of a shuffled set.
struct ShuffledRange {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::uint64_t seed = 1;
};

constexpr std::string_view kShuffled = "shuffled:";

/// Nothing when the text has another form.
std::optional<ShuffledRange> parseShuffled(std::string_view text) {
  ShuffledRange range;
  const char* at = text.data() + kShuffled.size();
  const char* const end = text.data() + text.size();
  const auto number = [&](auto& value) {
    const auto [rest, error] = std::from_chars(at, end, value);
    at = rest;
    return error == std::errc();
  };
  if (!number(range.begin) || at == end || *at++ != '-' || !number(range.end)) return std::nullopt;
  if (at != end && (*at++ != '@' || !number(range.seed))) return std::nullopt;
  if (at != end || range.begin >= range.end) return std::nullopt;
  return range;
}

/// Fisher-Yates, spelt out because the order of `std::shuffle` is the library's own choice.
void shuffle(std::vector<DataItem>& items, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random() % i]);
}

Result<DataSet> openShuffled(const fs::path& path, const DataOptions& options) {
  const auto range = parseShuffled(options.split);
  if (!range) {
    return makeError("split \"{}\": expected shuffled:A-B or shuffled:A-B@SEED with A < B",
                     options.split);
  }
  DataOptions whole = options;
  whole.split.clear();
  whole.limit = 0;
  NARROWS_TRY(set, openDataSet(path, whole));
  if (range->end > set.items.size()) {
    return makeError("{}: split \"{}\" of a set of {} pictures", path.string(), options.split,
                     set.items.size());
  }
  shuffle(set.items, range->seed);
  set.items.erase(set.items.begin() + static_cast<std::ptrdiff_t>(range->end), set.items.end());
  set.items.erase(set.items.begin(), set.items.begin() + static_cast<std::ptrdiff_t>(range->begin));
  if (options.limit > 0 && set.items.size() > options.limit) set.items.resize(options.limit);
  set.split = options.split;
  return std::move(set);
}

}  // namespace

std::string_view toString(DataLayout layout) {
  for (const auto& [name, value] : kLayouts) {
    if (value == layout) return name;
  }
  NARROWS_ASSERT(false);
  return {};
}

std::optional<DataLayout> parseDataLayout(std::string_view name) {
  for (const auto& [known, layout] : kLayouts) {
    if (known == name) return layout;
  }
  return std::nullopt;
}

Result<DataSet> openDataSet(const fs::path& path, const DataOptions& options) {
  if (options.split.starts_with(kShuffled)) return openShuffled(path, options);
  if (!isFolder(path) && !isFile(path)) {
    return makeError("{}: neither a file nor a folder", path.string());
  }
  const DataLayout layout =
      options.layout == DataLayout::automatic ? detectLayout(path) : options.layout;
  if (layout != DataLayout::pictures && !isFolder(path)) {
    return makeError("{}: a {} data set is a folder", path.string(), toString(layout));
  }
  NARROWS_TRY(set, openLayout(path, layout, options));
  set.layout = layout;
  if (set.items.empty()) {
    return makeError("{}: no pictures (.jpg, .jpeg, .png) in a {} data set", path.string(),
                     toString(layout));
  }
  if (options.limit > 0 && set.items.size() > options.limit) set.items.resize(options.limit);
  return std::move(set);
}

Result<Image> readImage(const fs::path& path) {
  constexpr std::size_t kMaxFile = std::size_t{512} << 20;
  NARROWS_TRY(file, readFile(path, kMaxFile));
  return decodeImage(file).within(path.string());
}

}  // namespace narrows
