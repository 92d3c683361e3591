#include "narrows/graph/absent.h"

namespace narrows {

Status requireElements(const Graph& graph) {
  for (const Value& value : graph.values()) {
    if (!value.isConstant() || hasElements(*value.constant)) continue;
    return makeError(
        "constant \"{}\" has a type but no elements: the graph was built to be counted only",
        value.name);
  }
  return {};
}

}  // namespace narrows
