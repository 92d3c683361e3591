#pragma once

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/absent.h"

namespace narrows {

/// A constant of a graph may be a type without elements (`withoutElements`): shapes, costs, cuts,
/// memory plans and passes need no more. Whoever runs or writes a graph asks this first. Fails,
/// naming the first, when a constant has no elements.
Status requireElements(const Graph& graph);

}  // namespace narrows
