#pragma once

#include <span>

#include "narrows/engine/engine.h"

namespace narrows {

/// Learns the ranges of a graph's values from inputs.
class RangeFinder {
 public:
  /// Compiles the graph with every value that a layer reads or makes as an output.
  static Result<RangeFinder> create(const Engine& engine, const Graph& graph,
                                    std::size_t threads = 1);

  /// Runs the graph on one set of inputs.
  Status observe(std::span<const TensorView> inputs);

  /// The mean over the runs of each value's smallest and largest number: single outliers of single
  /// runs count little.
  ValueRanges ranges() const;

 private:
  RangeFinder() = default;

  std::unique_ptr<Program> program_;
  std::vector<std::string> names_;
  std::vector<Tensor> outputs_;
  std::vector<double> lows_, highs_;
  std::size_t runs_ = 0;
};

}  // namespace narrows
