#pragma once

#include <functional>
#include <optional>

#include "narrows/base/units.h"
#include "narrows/data/dataset.h"
#include "narrows/engine/engine.h"
#include "narrows/engine/precision.h"
#include "narrows/eval/accuracy.h"
#include "narrows/graph/graph.h"
#include "narrows/vision/description.h"

namespace narrows {

/// One way of running a whole network.
struct EngineRun {
  Accuracy accuracy;
  /// Of one picture, mean.
  Seconds time{};
  ProgramMemory memory;
};

struct EngineCheck {
  Metric metric = Metric::top1;
  /// False: agreement with the plain run.
  bool against_truth = false;
  std::size_t pictures = 0;
  /// With default options but for threads.
  EngineRun plain;
  EngineRun changed;
};

struct EngineCheckOptions {
  /// Of the changed run; ranges of integers are found on the calibration pictures.
  Precision precision = Precision::f32;
  /// See EngineOptions.
  std::optional<std::size_t> kept_weights;
  /// Of one picture; pictures run one after another, so that times are those of a device.
  std::size_t threads = 1;
};

/// Runs the network on every picture plainly and with the options, and scores both.
Result<EngineCheck> checkEngine(const Engine& engine, const Graph& graph,
                                const ModelDescription& description, const DataSet& data,
                                const DataSet& calibration, const EngineCheckOptions& options,
                                const std::function<void()>& progress = {});

}  // namespace narrows
