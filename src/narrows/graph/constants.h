#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// New elements for constants.
using ConstantMap = std::unordered_map<ValueId, std::shared_ptr<const Tensor>>;

/// The same graph with these constants in the place of those it has, names kept. Shapes may differ
/// where every operator accepts them; all types are inferred anew.
Result<Graph> replaceConstants(const Graph& graph, const ConstantMap& constants);

/// Constants that training changes: weights and biases of convolutions and matrix products, scale
/// and bias of normalisations, slopes. Each once, in the order of the nodes that read them.
std::vector<ValueId> trainableConstants(const Graph& graph);
/// Means and variances of batch normalisations, each once, in the order of nodes.
std::vector<ValueId> statisticConstants(const Graph& graph);

}  // namespace narrows
