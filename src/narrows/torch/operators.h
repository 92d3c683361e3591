#pragma once

#include <vector>

#include "narrows/graph/graph.h"
#include "narrows/torch/aten.h"

namespace narrows::torched {

using Tensors = std::vector<at::Tensor>;

/// How batch normalisation behaves.
struct NormMode {
  /// Statistics of the batch, which also move the stored ones; otherwise the stored ones.
  bool training = false;
  /// Share of the batch's statistics that enters the stored ones.
  double momentum = 0.1;
};

/// A node with what its operator needs beside its inputs.
struct NodeContext {
  const Graph& graph;
  const Node& node;
  /// Samples for each one of the graph: values that depend on an input have this many times the
  /// graph's extent in axis 0.
  std::int64_t batch = 1;
  /// Whether this node's outputs depend on an input of the graph.
  bool batched = false;
  NormMode norm;
  /// Type of floating-point values in this run.
  at::ScalarType real = at::kFloat;
  /// Type that convolutions multiply in where the values are f32.
  at::ScalarType factors = at::kFloat;

  const Shape& inputShape(std::size_t index) const { return graph.shape(node.inputs[index]); }
  const Shape& outputShape(std::size_t index = 0) const { return graph.shape(node.outputs[index]); }
};

/// The outputs of the node, on libtorch's operators alone, so that every step has its gradient.
/// Absent inputs are undefined tensors. Throws what libtorch throws.
Tensors applyNode(const NodeContext& context, const Tensors& inputs);

// The operators by family; `applyNode` picks among them.
at::Tensor apply(const Conv2d& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const ConvTranspose2d& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const MaxPool2d& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const AveragePool2d& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const GlobalPool& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const BatchNorm& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const LocalResponseNorm& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Gemm& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const MatMul& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Unary& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const LeakyRelu& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Elu& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Clip& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const HardSigmoid& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const PRelu& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Binary& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Where& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Softmax& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Concat& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Slice& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Gather& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Pad& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Resize& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Transpose& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Reshape& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Expand& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Tile& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Reduce& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const ArgReduce& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Cast& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const Identity& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const DepthToSpace& op, const NodeContext& context, const Tensors& in);
at::Tensor apply(const SpaceToDepth& op, const NodeContext& context, const Tensors& in);
Tensors apply(const Split& op, const NodeContext& context, const Tensors& in);

}  // namespace narrows::torched
