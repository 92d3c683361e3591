#include "narrows/formats/onnx_reader.h"

#include <onnx/onnx_pb.h>

#include <limits>

#include "narrows/base/file.h"
#include "narrows/formats/onnx_import.h"
#include "narrows/formats/onnx_operators.h"
#include "narrows/formats/onnx_wire.h"

namespace narrows {
namespace {

bool isDefaultDomain(const std::string& domain) {
  return domain.empty() || domain == "ai.onnx";
}

Status parseModel(ByteSpan bytes, onnx::ModelProto& model) {
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return makeError("{} bytes; protobuf reads at most 2 GiB, use external data", bytes.size());
  }
  if (bytes.empty()) return makeError("not an ONNX model: the file is empty");
  NARROWS_CHECK(checkModelWire(bytes).within("not an ONNX model"));
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return makeError("not an ONNX model: a field does not parse");
  }
  if (!model.has_graph()) return makeError("not an ONNX model: it has no graph");
  return {};
}

Result<std::int64_t> readOpset(const onnx::ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (!isDefaultDomain(import.domain())) continue;
    if (import.version() < kOldestOpset || import.version() > kNewestOpset) {
      return makeError("opset {}, {} to {} are read", import.version(), kOldestOpset, kNewestOpset);
    }
    return static_cast<std::int64_t>(import.version());
  }
  return makeError("no opset of the default domain");
}

/// Names every operator that is not supported, so that one look tells what a model lacks.
Status checkOperators(const onnx::GraphProto& graph) {
  constexpr int kMostListed = 20;
  std::string list;
  int count = 0;
  for (const onnx::NodeProto& node : graph.node()) {
    const bool known = isDefaultDomain(node.domain()) && findOnnxMapper(node.op_type()) != nullptr;
    if (known) continue;
    if (++count > kMostListed) continue;
    const std::string domain = isDefaultDomain(node.domain()) ? "" : node.domain() + ".";
    const std::string& name =
        node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    list +=
        fmt::format("{}{}{} (node \"{}\")", list.empty() ? "" : ", ", domain, node.op_type(), name);
  }
  if (count == 0) return {};
  if (count > kMostListed) list += fmt::format(" and {} more", count - kMostListed);
  return makeError("unsupported operators: {}", list);
}

/// The extents of an input: what the file fixes, completed from the options.
Result<Shape> resolveShape(const onnx::ValueInfoProto& info, const OnnxReadOptions& options) {
  const auto& tensor = info.type().tensor_type();
  const auto given = options.input_shapes.find(info.name());
  const bool is_given = given != options.input_shapes.end();
  if (!tensor.has_shape()) {
    if (is_given) return given->second;
    return makeError("no shape in the file and none given");
  }
  const int rank = tensor.shape().dim_size();
  if (is_given && given->second.rank() != static_cast<std::size_t>(rank)) {
    return makeError("rank {} in the file, given as {}", rank, toString(given->second));
  }
  Ints extents;
  for (int axis = 0; axis < rank; ++axis) {
    const auto& dim = tensor.shape().dim(axis);
    const bool fixed = dim.has_dim_value() && dim.dim_value() >= 0;
    if (is_given) {
      const std::int64_t wanted = given->second[static_cast<std::size_t>(axis)];
      if (fixed && dim.dim_value() != wanted) {
        return makeError("axis {} is {} in the file, given as {}", axis, dim.dim_value(), wanted);
      }
      extents.push_back(wanted);
    } else if (fixed) {
      extents.push_back(dim.dim_value());
    } else if (axis == 0) {
      extents.push_back(options.batch);
    } else {
      return makeError("axis {} (\"{}\") is symbolic; give the input's shape", axis,
                       dim.dim_param());
    }
  }
  return Shape::create(extents);
}

Result<TensorType> resolveInput(const onnx::ValueInfoProto& info, const OnnxReadOptions& options) {
  if (!info.type().has_tensor_type()) return makeError("not a tensor");
  NARROWS_TRY(dtype, dtypeFromOnnx(info.type().tensor_type().elem_type()));
  NARROWS_TRY(shape, resolveShape(info, options));
  return TensorType{dtype, shape};
}

void reserveNames(const onnx::GraphProto& graph, OnnxImport& import) {
  for (const auto& value : graph.input()) import.reserveName(value.name());
  for (const auto& tensor : graph.initializer()) import.reserveName(tensor.name());
  for (const auto& node : graph.node()) {
    for (const std::string& name : node.output()) import.reserveName(name);
  }
}

Status importInitializers(onnx::GraphProto& graph, OnnxImport& import) {
  if (graph.sparse_initializer_size() > 0)
    return makeError("sparse initializers are not supported");
  for (onnx::TensorProto& proto : *graph.mutable_initializer()) {
    const std::string name = proto.name();
    const auto place = [&name] { return fmt::format("initializer \"{}\"", name); };
    if (name.empty()) return makeError("an initializer without a name");
    auto tensor = takeTensor(proto, import.files());
    if (!tensor.ok()) return tensor.takeError().within(place());
    NARROWS_CHECK(import.addConstant(name, std::make_shared<const Tensor>(std::move(*tensor)))
                      .within(place()));
  }
  return {};
}

/// Inputs that an initializer or an option makes constant are none.
Status importInputs(const onnx::GraphProto& graph, const OnnxReadOptions& options,
                    OnnxImport& import) {
  for (const auto& info : graph.input()) {
    const auto place = [&info] { return fmt::format("input \"{}\"", info.name()); };
    if (info.name().empty()) return makeError("an input without a name");
    if (const auto bound = options.constants.find(info.name()); bound != options.constants.end()) {
      NARROWS_CHECK(
          import.addConstant(info.name(), std::make_shared<const Tensor>(bound->second.clone()))
              .within(place()));
      continue;
    }
    const OperandId existing = import.find(info.name());
    if (existing.valid() && import.constant(existing) != nullptr) continue;
    auto type = resolveInput(info, options);
    if (!type.ok()) return type.takeError().within(place());
    NARROWS_CHECK(import.addInput(info.name(), *type).within(place()));
  }
  for (const auto& [name, shape] : options.input_shapes) {
    if (!import.graph().findValue(name).valid()) {
      return makeError("a shape is given for \"{}\", which is no input", name);
    }
  }
  return {};
}

Status importNode(onnx::NodeProto& proto, OnnxImport& import) {
  NARROWS_TRY(attributes, NodeAttributes::create(proto));
  NodeImport node(import, proto, std::move(attributes));
  NARROWS_CHECK(findOnnxMapper(proto.op_type())(node));
  return node.attributes.expectAllUsed();
}

Status importNodes(onnx::GraphProto& graph, OnnxImport& import) {
  for (onnx::NodeProto& proto : *graph.mutable_node()) {
    Status status = importNode(proto, import);
    if (status.ok()) continue;
    const std::string& name =
        proto.name().empty() && proto.output_size() > 0 ? proto.output(0) : proto.name();
    return status.takeError().within(fmt::format("node \"{}\" ({})", name, proto.op_type()));
  }
  return {};
}

/// Fails when the file declares another type than the graph gives.
Status checkOutput(const onnx::ValueInfoProto& info, const TensorType& type) {
  if (!info.has_type()) return {};
  if (!info.type().has_tensor_type()) return makeError("declared as something else than a tensor");
  const auto& declared = info.type().tensor_type();
  if (declared.elem_type() != 0) {
    NARROWS_TRY(dtype, dtypeFromOnnx(declared.elem_type()));
    if (dtype != type.dtype) {
      return makeError("declared as {}, the network gives {}", toString(dtype),
                       toString(type.dtype));
    }
  }
  if (!declared.has_shape()) return {};
  const auto rank = static_cast<std::size_t>(declared.shape().dim_size());
  bool fits = rank == type.shape.rank();
  for (std::size_t axis = 0; fits && axis < rank; ++axis) {
    const auto& dim = declared.shape().dim(static_cast<int>(axis));
    fits = !dim.has_dim_value() || dim.dim_value() < 0 || dim.dim_value() == type.shape[axis];
  }
  if (!fits) {
    std::string extents;
    for (const auto& dim : declared.shape().dim()) {
      extents += extents.empty() ? "" : "x";
      extents += dim.has_dim_value() ? fmt::format("{}", dim.dim_value()) : "?";
    }
    return makeError("declared as {}, the network gives {}", extents, toString(type.shape));
  }
  return {};
}

Status importOutputs(const onnx::GraphProto& graph, OnnxImport& import) {
  if (graph.output_size() == 0) return makeError("the graph has no output");
  std::vector<ValueId> outputs;
  for (const auto& info : graph.output()) {
    const auto place = [&info] { return fmt::format("output \"{}\"", info.name()); };
    const OperandId operand = import.find(info.name());
    if (!operand.valid()) return makeError("nothing makes it").within(place());
    NARROWS_CHECK(checkOutput(info, import.type(operand)).within(place()));
    outputs.push_back(import.materialize(operand));
  }
  return import.graph().setOutputs(std::move(outputs));
}

Result<Graph> importModel(onnx::ModelProto& model, const OnnxReadOptions& options,
                          ExternalFiles& files) {
  if (options.batch < 1) return makeError("batch is {}, expected 1 or more", options.batch);
  NARROWS_TRY(opset, readOpset(model));
  onnx::GraphProto& graph = *model.mutable_graph();
  NARROWS_CHECK(checkOperators(graph));
  OnnxImport import(options, opset, files);
  import.graph().name = graph.name();
  reserveNames(graph, import);
  NARROWS_CHECK(importInitializers(graph, import));
  NARROWS_CHECK(importInputs(graph, options, import));
  NARROWS_CHECK(importNodes(graph, import));
  NARROWS_CHECK(importOutputs(graph, import));
  NARROWS_CHECK(verify(import.graph()));
  return std::move(import.graph());
}

}  // namespace

Result<Graph> readOnnx(ByteSpan bytes, const OnnxReadOptions& options,
                       const std::optional<std::filesystem::path>& external_directory) {
  onnx::ModelProto model;
  NARROWS_CHECK(parseModel(bytes, model));
  ExternalFiles files(external_directory, options.external_files);
  return importModel(model, options, files);
}

Result<Graph> readOnnx(const std::filesystem::path& path, const OnnxReadOptions& options) {
  NARROWS_TRY(file, MappedFile::open(path));
  return readOnnx(file->bytes(), options, path.parent_path()).within(path.string());
}

}  // namespace narrows
