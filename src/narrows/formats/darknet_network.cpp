#include "narrows/formats/darknet_network.h"

#include <array>

namespace narrows {
namespace {

struct SectionKind {
  std::string_view name;
  Status (DarknetNetwork::*add)(const DarknetSection&);
};

constexpr std::array kSections = {
    SectionKind{"convolutional", &DarknetNetwork::addConvolutional},
    SectionKind{"conv", &DarknetNetwork::addConvolutional},
    SectionKind{"connected", &DarknetNetwork::addConnected},
    SectionKind{"conn", &DarknetNetwork::addConnected},
    SectionKind{"maxpool", &DarknetNetwork::addMaxPool},
    SectionKind{"max", &DarknetNetwork::addMaxPool},
    SectionKind{"local_avgpool", &DarknetNetwork::addLocalAveragePool},
    SectionKind{"local_avg", &DarknetNetwork::addLocalAveragePool},
    SectionKind{"avgpool", &DarknetNetwork::addAveragePool},
    SectionKind{"avg", &DarknetNetwork::addAveragePool},
    SectionKind{"softmax", &DarknetNetwork::addSoftmax},
    SectionKind{"soft", &DarknetNetwork::addSoftmax},
    SectionKind{"crop", &DarknetNetwork::addCrop},
    SectionKind{"activation", &DarknetNetwork::addActivation},
    SectionKind{"dropout", &DarknetNetwork::addNothing},
    SectionKind{"cost", &DarknetNetwork::addNothing},
    SectionKind{"route", &DarknetNetwork::addRoute},
    SectionKind{"shortcut", &DarknetNetwork::addShortcut},
    SectionKind{"scale_channels", &DarknetNetwork::addScaleChannels},
    SectionKind{"upsample", &DarknetNetwork::addUpsample},
    SectionKind{"reorg", &DarknetNetwork::addReorg},
    SectionKind{"yolo", &DarknetNetwork::addYolo},
    SectionKind{"region", &DarknetNetwork::addRegion},
};

/// Steps of the network that have no place of their own in the cfg are placed by their section.
Status placed(Status status, const DarknetSection& section) {
  if (status.ok()) return {};
  if (status.error().message.starts_with("line ")) return status;
  return section.error(status.error().message);
}

}  // namespace

Result<DarknetModel> DarknetNetwork::build(std::span<const DarknetSection> sections) && {
  if (sections.empty()) return makeError("no section, expected [net]");
  if (sections[0].name() != "net" && sections[0].name() != "network") {
    return sections[0].error("the first section must be [net]");
  }
  NARROWS_CHECK(readNet(sections[0]));
  for (const DarknetSection& section : sections.subspan(1)) {
    const SectionKind* kind = nullptr;
    for (const SectionKind& candidate : kSections) {
      if (candidate.name == section.name()) kind = &candidate;
    }
    if (kind == nullptr) return section.error("this kind of section is not supported");
    const std::size_t values_before = graph_.valueCount();
    NARROWS_CHECK(placed((this->*kind->add)(section), section));
    if (current_.valid() && current_.index() >= values_before) {
      NARROWS_CHECK(graph_.renameValue(current_, fmt::format("layer{}", index_)));
    }
    layers_.push_back(current_);
    ++index_;
  }
  NARROWS_CHECK(finish());
  return std::move(model_);
}

Status DarknetNetwork::readNet(const DarknetSection& section) {
  NARROWS_TRY(width, section.integer("width", 0, 1, kMaxExtent));
  NARROWS_TRY(height, section.integer("height", 0, 1, kMaxExtent));
  NARROWS_TRY(channels, section.integer("channels", 3, 1, kMaxExtent));
  if (width == 0 || height == 0) return section.error("width and height are missing");
  model_.width = width;
  model_.height = height;
  model_.channels = channels;
  graph_.name = "darknet";
  current_ = graph_.addInput("input", {DType::f32, Shape{1, channels, height, width}});
  return {};
}

Status DarknetNetwork::finish() {
  if (layers_.empty()) return makeError("the network has no layer");
  std::vector<ValueId> outputs;
  for (const DarknetHead& head : model_.heads) outputs.push_back(graph_.findValue(head.output));
  if (outputs.empty()) {
    if (graph_.isInput(current_)) {
      NARROWS_TRY(copy, graph_.add(Identity{}, {current_}, "output", "output"));
      current_ = copy;
    }
    NARROWS_CHECK(graph_.renameValue(current_, "output"));
    outputs.push_back(current_);
  }
  NARROWS_CHECK(graph_.setOutputs(std::move(outputs)));
  return verify(graph_);
}

Status DarknetNetwork::addHead(const DarknetSection& section, DarknetHead head,
                               std::int64_t channels) {
  NARROWS_TRY(value, map());
  if (graph_.shape(value)[1] != channels) {
    return section.error(
        fmt::format("{} boxes of {} classes need {} channels, the layer before "
                    "has {}",
                    head.anchors.size(), head.classes, channels, graph_.shape(value)[1]));
  }
  head.output = fmt::format("head{}", model_.heads.size());
  const bool taken = graph_.value(value).name.starts_with("head");
  if (taken || graph_.isInput(value)) {
    NARROWS_TRY(copy, graph_.add(Identity{}, {value}, head.output, head.output));
    value = copy;
  }
  NARROWS_CHECK(graph_.renameValue(value, head.output));
  model_.heads.push_back(std::move(head));
  current_ = ValueId();
  return {};
}

Result<ValueId> DarknetNetwork::asMap(ValueId value) {
  const Shape shape = graph_.shape(value);
  if (shape.rank() == 4) return value;
  return add(Reshape{{1, shape[1], 1, 1}}, {value}, "map");
}

Result<ValueId> DarknetNetwork::map() {
  if (!current_.valid()) return makeError("the layer before is a head, which no layer can read");
  return asMap(current_);
}

Result<ValueId> DarknetNetwork::vector() {
  if (!current_.valid()) return makeError("the layer before is a head, which no layer can read");
  const Shape& shape = graph_.shape(current_);
  if (shape.rank() == 2) return current_;
  return add(Reshape{{1, shape.elements()}}, {current_}, "vector");
}

Result<ValueId> DarknetNetwork::layerMap(const DarknetSection& section, std::int64_t index) {
  const auto here = static_cast<std::int64_t>(index_);
  const std::int64_t layer = index < 0 ? here + index : index;
  if (layer < 0 || layer >= here) {
    return section.error(fmt::format("layer {} of {} before this one", index, here));
  }
  const ValueId value = layers_[static_cast<std::size_t>(layer)];
  if (!value.valid()) return section.error(fmt::format("layer {} is a head", layer));
  return asMap(value);
}

Result<ValueId> DarknetNetwork::add(Op op, std::vector<ValueId> inputs, std::string_view what) {
  const std::string name = fmt::format("layer{}/{}", index_, what);
  return graph_.add(std::move(op), std::move(inputs), name, name);
}

Result<ValueId> DarknetNetwork::scalar(double value) {
  return graph_.addConstant(fmt::format("layer{}/{}", index_, value),
                            Tensor::scalar(static_cast<float>(value)));
}

Result<ValueId> DarknetNetwork::takeWeights(const Shape& shape, DarknetBlock block,
                                            std::string_view what) {
  NARROWS_TRY(tensor, weights_.take(shape, block));
  return graph_.addConstant(fmt::format("layer{}/{}", index_, what), std::move(tensor));
}

Result<ValueId> DarknetNetwork::normalize(ValueId x, ValueId biases) {
  const Shape channels{graph_.shape(x)[1]};
  NARROWS_TRY(scales, takeWeights(channels, DarknetBlock::scales, "scales"));
  NARROWS_TRY(means, takeWeights(channels, DarknetBlock::means, "means"));
  NARROWS_TRY(variances, takeWeights(channels, DarknetBlock::variances, "variances"));
  return add(BatchNorm{0}, {x, scales, biases, means, variances}, "norm");
}

Result<ValueId> DarknetNetwork::activate(const DarknetSection& section, ValueId x,
                                         std::string_view fallback) {
  NARROWS_TRY(name, section.text("activation", fallback));
  auto activated = addDarknetActivation(graph_, x, name, fmt::format("layer{}", index_));
  if (!activated.ok()) return section.errorAt("activation", activated.error().message);
  return activated;
}

Status DarknetNetwork::expectOff(const DarknetSection& section,
                                 std::initializer_list<std::string_view> keys) {
  for (std::string_view key : keys) {
    NARROWS_TRY(value, section.text(key, "0"));
    if (value != "0") return section.errorAt(key, "not supported");
  }
  return {};
}

}  // namespace narrows
