// Sets whose truth is one class for each picture, and plain pictures.
#include <algorithm>
#include <charconv>
#include <map>

#include "narrows/data/files.h"
#include "narrows/data/layouts.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLabel = 99'999;

DataItem makeItem(const fs::path& image, int label) {
  DataItem item;
  item.image = image;
  item.name = image.stem().string();
  item.label = label;
  return item;
}

Status addFolder(DataSet& set, const fs::path& folder, int label) {
  NARROWS_TRY(pictures, listPictures(folder));
  for (const fs::path& picture : pictures) set.items.push_back(makeItem(picture, label));
  return {};
}

/// Whether the folders hold class folders and not pictures: they are splits then.
bool areSplits(const fs::path& path, const std::vector<std::string>& folders) {
  return !folders.empty() && std::all_of(folders.begin(), folders.end(), [&](const auto& name) {
    return !hasPictures(path / name) && hasFolders(path / name);
  });
}

/// The classes of a Tiny-ImageNet set: synset ids in the order of wnids.txt sorted, which is the
/// order of their folders.
Result<std::vector<std::string>> readSynsets(const fs::path& path) {
  NARROWS_TRY(lines, readLines(path));
  std::vector<std::string> synsets;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    if (!isPlainName(lines[i])) {
      return makeError("{}:{}: expected a synset such as n01443537", path.string(), i + 1);
    }
    synsets.push_back(lines[i]);
  }
  std::sort(synsets.begin(), synsets.end());
  return synsets;
}

Status addTinyTrain(DataSet& set, const fs::path& train) {
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    NARROWS_CHECK(addFolder(set, train / set.labels[i] / "images", static_cast<int>(i)));
  }
  return {};
}

/// val_annotations.txt: "file TAB synset TAB x1 TAB y1 TAB x2 TAB y2".
Status addTinyVal(DataSet& set, const fs::path& val) {
  std::map<std::string, int, std::less<>> indices;
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    indices.emplace(set.labels[i], static_cast<int>(i));
  }
  const fs::path list = val / "val_annotations.txt";
  NARROWS_TRY(lines, readLines(list));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const auto fields = splitFields(lines[i], "\t", false);
    const auto found = fields.size() < 2 ? indices.end() : indices.find(fields[1]);
    if (found == indices.end() || !isPlainName(fields[0])) {
      return makeError("{}:{}: expected a file and one of the {} synsets of wnids.txt",
                       list.string(), i + 1, indices.size());
    }
    set.items.push_back(makeItem(val / "images" / fields[0], found->second));
  }
  return {};
}

}  // namespace

Result<DataSet> openClassFolders(const fs::path& path, const DataOptions& options) {
  NARROWS_TRY(folders, listFolders(path));
  DataSet set;
  set.truth = TruthKind::classes;
  fs::path root = path;
  if (areSplits(path, folders)) {
    NARROWS_TRY(split, chooseSplit(path, options.split, folders));
    set.split = split;
    root = path / split;
  } else if (!options.split.empty()) {
    return makeError("{}: no split '{}'; the folders are classes", path.string(), options.split);
  }
  NARROWS_TRY(classes, listFolders(root));
  set.labels = classes;
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    NARROWS_CHECK(addFolder(set, root / set.labels[i], static_cast<int>(i)));
  }
  return set;
}

Result<DataSet> openTinyImageNet(const fs::path& path, const DataOptions& options) {
  NARROWS_TRY(split, chooseSplit(path, options.split, {"train", "val"}));
  NARROWS_TRY(synsets, readSynsets(path / "wnids.txt"));
  DataSet set;
  set.truth = TruthKind::classes;
  set.split = split;
  set.labels = synsets;
  NARROWS_CHECK(split == "train" ? addTinyTrain(set, path / "train")
                                 : addTinyVal(set, path / "val"));
  return set;
}

Result<DataSet> openLabelsTsv(const fs::path& path, const DataOptions& options) {
  if (!options.split.empty()) {
    return makeError("{}: no split '{}'; a labels.tsv has none", path.string(), options.split);
  }
  const fs::path list = path / "labels.tsv";
  NARROWS_TRY(lines, readLines(list));
  DataSet set;
  set.truth = TruthKind::classes;
  std::map<int, std::string> names;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const auto fields = splitFields(lines[i], "\t", false);
    int label = -1;
    const bool parsed =
        fields.size() == 3 &&
        std::from_chars(fields[0].begin(), fields[0].end(), label).ptr == fields[0].end();
    if (!parsed || label < 0 || label > kMaxLabel || !isPlainName(fields[1])) {
      return makeError("{}:{}: expected class index, file and name, separated by tabs",
                       list.string(), i + 1);
    }
    names.emplace(label, fields[2]);
    set.items.push_back(makeItem(path / "images" / fields[1], label));
  }
  if (!names.empty()) set.labels.resize(static_cast<std::size_t>(names.rbegin()->first) + 1);
  for (auto& [label, name] : names) set.labels[static_cast<std::size_t>(label)] = name;
  return set;
}

Result<DataSet> openPictures(const fs::path& path, const DataOptions& options) {
  if (!options.split.empty()) {
    return makeError("{}: no split '{}'; plain pictures have none", path.string(), options.split);
  }
  DataSet set;
  set.labels = options.labels;
  if (isFile(path)) {
    set.items.push_back(makeItem(path, -1));
    return set;
  }
  NARROWS_CHECK(addFolder(set, path, -1));
  return set;
}

}  // namespace narrows
