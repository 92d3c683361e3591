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

  /// Of an input, its smallest and largest number. Of other values, halfway between the mean over
  /// the runs of each one's smallest and largest number and those of all runs: single outliers of
  /// single runs count little. Values that 8 bits hold badly are
  /// left out, so that their layers stay in f32: those of which the rounding of 255 even steps
  /// (noise of step^2 / 12; Bennett, Spectra of Quantized Signals, 1948) comes within 35 dB.
  ValueRanges ranges() const;

 private:
  RangeFinder() = default;

  std::unique_ptr<Program> program_;
  std::vector<std::string> names_;
  std::vector<Tensor> outputs_;
  /// Of one value: sums over the runs, and the extremes of all.
  struct Seen {
    double lows = 0;
    double highs = 0;
    double lowest = 0;
    double highest = 0;
    double squares = 0;  // means of each run

    void add(std::span<const float> values);
  };
  std::vector<Seen> seen_;
  std::vector<std::string> inputs_;  // names; empty for inputs that are not f32
  std::vector<Seen> seen_inputs_;
  std::size_t runs_ = 0;
};

}  // namespace narrows
