#pragma once

#include "narrows/base/result.h"
#include "narrows/graph/copy.h"
#include "narrows/graph/graph.h"

/// The passes behind `simplifyPasses`, for passes.cpp only.
namespace narrows::passes {

Result<Graph> dropNoOps(const Graph& graph);
Result<Graph> mergeReshapes(const Graph& graph);
Result<Graph> mergeTransposes(const Graph& graph);
Result<Graph> foldConstants(const Graph& graph);
Result<Graph> foldPadding(const Graph& graph);
Result<Graph> foldAffine(const Graph& graph);
Result<Graph> mergeEqualNodes(const Graph& graph);
Result<Graph> dropDeadNodes(const Graph& graph);

/// Copies the graph node by node. `replace(copy, node)` may put something in the place of a node
/// (all its outputs are mapped then) and returns whether it did.
template <class Replace>
Result<Graph> rewrite(const Graph& graph, Replace replace) {
  GraphCopy copy(graph);
  copy.addInputs();
  for (NodeId id : nodeIds(graph)) {
    NARROWS_TRY(replaced, replace(copy, id));
    if (!replaced) NARROWS_CHECK(copy.copyNode(id));
  }
  NARROWS_CHECK(copy.setOutputs(graph.outputs()));
  return std::move(copy).take();
}

/// The operator `T` that makes `value`, when nothing but one node reads it; null otherwise.
template <class T>
const T* soleProducer(const Graph& graph, ValueId value) {
  const NodeId producer = graph.value(value).producer;
  if (!producer.valid() || graph.consumers(value).size() != 1 || graph.isOutput(value)) {
    return nullptr;
  }
  return std::get_if<T>(&graph.node(producer).op);
}

}  // namespace narrows::passes
