#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/formats/onnx_proto.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// Number of `dtype` in onnx.TensorProto.DataType.
std::int32_t onnxCode(DType dtype);

/// Fills the message of one graph.
class OnnxEmitter {
 public:
  /// Keeps references to both.
  OnnxEmitter(const Graph& graph, onnx::GraphProto& proto);

  const Graph& graph() const { return graph_; }

  /// An attribute of a node: a whole number, a list of them, a number or text.
  class Attribute;

  void addNode(std::string_view operator_name, std::string_view node_name,
               std::span<const std::string> inputs, std::span<const std::string> outputs,
               std::initializer_list<Attribute> attributes);
  /// A constant that the graph does not have; returns its name.
  std::string addConstant(std::string_view wanted_name, Tensor tensor);
  void addInitializer(const std::string& name, std::shared_ptr<const Tensor> tensor);
  /// `wanted`, or a variant of it that nothing has; it is taken from now on.
  std::string freshName(std::string_view wanted);

  struct Initializer {
    onnx::TensorProto* proto;
    std::shared_ptr<const Tensor> tensor;
  };
  /// Tensors whose elements are still to be placed.
  std::span<const Initializer> initializers() const { return initializers_; }

 private:
  const Graph& graph_;
  onnx::GraphProto& proto_;
  std::unordered_set<std::string> names_;
  std::vector<Initializer> initializers_;
};

class OnnxEmitter::Attribute {
 public:
  Attribute(std::string_view name, std::int64_t value)
      : name_(name), kind_(Kind::integer), integer_(value) {}
  Attribute(std::string_view name, bool value) : Attribute(name, std::int64_t{value}) {}
  Attribute(std::string_view name, double value)
      : name_(name), kind_(Kind::number), number_(value) {}
  Attribute(std::string_view name, Ints value)
      : name_(name), kind_(Kind::integers), integers_(std::move(value)) {}
  Attribute(std::string_view name, std::string_view value)
      : name_(name), kind_(Kind::text), text_(value) {}
  Attribute(std::string_view name, const char* value) : Attribute(name, std::string_view(value)) {}

  void addTo(onnx::NodeProto& node) const;

 private:
  enum class Kind : std::uint8_t { integer, number, integers, text };
  std::string_view name_;
  Kind kind_;
  std::int64_t integer_ = 0;
  double number_ = 0;
  Ints integers_;
  std::string_view text_;
};

/// Writes a node of the graph as one or more nodes of the file.
Status emitNode(OnnxEmitter& emitter, const Node& node);

}  // namespace narrows
