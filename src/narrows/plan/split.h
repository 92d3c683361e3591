#pragma once

#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/cuts.h"
#include "narrows/graph/graph.h"
#include "narrows/plan/plan.h"

/// Builders of plans for one node and one server.
namespace narrows {

inline constexpr std::string_view kNodeDevice = "node";
inline constexpr std::string_view kServerDevice = "server";

/// A plan and the graphs of its pieces, in the order of `plan.pieces`.
struct SplitModel {
  Plan plan;
  std::vector<Graph> pieces;
};

/// Piece "node" computes the cut's values, piece "server" the model's outputs from them; the
/// outputs are wanted on the server. One interface for each value of the cut, in its order, with
/// its type. A value of the cut that is an input of the model crosses without a piece, and a side
/// with nothing to compute has no piece.
Result<SplitModel> splitAt(const Graph& graph, const Cut& cut,
                           std::vector<FeatureInterface> interfaces);

/// The picture crosses; piece "server" is the whole model. The model must have one input of shape
/// 1x3xHxW.
Result<SplitModel> allOnServer(const Graph& graph, const ImageInterface& interface);

/// Piece "node" is the whole model and its outputs are wanted there; nothing crosses.
Result<SplitModel> allOnNode(const Graph& graph);

/// The interface that carries elements as they are.
FeatureInterface plainInterface(const TensorType& type);

}  // namespace narrows
