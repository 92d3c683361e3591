#include "narrows/formats/onnx_writer.h"

#include <onnx/onnx_pb.h>

#include <cstring>
#include <limits>
#include <unordered_map>

#include "narrows/base/file.h"
#include "narrows/formats/onnx_emitter.h"
#include "narrows/graph/absent.h"

namespace narrows {
namespace {

constexpr std::size_t kExternalAlignment = 64;
/// Smaller constants stay inside the model: shapes and axes must be readable without the weights.
constexpr std::size_t kLeastExternalBytes = 1024;

void describe(const Value& value, onnx::ValueInfoProto& info) {
  info.set_name(value.name);
  auto& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(onnxCode(value.type.dtype));
  auto& shape = *tensor.mutable_shape();
  for (std::int64_t extent : value.type.shape.extents()) shape.add_dim()->set_dim_value(extent);
}

bool isUsed(const Graph& graph, ValueId id) {
  return !graph.consumers(id).empty() || graph.isOutput(id);
}

Status emitGraph(const Graph& graph, OnnxEmitter& emitter, onnx::GraphProto& proto) {
  if (graph.outputs().empty()) return makeError("the graph has no output");
  NARROWS_CHECK(requireElements(graph));
  proto.set_name(graph.name.empty() ? "graph" : graph.name);
  for (ValueId id : graph.inputs()) describe(graph.value(id), *proto.add_input());
  for (ValueId id : graph.outputs()) describe(graph.value(id), *proto.add_output());
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const Value& value = graph.value(ValueId(i));
    if (value.isConstant() && isUsed(graph, ValueId(i))) {
      emitter.addInitializer(value.name, value.constant);
    }
  }
  for (const Node& node : graph.nodes()) NARROWS_CHECK(emitNode(emitter, node));
  return {};
}

void describeModel(onnx::ModelProto& model) {
  model.set_ir_version(kWrittenIrVersion);
  model.set_producer_name("narrows");
  auto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kWrittenOpset);
}

void placeInline(const OnnxEmitter::Initializer& initializer) {
  const ByteSpan bytes = initializer.tensor->view().bytes();
  initializer.proto->set_raw_data(bytes.data(), bytes.size());
}

/// Where each tensor of 1 KiB or more goes in the weights file; equal tensors go there once.
class ExternalLayout {
 public:
  explicit ExternalLayout(std::string location) : location_(std::move(location)) {}

  void place(const OnnxEmitter::Initializer& initializer) {
    const std::size_t length = initializer.tensor->view().bytes().size();
    const auto [entry, is_new] = offsets_.emplace(initializer.tensor.get(), end_);
    if (is_new) {
      blocks_.push_back({end_, initializer.tensor->view().bytes()});
      end_ = (end_ + length + kExternalAlignment - 1) / kExternalAlignment * kExternalAlignment;
    }
    initializer.proto->set_data_location(onnx::TensorProto::EXTERNAL);
    addEntry(*initializer.proto, "location", location_);
    addEntry(*initializer.proto, "offset", fmt::format("{}", entry->second));
    addEntry(*initializer.proto, "length", fmt::format("{}", length));
  }

  ByteVector bytes() const {
    ByteVector bytes(end_);
    for (const Block& block : blocks_) {
      std::memcpy(bytes.data() + block.offset, block.bytes.data(), block.bytes.size());
    }
    return bytes;
  }

 private:
  struct Block {
    std::size_t offset;
    ByteSpan bytes;
  };

  static void addEntry(onnx::TensorProto& proto, const char* key, const std::string& value) {
    auto& entry = *proto.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }

  std::string location_;
  std::size_t end_ = 0;
  std::unordered_map<const Tensor*, std::size_t> offsets_;
  std::vector<Block> blocks_;
};

Result<ByteVector> serialize(const onnx::ModelProto& model) {
  const std::size_t size = model.ByteSizeLong();
  if (size > std::numeric_limits<int>::max()) {
    return makeError(
        "the model takes {} bytes, protobuf at most 2 GiB; put weights in a file of "
        "their own",
        size);
  }
  ByteVector bytes(size);
  if (!model.SerializeToArray(bytes.data(), static_cast<int>(size))) {
    return makeError("protobuf cannot write the model");
  }
  return bytes;
}

/// The model with its graph, all constants still to be placed.
Status fill(const Graph& graph, onnx::ModelProto& model,
            std::vector<OnnxEmitter::Initializer>& initializers) {
  describeModel(model);
  OnnxEmitter emitter(graph, *model.mutable_graph());
  NARROWS_CHECK(emitGraph(graph, emitter, *model.mutable_graph()));
  initializers.assign(emitter.initializers().begin(), emitter.initializers().end());
  return {};
}

}  // namespace

Result<ByteVector> serializeOnnx(const Graph& graph) {
  onnx::ModelProto model;
  std::vector<OnnxEmitter::Initializer> initializers;
  NARROWS_CHECK(fill(graph, model, initializers));
  for (const auto& initializer : initializers) placeInline(initializer);
  return serialize(model);
}

Status writeOnnx(const Graph& graph, const std::filesystem::path& model,
                 const std::optional<std::filesystem::path>& weights) {
  if (!weights) {
    NARROWS_TRY(bytes, serializeOnnx(graph).within(model.string()));
    return writeFileAtomically(model, bytes);
  }
  if (weights->parent_path().lexically_normal() != model.parent_path().lexically_normal() ||
      weights->filename().empty() || weights->filename() == model.filename()) {
    return makeError("{}: the weights of {} must be another file of its directory",
                     weights->string(), model.string());
  }
  onnx::ModelProto proto;
  std::vector<OnnxEmitter::Initializer> initializers;
  NARROWS_CHECK(fill(graph, proto, initializers).within(model.string()));
  ExternalLayout layout(weights->filename().string());
  for (const auto& initializer : initializers) {
    const bool external = initializer.tensor->view().bytes().size() >= kLeastExternalBytes;
    external ? layout.place(initializer) : placeInline(initializer);
  }
  NARROWS_TRY(bytes, serialize(proto).within(model.string()));
  NARROWS_CHECK(writeFileAtomically(*weights, layout.bytes()));
  return writeFileAtomically(model, bytes);
}

}  // namespace narrows
