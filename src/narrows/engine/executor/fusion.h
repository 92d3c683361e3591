#pragma once

#include <vector>

#include "narrows/engine/executor/activation.h"
#include "narrows/graph/graph.h"

namespace narrows::executor {

/// What a convolution (or product) does to each result before it stores it: add a bias, then
/// `residual` when it comes before the activation, then the activation, then `residual` otherwise.
struct Epilogue {
  Activation activation;
  ValueId residual;  // invalid when absent; of the result's shape
  bool residual_after_activation = false;
};

/// A node that does the work of the nodes behind it too.
struct Fused {
  Epilogue epilogue;
  ValueId result;  // the value that is stored
  NodeId last;     // the node that made it in the graph; all operands exist when it is reached
  std::vector<NodeId> nodes;  // all of them, the head first
};

/// Which nodes are done by which.
class FusionPlan {
 public:
  explicit FusionPlan(const Graph& graph);

  /// Whether another node does the work of this one.
  bool absorbed(NodeId id) const { return absorbed_[id.index()]; }
  /// The node whose work ends at `id`: itself, or the head of a fused chain.
  NodeId headEndingAt(NodeId id) const { return heads_[id.index()]; }
  const Fused& fused(NodeId head) const { return fused_[head.index()]; }

 private:
  void grow(const Graph& graph, NodeId head);
  bool growActivation(const Graph& graph, Fused& fused);
  bool growGate(const Graph& graph, Fused& fused);
  bool growResidual(const Graph& graph, Fused& fused);
  void extend(const Graph& graph, Fused& fused, NodeId by);
  /// Whether another chain holds the node: inside, or as its end.
  bool isTaken(NodeId id) const { return absorbed_[id.index()] || heads_[id.index()] != id; }

  std::vector<bool> absorbed_;
  std::vector<NodeId> heads_;
  std::vector<Fused> fused_;
};

/// Whether the executor computes this node with a kernel that has an epilogue: a convolution or
/// product of f32 with constant weights.
bool hasEpilogue(const Graph& graph, const Node& node);

}  // namespace narrows::executor
