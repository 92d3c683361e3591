#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <pugixml.hpp>

#include "narrows/base/file.h"
#include "narrows/data/files.h"
#include "narrows/data/layouts.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxXml = std::size_t{4} << 20;
constexpr std::size_t kMaxObjects = 10'000;
constexpr double kMaxExtent = 1e6;

/// Folders of one set: VOC's own names or the plain ones that labelling tools use.
struct VocFolders {
  fs::path pictures;
  fs::path annotations;
  fs::path lists;
};

VocFolders findFolders(const fs::path& path) {
  if (isFolder(path / "JPEGImages")) {
    return {path / "JPEGImages", path / "Annotations", path / "ImageSets" / "Main"};
  }
  return {path / "images", path / "annotations", path / "ImageSets" / "Main"};
}

/// An object before its class has an index.
struct NamedBox {
  std::string name;
  TruthBox truth;
};

struct Annotation {
  DataItem item;
  std::vector<NamedBox> objects;
};

Result<double> readNumber(const pugi::xml_node& parent, const char* name, double low, double high) {
  const pugi::xml_node node = parent.child(name);
  if (!node) return makeError("offset {}: <{}> is missing", parent.offset_debug(), name);
  char* end = nullptr;
  const char* text = node.text().get();
  const double value = std::strtod(text, &end);
  if (end == text || !std::isfinite(value) || value < low || value > high) {
    return makeError("offset {}: <{}> is '{}'; expected a number {} to {}", node.offset_debug(),
                     name, std::string_view(text).substr(0, 40), low, high);
  }
  return value;
}

/// The size that the file states; pictures whose tool left it at 0 are asked themselves.
Result<ImageSize> readSize(const pugi::xml_node& root, const fs::path& picture) {
  const pugi::xml_node size = root.child("size");
  if (size) {
    NARROWS_TRY(width, readNumber(size, "width", 0, kMaxExtent));
    NARROWS_TRY(height, readNumber(size, "height", 0, kMaxExtent));
    if (width >= 1 && height >= 1) {
      return ImageSize{static_cast<std::int64_t>(width), static_cast<std::int64_t>(height)};
    }
  }
  NARROWS_TRY(file, readFile(picture));
  return readImageSize(file).within(picture.string());
}

/// VOC counts pixels from 1 and both corners belong to the box, so it reaches from the left edge of
/// xmin - 1 to the right edge of xmax - 1 (Everingham et al. 2010).
Result<NamedBox> readObject(const pugi::xml_node& object, ImageSize size) {
  NamedBox named;
  named.name = object.child("name").text().get();
  if (named.name.empty() || named.name.size() > 255) {
    return makeError("offset {}: an object needs a <name> of 1 to 255 bytes",
                     object.offset_debug());
  }
  named.truth.difficult = object.child("difficult").text().as_int() != 0;
  const pugi::xml_node corners = object.child("bndbox");
  if (!corners) return makeError("offset {}: <bndbox> is missing", object.offset_debug());
  NARROWS_TRY(x1, readNumber(corners, "xmin", -kMaxExtent, kMaxExtent));
  NARROWS_TRY(y1, readNumber(corners, "ymin", -kMaxExtent, kMaxExtent));
  NARROWS_TRY(x2, readNumber(corners, "xmax", -kMaxExtent, kMaxExtent));
  NARROWS_TRY(y2, readNumber(corners, "ymax", -kMaxExtent, kMaxExtent));
  if (x2 < x1 || y2 < y1) {
    return makeError("offset {}: box {} {} {} {} ends before it begins", corners.offset_debug(), x1,
                     y1, x2, y2);
  }
  const auto width = static_cast<double>(size.width);
  const auto height = static_cast<double>(size.height);
  named.truth.box = {static_cast<float>((x1 - 1) / width), static_cast<float>((y1 - 1) / height),
                     static_cast<float>(x2 / width), static_cast<float>(y2 / height)};
  return named;
}

/// The picture that an annotation belongs to: its own <filename> without any folder, else the
/// picture of the same stem. Authors' folders and paths are not looked at.
std::optional<fs::path> findPicture(const VocFolders& folders, const pugi::xml_node& root,
                                    const std::string& stem) {
  const std::string stated = root.child("filename").text().get();
  if (isPlainName(stated) && isPicture(stated) && isFile(folders.pictures / stated)) {
    return folders.pictures / stated;
  }
  for (const char* extension : {".jpg", ".jpeg", ".png", ".JPG", ".JPEG", ".PNG"}) {
    fs::path candidate = folders.pictures / (stem + extension);
    if (isFile(candidate)) return candidate;
  }
  return std::nullopt;
}

Result<Annotation> readAnnotation(const VocFolders& folders, const std::string& stem) {
  const fs::path path = folders.annotations / (stem + ".xml");
  NARROWS_TRY(text, readTextFile(path, kMaxXml));
  pugi::xml_document document;
  // parse_minimal: no entities beyond the standard ones, no document types, nothing is fetched.
  const auto parsed =
      document.load_buffer(text.data(), text.size(), pugi::parse_minimal | pugi::parse_escapes);
  if (!parsed) {
    return makeError("{}: offset {}: {}", path.string(), parsed.offset, parsed.description());
  }
  const pugi::xml_node root = document.child("annotation");
  if (!root) return makeError("{}: the root element is not <annotation>", path.string());
  const auto picture = findPicture(folders, root, stem);
  if (!picture) {
    return makeError("{}: no picture for it in {}", path.string(), folders.pictures.string());
  }
  Annotation annotation;
  annotation.item.image = *picture;
  annotation.item.name = stem;
  auto size = readSize(root, *picture);
  if (!size.ok()) return size.takeError().within(path.string());
  for (const pugi::xml_node& object : root.children("object")) {
    if (annotation.objects.size() == kMaxObjects) {
      return makeError("{}: more than {} objects", path.string(), kMaxObjects);
    }
    auto named = readObject(object, *size);
    if (!named.ok()) return named.takeError().within(path.string());
    annotation.objects.push_back(std::move(*named));
  }
  return annotation;
}

/// Splits are the lists NAME.txt; CLASS_SPLIT.txt lists of VOC's classification task count too, but
/// nobody asks for them.
Result<std::vector<std::string>> listSplits(const fs::path& lists) {
  std::vector<std::string> splits;
  std::error_code error;
  fs::directory_iterator it(lists, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (it->path().extension() == ".txt") splits.push_back(it->path().stem().string());
  }
  std::sort(splits.begin(), splits.end());
  return splits;
}

Result<std::vector<std::string>> stemsOfSplit(const fs::path& list) {
  NARROWS_TRY(lines, readLines(list));
  std::vector<std::string> stems;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto fields = splitFields(lines[i], " \t", true);
    if (fields.empty()) continue;
    if (!isPlainName(fields[0])) {
      return makeError("{}:{}: expected the name of a picture", list.string(), i + 1);
    }
    stems.emplace_back(fields[0]);
  }
  return stems;
}

Result<std::vector<std::string>> stemsOfFolder(const fs::path& folder) {
  std::vector<std::string> stems;
  std::error_code error;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    if (it->path().extension() == ".xml") stems.push_back(it->path().stem().string());
    if (stems.size() > kMaxEntries) return makeError("{}: too many files", folder.string());
  }
  if (error) return makeError("{}: {}", folder.string(), error.message());
  std::sort(stems.begin(), stems.end());
  return stems;
}

/// Without names from the model, the set's own in alphabetic order.
std::vector<std::string> collectLabels(const std::vector<Annotation>& annotations) {
  std::vector<std::string> labels;
  for (const Annotation& annotation : annotations) {
    for (const NamedBox& object : annotation.objects) labels.push_back(object.name);
  }
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

Status assignLabels(DataSet& set, std::vector<Annotation> annotations) {
  std::map<std::string, int, std::less<>> indices;
  for (std::size_t i = 0; i < set.labels.size(); ++i) {
    indices.emplace(set.labels[i], static_cast<int>(i));
  }
  for (Annotation& annotation : annotations) {
    for (NamedBox& object : annotation.objects) {
      const auto found = indices.find(object.name);
      if (found == indices.end()) {
        return makeError("{}: object '{}' is none of the {} labels", annotation.item.name,
                         object.name, set.labels.size());
      }
      object.truth.label = found->second;
      annotation.item.boxes.push_back(object.truth);
    }
    set.items.push_back(std::move(annotation.item));
  }
  return {};
}

}  // namespace

Result<DataSet> openVoc(const fs::path& path, const DataOptions& options) {
  const VocFolders folders = findFolders(path);
  NARROWS_TRY(splits, listSplits(folders.lists));
  NARROWS_TRY(split, chooseSplit(path, options.split, splits));
  NARROWS_TRY(stems, split.empty() ? stemsOfFolder(folders.annotations)
                                   : stemsOfSplit(folders.lists / (split + ".txt")));
  std::vector<Annotation> annotations;
  for (const std::string& stem : stems) {
    NARROWS_TRY(annotation, readAnnotation(folders, stem));
    annotations.push_back(std::move(annotation));
  }
  DataSet set;
  set.truth = TruthKind::boxes;
  set.split = split;
  set.labels = options.labels.empty() ? collectLabels(annotations) : options.labels;
  NARROWS_CHECK(assignLabels(set, std::move(annotations)));
  return set;
}

}  // namespace narrows
