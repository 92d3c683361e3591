#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "narrows/graph/graph.h"

namespace narrows::executor {

/// Draws small graphs over f32 maps that mix every family of operator with odd geometry: groups,
/// dilation, asymmetric padding, ceil mode, concatenations in concatenations, slices, shuffles,
/// values that are read by several nodes and also outputs.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : random_(seed) {}

  Graph draw(std::size_t nodes);
  /// Values for the graph's inputs, in [-1, 1].
  std::vector<Tensor> inputs(const Graph& graph);

 private:
  std::int64_t below(std::int64_t bound) {
    return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random_);
  }
  bool chance(int percent) { return below(100) < percent; }
  Tensor tensor(const Shape& shape, float scale);
  std::int64_t count() const { return static_cast<std::int64_t>(values_.size()); }
  ValueId anyMap(const Graph& graph);
  Window2d window(const Shape& shape, bool pool);

  /// One more node (or a few that belong together); false when the draw did not fit.
  bool grow(Graph& graph);
  bool conv(Graph& graph);
  bool pool(Graph& graph);
  bool activate(Graph& graph);
  bool gate(Graph& graph);
  bool join(Graph& graph);
  bool arithmetic(Graph& graph);
  bool slice(Graph& graph);
  bool shuffle(Graph& graph);
  bool rearrange(Graph& graph);
  bool resample(Graph& graph);
  bool pad(Graph& graph);
  bool product(Graph& graph);
  bool normalise(Graph& graph);
  bool reduce(Graph& graph);
  bool keep(Graph& graph, Result<ValueId> value);

  std::mt19937_64 random_;
  std::vector<ValueId> values_;
};

}  // namespace narrows::executor
