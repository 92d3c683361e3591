#pragma once

#include <string>
#include <utility>
#include <vector>

#include "narrows/graph/graph.h"
#include "narrows/vision/description.h"

namespace narrows {

/// A network with a YOLOv10 head as it is trained: beside the one-to-one branches that it has, a
/// copy of them for the one-to-many head (Wang et al. 2024, section 3.1). All values and constants
/// of the network keep their names.
struct DualHead {
  Graph graph;
  /// Logits of both heads, 1 x (4 bins + classes) x N.
  std::string one;
  std::string many;
  /// What the one-to-one branches read in place of the neck's maps: equal to them. Their gradient
  /// ends here, as in the published code.
  std::vector<std::string> necks;
  /// Each constant of the branches with its copy.
  std::vector<std::pair<std::string, std::string>> copies;
  /// Constants behind the logits, which make distances of them: not trained.
  std::vector<std::string> fixed;
};

/// Finds the branches by their form: the network's first output comes from a Concat on axis 2 of
/// one reshaped map for each stride, each a Concat of distances and scores, and the latest value
/// that both depend on is the neck's map. Fails where the network is not of that form.
Result<DualHead> addOneToManyHead(const Graph& graph, const Head& head);

}  // namespace narrows
