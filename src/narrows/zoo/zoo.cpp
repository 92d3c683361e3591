#include "narrows/zoo/zoo.h"

#include <array>
#include <charconv>

#include "narrows/zoo/alexnet.h"
#include "narrows/zoo/efficientnet_v2.h"
#include "narrows/zoo/googlenet.h"
#include "narrows/zoo/mobilenet_v2.h"
#include "narrows/zoo/resnet.h"
#include "narrows/zoo/squeezenet.h"
#include "narrows/zoo/vgg.h"
#include "narrows/zoo/yolov10.h"
#include "narrows/zoo/yolov2.h"
#include "narrows/zoo/yolov3_tiny.h"

namespace narrows {
namespace {

constexpr std::string_view kPrefix = "zoo:";

constexpr std::array kEntries = {
    ZooEntry{"alexnet", "one tower as in torchvision, 224 pixels, 1000 classes", buildAlexnet},
    ZooEntry{"efficientnetv2-s", "384 pixels, 1000 classes", buildEfficientnetV2S},
    ZooEntry{"googlenet", "Darknet's Extraction, 224 pixels, 1000 classes", buildGooglenet},
    ZooEntry{"mini-yolo", "YOLOv3-tiny at 160 pixels with a quarter of the channels, 8 classes",
             buildMiniYolo},
    ZooEntry{"mobilenetv2", "224 pixels, 1000 classes", buildMobilenetV2},
    ZooEntry{"resnet18", "224 pixels, 1000 classes", buildResnet18},
    ZooEntry{"resnet50", "stride in the 3 x 3 convolutions, 224 pixels, 1000 classes",
             buildResnet50},
    ZooEntry{"squeezenet", "version 1.0, 224 pixels, 1000 classes", buildSqueezenet},
    ZooEntry{"tiny-yolov3", "YOLOv3-tiny, 416 pixels, 80 classes", buildTinyYolov3},
    ZooEntry{"vgg16", "224 pixels, 1000 classes", buildVgg16},
    ZooEntry{"yolov10n", "one-to-one head without suppression, 640 pixels, 80 classes",
             buildYolov10n},
    ZooEntry{"yolov2", "608 pixels, 80 classes", buildYolov2},
};

template <class T>
Result<T> parseNumber(std::string_view text, std::string_view what) {
  T value{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return makeError("{}\"{}\" is no number", what, text);
  return value;
}

Result<const ZooEntry*> findEntry(std::string_view name) {
  std::string known;
  for (const ZooEntry& entry : kEntries) {
    if (entry.name == name) return &entry;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", entry.name);
  }
  return makeError("there is no network \"{}\"; there are {}", name, known);
}

Status parseOption(std::string_view option, ZooOptions& options) {
  const std::size_t equals = option.find('=');
  const std::string_view key = option.substr(0, equals);
  const std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
  if (key == "classes") {
    NARROWS_TRY(classes, parseNumber<std::int64_t>(value, "classes="));
    options.classes = classes;
  } else if (key == "width") {
    NARROWS_TRY(width, parseNumber<double>(value, "width="));
    options.width = width;
  } else {
    return makeError("unknown option \"{}\", expected classes=N or width=F", key);
  }
  return {};
}

Result<ZooName> parseUnprefixed(std::string_view rest) {
  const std::size_t comma = rest.find(',');
  const std::string_view head = rest.substr(0, comma);
  const std::size_t at = head.find('@');
  ZooName name;
  name.name = head.substr(0, at);
  if (at != std::string_view::npos) {
    NARROWS_TRY(size, parseNumber<std::int64_t>(head.substr(at + 1), "size "));
    if (size < 1) return makeError("size {} is not positive", size);
    name.options.size = size;
  }
  rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  while (!rest.empty() || comma != std::string_view::npos) {
    const std::size_t next = rest.find(',');
    NARROWS_CHECK(parseOption(rest.substr(0, next), name.options));
    if (next == std::string_view::npos) break;
    rest.remove_prefix(next + 1);
  }
  NARROWS_CHECK(findEntry(name.name));
  return name;
}

}  // namespace

std::span<const ZooEntry> zooEntries() {
  return kEntries;
}

Result<ZooName> parseZooName(std::string_view text) {
  if (!text.starts_with(kPrefix))
    return makeError("{}: expected zoo:NAME[@SIZE][,classes=N][,width=F]", text);
  return parseUnprefixed(text.substr(kPrefix.size())).within(text);
}

Result<ZooModel> buildZooModel(std::string_view text, std::uint64_t seed, bool weights) {
  NARROWS_TRY(name, parseZooName(text));
  NARROWS_TRY(entry, findEntry(name.name));
  name.options.seed = seed;
  name.options.weights = weights;
  return entry->build(name.options).within(text);
}

}  // namespace narrows
