#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/engine/engine.h"
#include "narrows/engine/precision.h"
#include "narrows/graph/graph.h"

namespace narrows {

struct LayerTimerOptions {
  std::size_t threads = 1;
  /// Ranges of integers are those of the inputs.
  Precision precision = Precision::f32;
  /// Before each run (see `restFor`).
  Seconds rest;
};

/// f32 inputs with elements uniform in [0, 1), others all 0.
std::vector<Tensor> drawInputs(const Graph& graph, std::uint64_t seed);

/// Nodes that the engine computes together, and how long they take.
struct PartTime {
  std::vector<std::string> nodes;
  Seconds time;
};

/// What a graph takes on this host, medians over the runs. With one thread they are processor times
/// of that thread.
struct LayerTimes {
  /// In the order of the run.
  std::vector<PartTime> parts;
  /// Of a whole run without clocks between its parts.
  Seconds whole;
  /// Of a whole run that follows another one at once.
  Seconds at_once;
  /// Half the distance between the first and the last decile of `whole`, as a share of it.
  double spread = 0;
};

/// Runs a graph again and again and notes how long its parts take. Several timers that take turns
/// share what disturbs the machine.
class LayerTimer {
 public:
  /// Inputs should be such as the graph meets: what is computed of others may leave the range of
  /// normal numbers, which takes a processor many times as long.
  static Result<LayerTimer> create(const Engine& engine, const Graph& graph,
                                   std::vector<Tensor> inputs, const LayerTimerOptions& options);

  /// Runs it three times: as a whole, at once again, and part by part.
  Status run();
  /// Asserts that there was a run.
  LayerTimes times() const;
  /// Of the last run.
  const std::vector<Tensor>& outputs() const { return outputs_; }

 private:
  LayerTimer() = default;
  Status runWhole(std::vector<double>& seconds);
  Status runParts();

  std::unique_ptr<Program> program_;
  LayerTimerOptions options_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<TensorView> sources_;
  std::vector<MutableTensorView> targets_;
  std::vector<std::vector<std::string>> nodes_;  // by part
  std::vector<Seconds> now_;                     // of one run, by part
  // Seconds of each run.
  std::vector<double> whole_, at_once_;
  std::vector<std::vector<double>> parts_;  // by part
};

}  // namespace narrows
