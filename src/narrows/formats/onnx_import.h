#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "narrows/base/id.h"
#include "narrows/formats/onnx_attributes.h"
#include "narrows/formats/onnx_reader.h"
#include "narrows/formats/onnx_weights.h"
#include "narrows/graph/graph.h"

namespace narrows {

using OperandId = Id<struct OperandTag>;

/// The graph under construction. What an ONNX name stands for is an operand: a value of the graph,
/// or a constant, which enters the graph only when an operator reads it. Operators on constants
/// alone are computed, so shape arithmetic leaves nothing behind.
class OnnxImport {
 public:
  OnnxImport(const OnnxReadOptions& options, std::int64_t opset, ExternalFiles& files)
      : options_(options), opset_(opset), files_(files) {}

  std::int64_t opset() const { return opset_; }
  ExternalFiles& files() { return files_; }
  Graph& graph() { return graph_; }

  /// A name of the file, which no value made here may take.
  void reserveName(const std::string& name) { reserved_.insert(name); }
  Status addInput(const std::string& name, const TensorType& type);
  Status addConstant(const std::string& name, std::shared_ptr<const Tensor> tensor);
  /// Gives an operand its name in the file; fails when the name is taken.
  Status bind(const std::string& name, OperandId operand);
  /// Invalid when there is none.
  OperandId find(const std::string& name) const;

  const TensorType& type(OperandId id) const;
  /// Null unless a constant.
  const std::shared_ptr<const Tensor>& constant(OperandId id) const;
  OperandId makeConstant(std::string_view name, std::shared_ptr<const Tensor> tensor);
  /// Adds a node, or computes it when every input is a constant. An absent input is an invalid id.
  Result<std::vector<OperandId>> emit(Op op, std::span<const OperandId> inputs,
                                      std::string_view node_name,
                                      std::span<const std::string> output_names);
  /// The operand as a value of the graph.
  ValueId materialize(OperandId id);
  /// `wanted`, or a variant of it that the file does not use.
  std::string freeName(std::string_view wanted) const;
  /// Counts bytes of computed constants against the limit.
  Status spend(std::size_t bytes);

 private:
  struct Operand {
    std::string name;
    ValueId value;
    std::shared_ptr<const Tensor> constant;
  };
  OperandId addOperand(Operand operand);
  /// No outputs when it cannot be computed.
  Result<std::vector<Tensor>> compute(const Op& op, std::span<const OperandId> inputs);

  const OnnxReadOptions& options_;
  std::int64_t opset_;
  ExternalFiles& files_;
  Graph graph_;
  std::vector<Operand> operands_;
  std::unordered_map<std::string, OperandId> names_;
  std::unordered_set<std::string> reserved_;
  std::size_t computed_bytes_ = 0;
};

/// One node of the file while it is mapped to operators of the graph.
class NodeImport {
 public:
  NodeImport(OnnxImport& import, onnx::NodeProto& proto, NodeAttributes node_attributes);

  NodeAttributes attributes;

  std::int64_t opset() const { return import_.opset(); }
  ExternalFiles& files() { return import_.files(); }
  const std::string& name() const { return name_; }
  const std::string& operatorName() const;
  std::size_t inputCount() const;
  std::size_t outputCount() const;
  bool hasInput(std::size_t index) const;
  bool hasOutput(std::size_t index) const;

  /// Fails when absent.
  Result<OperandId> input(std::size_t index);
  const TensorType& type(OperandId id) const { return import_.type(id); }
  const Shape& shape(OperandId id) const { return import_.type(id).shape; }
  bool isConstant(OperandId id) const { return import_.constant(id) != nullptr; }
  const Tensor& constant(OperandId id) const { return *import_.constant(id); }

  /// Elements of an i64 or i32 input that must be known now; `what` names it in errors.
  Result<Ints> integersInput(std::size_t index, std::string_view what);
  /// Elements of a floating-point input that must be known now.
  Result<std::vector<double>> numbersInput(std::size_t index, std::string_view what);
  /// The only element of an input of any dtype, which must be known now.
  Result<double> scalarInput(std::size_t index, std::string_view what);

  /// An intermediate result.
  Result<OperandId> add(Op op, std::vector<OperandId> inputs);
  OperandId constant(Tensor tensor);
  /// A rank-0 constant of a floating-point or integer dtype.
  Result<OperandId> scalar(double value, DType dtype);
  Status spend(std::size_t bytes) { return import_.spend(bytes); }

  /// The operator that gives the node's outputs.
  Status finish(Op op, std::vector<OperandId> inputs);
  /// An operand made before, as one of the node's outputs.
  Status finishOperand(OperandId operand, std::size_t output);
  /// A computed output.
  Status finishConstant(Tensor tensor, std::size_t output = 0);

 private:
  OnnxImport& import_;
  onnx::NodeProto& proto_;
  std::string name_;
};

}  // namespace narrows
