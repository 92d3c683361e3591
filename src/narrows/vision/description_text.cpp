#include <fmt/format.h>

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include <array>
#include <iterator>
#include <set>
#include <utility>

#include "narrows/vision/description.h"

namespace narrows {
namespace {

constexpr std::size_t kMaxText = std::size_t{8} << 20;
constexpr std::size_t kMaxEntries = 100'000;
constexpr std::size_t kMaxString = 1000;

template <class E, std::size_t N>
using EnumTable = std::array<std::pair<std::string_view, E>, N>;

constexpr EnumTable<ResizeRule, 3> kRules = {{{"stretch", ResizeRule::stretch},
                                              {"letterbox", ResizeRule::letterbox},
                                              {"crop", ResizeRule::crop}}};
constexpr EnumTable<LetterboxAnchor, 2> kLetterboxAnchors = {
    {{"center", LetterboxAnchor::center}, {"top_left", LetterboxAnchor::top_left}}};
constexpr EnumTable<Resampling, 2> kResamplings = {
    {{"antialias", Resampling::antialias}, {"bilinear", Resampling::bilinear}}};
constexpr EnumTable<ColorOrder, 2> kOrders = {{{"rgb", ColorOrder::rgb}, {"bgr", ColorOrder::bgr}}};
constexpr EnumTable<HeadKind, 10> kHeadKinds = {{{"classification", HeadKind::classification},
                                                 {"yolov2", HeadKind::yolov2},
                                                 {"yolov3", HeadKind::yolov3},
                                                 {"yolox", HeadKind::yolox},
                                                 {"fastestdet", HeadKind::fastestdet},
                                                 {"ultraface", HeadKind::ultraface},
                                                 {"ultraface_ssd", HeadKind::ultraface_ssd},
                                                 {"nms_free", HeadKind::nms_free},
                                                 {"yolov10", HeadKind::yolov10},
                                                 {"none", HeadKind::none}}};

template <class E, std::size_t N>
std::string_view nameOf(const EnumTable<E, N>& names, E value) {
  for (const auto& [name, candidate] : names) {
    if (candidate == value) return name;
  }
  NARROWS_ASSERT(false);
  return {};
}

/// One table of the file. Remembers which keys were asked for, so that the others are unknown.
class Section {
 public:
  Section(const toml::table& table, std::string_view origin, std::string prefix)
      : table_(table), origin_(origin), prefix_(std::move(prefix)) {}

  bool has(std::string_view key) {
    known_.emplace(key);
    return table_.contains(key);
  }
  Status require(std::string_view key) {
    if (has(key)) return {};
    return makeError("{}:{}: {}{} is missing", origin_, table_.source().begin.line, prefix_, key);
  }

  Result<const toml::table*> table(std::string_view key) {
    NARROWS_CHECK(require(key));
    const toml::table* inner = table_.get(key)->as_table();
    if (inner == nullptr) return wrong(key, *table_.get(key), "a table");
    return inner;
  }

  Status read(std::string_view key, std::string& target) {
    if (!has(key)) return {};
    return readString(key, *table_.get(key), target);
  }
  Status read(std::string_view key, bool& target) {
    if (!has(key)) return {};
    const auto value = table_.get(key)->value_exact<bool>();
    if (!value) return wrong(key, *table_.get(key), "true or false");
    target = *value;
    return {};
  }
  Status read(std::string_view key, std::int64_t& target) {
    if (!has(key)) return {};
    return readInteger(key, *table_.get(key), target);
  }
  Status read(std::string_view key, double& target) {
    if (!has(key)) return {};
    return readNumber(key, *table_.get(key), target);
  }
  Status read(std::string_view key, std::array<double, 3>& target) {
    NARROWS_TRY(list, readList<double>(key, &Section::readNumber));
    if (!has(key)) return {};
    if (list.size() != 3) return wrong(key, *table_.get(key), "three numbers");
    std::copy(list.begin(), list.end(), target.begin());
    return {};
  }
  Status read(std::string_view key, std::vector<std::string>& target) {
    NARROWS_TRY(list, readList<std::string>(key, &Section::readString));
    if (has(key)) target = std::move(list);
    return {};
  }
  Status read(std::string_view key, std::vector<std::int64_t>& target) {
    NARROWS_TRY(list, readList<std::int64_t>(key, &Section::readInteger));
    if (has(key)) target = std::move(list);
    return {};
  }
  Status read(std::string_view key, std::vector<double>& target) {
    NARROWS_TRY(list, readList<double>(key, &Section::readNumber));
    if (has(key)) target = std::move(list);
    return {};
  }
  Status read(std::string_view key, std::vector<std::vector<Anchor>>& target) {
    NARROWS_TRY(lists, readList<std::vector<Anchor>>(key, &Section::readAnchors));
    if (has(key)) target = std::move(lists);
    return {};
  }
  template <class E, std::size_t N>
  Status read(std::string_view key, E& target, const EnumTable<E, N>& names) {
    if (!has(key)) return {};
    std::string text;
    NARROWS_CHECK(readString(key, *table_.get(key), text));
    std::string choices;
    for (const auto& [name, value] : names) {
      if (name == text) {
        target = value;
        return {};
      }
      choices.append(choices.empty() ? "" : ", ").append(name);
    }
    return wrong(key, *table_.get(key), fmt::format("one of {}", choices));
  }

  /// An error for the first key that nothing asked for.
  Status finish() const {
    for (const auto& [key, node] : table_) {
      if (known_.count(key.str()) > 0) continue;
      return makeError("{}:{}: {}{} is not a known key", origin_, key.source().begin.line, prefix_,
                       key.str());
    }
    return {};
  }

 private:
  Error wrong(std::string_view key, const toml::node& node, std::string_view expected) const {
    return makeError("{}:{}: {}{}: expected {}", origin_, node.source().begin.line, prefix_, key,
                     expected);
  }
  Status readString(std::string_view key, const toml::node& node, std::string& target) const {
    const auto value = node.value_exact<std::string>();
    if (!value || value->size() > kMaxString) {
      return wrong(key, node, fmt::format("a string of up to {} bytes", kMaxString));
    }
    target = *value;
    return {};
  }
  Status readInteger(std::string_view key, const toml::node& node, std::int64_t& target) const {
    const auto value = node.value_exact<std::int64_t>();
    if (!value) return wrong(key, node, "an integer");
    target = *value;
    return {};
  }
  Status readNumber(std::string_view key, const toml::node& node, double& target) const {
    // Whole numbers that a double rounds are numbers too; value<double>() gives nothing for them.
    if (const auto integer = node.value_exact<std::int64_t>()) {
      target = static_cast<double>(*integer);
    } else if (const auto real = node.value_exact<double>()) {
      target = *real;
    } else {
      return wrong(key, node, "a number");
    }
    return {};
  }
  Status readAnchors(std::string_view key, const toml::node& node,
                     std::vector<Anchor>& target) const {
    constexpr std::string_view kExpected = "lists of [width, height], one list for each map";
    const toml::array* list = node.as_array();
    if (list == nullptr || list->size() > kMaxEntries) return wrong(key, node, kExpected);
    for (const toml::node& entry : *list) {
      const toml::array* pair = entry.as_array();
      if (pair == nullptr || pair->size() != 2) return wrong(key, entry, kExpected);
      Anchor anchor;
      NARROWS_CHECK(readNumber(key, (*pair)[0], anchor.width));
      NARROWS_CHECK(readNumber(key, (*pair)[1], anchor.height));
      target.push_back(anchor);
    }
    return {};
  }
  template <class T>
  Result<std::vector<T>> readList(std::string_view key,
                                  Status (Section::*read_one)(std::string_view, const toml::node&,
                                                              T&) const) {
    std::vector<T> list;
    if (!has(key)) return list;
    const toml::node& node = *table_.get(key);
    const toml::array* entries = node.as_array();
    if (entries == nullptr || entries->size() > kMaxEntries) {
      return wrong(key, node, fmt::format("a list of up to {} entries", kMaxEntries));
    }
    for (const toml::node& entry : *entries) {
      list.emplace_back();
      NARROWS_CHECK((this->*read_one)(key, entry, list.back()));
    }
    return list;
  }

  const toml::table& table_;
  std::string_view origin_;
  std::string prefix_;
  std::set<std::string, std::less<>> known_;
};

Status readInput(Section section, Preprocessing& input) {
  NARROWS_CHECK(section.require("width"));
  NARROWS_CHECK(section.require("height"));
  NARROWS_CHECK(section.read("width", input.width));
  NARROWS_CHECK(section.read("height", input.height));
  NARROWS_CHECK(section.read("resize", input.rule, kRules));
  NARROWS_CHECK(section.read("anchor", input.anchor, kLetterboxAnchors));
  NARROWS_CHECK(section.read("resize_to", input.resize_to));
  NARROWS_CHECK(section.read("resize_both", input.resize_both));
  NARROWS_CHECK(section.read("crop_fraction", input.crop_fraction));
  NARROWS_CHECK(section.read("resampling", input.resampling, kResamplings));
  NARROWS_CHECK(section.read("order", input.order, kOrders));
  std::int64_t fill = input.fill;
  NARROWS_CHECK(section.read("fill", fill));
  input.fill = fill < 0 || fill > 255 ? -1 : static_cast<int>(fill);
  NARROWS_CHECK(section.read("mean", input.mean));
  NARROWS_CHECK(section.read("scale", input.scale));
  return section.finish();
}

Status readHead(Section section, Head& head) {
  NARROWS_CHECK(section.require("kind"));
  NARROWS_CHECK(section.read("kind", head.kind, kHeadKinds));
  NARROWS_CHECK(section.read("classes", head.classes));
  NARROWS_CHECK(section.read("outputs", head.outputs));
  NARROWS_CHECK(section.read("anchors", head.anchors));
  NARROWS_CHECK(section.read("strides", head.strides));
  NARROWS_CHECK(section.read("scale_xy", head.scale_xy));
  NARROWS_CHECK(section.read("score_threshold", head.score_threshold));
  NARROWS_CHECK(section.read("iou_threshold", head.iou_threshold));
  NARROWS_CHECK(section.read("class_offset", head.class_offset));
  NARROWS_CHECK(section.read("softmax", head.softmax));
  return section.finish();
}

Result<ModelDescription> readDescription(const toml::table& root, std::string_view origin) {
  ModelDescription description;
  Section section(root, origin, "");
  NARROWS_CHECK(section.require("name"));
  NARROWS_CHECK(section.read("name", description.name));
  NARROWS_CHECK(section.read("labels", description.labels));
  NARROWS_TRY(input, section.table("input"));
  NARROWS_TRY(head, section.table("head"));
  NARROWS_CHECK(section.finish());
  NARROWS_CHECK(readInput(Section(*input, origin, "input."), description.preprocessing));
  NARROWS_CHECK(readHead(Section(*head, origin, "head."), description.head));
  NARROWS_CHECK(checkDescription(description).within(origin));
  return description;
}

std::string inQuotes(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append("\\").append(1, c);
    } else if (code < 0x20 || code == 0x7F) {
      out.append(fmt::format("\\u{:04X}", code));
    } else {
      out.append(1, c);
    }
  }
  return out.append("\"");
}

std::string quotedList(const std::vector<std::string>& texts) {
  std::vector<std::string> entries;
  for (const std::string& text : texts) entries.push_back(inQuotes(text));
  return fmt::format("[{}]", fmt::join(entries, ", "));
}

std::string anchorLists(const std::vector<std::vector<Anchor>>& lists) {
  std::vector<std::string> rows;
  for (const std::vector<Anchor>& list : lists) {
    std::vector<std::string> pairs;
    for (const Anchor& anchor : list) {
      pairs.push_back(fmt::format("[{}, {}]", anchor.width, anchor.height));
    }
    rows.push_back(fmt::format("[{}]", fmt::join(pairs, ", ")));
  }
  return fmt::format("[{}]", fmt::join(rows, ", "));
}

std::string formatInput(const Preprocessing& input) {
  const Preprocessing standard;
  std::string out = "[input]\n";
  auto to = std::back_inserter(out);
  fmt::format_to(to, "width = {}\nheight = {}\n", input.width, input.height);
  fmt::format_to(to, "resize = \"{}\"\n", nameOf(kRules, input.rule));
  fmt::format_to(to, "resampling = \"{}\"\n", nameOf(kResamplings, input.resampling));
  if (input.anchor != standard.anchor || input.rule == ResizeRule::letterbox) {
    fmt::format_to(to, "anchor = \"{}\"\n", nameOf(kLetterboxAnchors, input.anchor));
  }
  if (input.fill != standard.fill || input.rule == ResizeRule::letterbox) {
    fmt::format_to(to, "fill = {}\n", input.fill);
  }
  if (input.resize_to != 0) fmt::format_to(to, "resize_to = {}\n", input.resize_to);
  if (input.resize_both) fmt::format_to(to, "resize_both = true\n");
  if (input.crop_fraction != standard.crop_fraction) {
    fmt::format_to(to, "crop_fraction = {}\n", input.crop_fraction);
  }
  fmt::format_to(to, "order = \"{}\"\n", nameOf(kOrders, input.order));
  fmt::format_to(to, "mean = [{}]\n", fmt::join(input.mean, ", "));
  fmt::format_to(to, "scale = [{}]\n", fmt::join(input.scale, ", "));
  return out;
}

std::string formatHead(const Head& head) {
  const Head standard;
  std::string out = "[head]\n";
  auto to = std::back_inserter(out);
  fmt::format_to(to, "kind = \"{}\"\nclasses = {}\n", nameOf(kHeadKinds, head.kind), head.classes);
  if (!head.outputs.empty()) fmt::format_to(to, "outputs = {}\n", quotedList(head.outputs));
  if (!head.anchors.empty()) fmt::format_to(to, "anchors = {}\n", anchorLists(head.anchors));
  if (!head.strides.empty()) {
    fmt::format_to(to, "strides = [{}]\n", fmt::join(head.strides, ", "));
  }
  if (!head.scale_xy.empty()) {
    fmt::format_to(to, "scale_xy = [{}]\n", fmt::join(head.scale_xy, ", "));
  }
  if (head.class_offset != 0) fmt::format_to(to, "class_offset = {}\n", head.class_offset);
  if (!head.softmax) fmt::format_to(to, "softmax = false\n");
  const bool scored = head.kind != HeadKind::classification && head.kind != HeadKind::none;
  if (scored || head.score_threshold != standard.score_threshold) {
    fmt::format_to(to, "score_threshold = {}\n", head.score_threshold);
  }
  if (scored || head.iou_threshold != standard.iou_threshold) {
    fmt::format_to(to, "iou_threshold = {}\n", head.iou_threshold);
  }
  return out;
}

}  // namespace

Result<ModelDescription> parseDescription(std::string_view toml, std::string_view origin) {
  if (toml.size() > kMaxText) {
    return makeError("{}: {} bytes; a description has at most {}", origin, toml.size(), kMaxText);
  }
  try {
    return readDescription(toml::parse(toml), origin);
  } catch (const toml::parse_error& error) {
    return makeError("{}:{}: {}", origin, error.source().begin.line, error.description());
  }
}

std::string formatDescription(const ModelDescription& description) {
  std::string out = fmt::format("name = {}\n", inQuotes(description.name));
  if (!description.labels.empty()) {
    out.append("labels = [\n");
    for (const std::string& label : description.labels) {
      out.append(fmt::format("  {},\n", inQuotes(label)));
    }
    out.append("]\n");
  }
  return out.append("\n")
      .append(formatInput(description.preprocessing))
      .append("\n")
      .append(formatHead(description.head));
}

}  // namespace narrows
