#pragma once

#include <optional>
#include <span>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cost/device_model.h"
#include "narrows/cost/time_predictor.h"

namespace narrows {

/// Layers that were measured together.
struct LayerSample {
  Terms terms;
  Seconds time;
};

/// A piece that was measured as a whole, and layer by layer.
struct PieceSample {
  /// Of all its layers and its edges.
  Terms terms;
  Seconds time;
  std::vector<LayerSample> layers;
};

struct NetworkSample {
  std::vector<PieceSample> pieces;
};

/// A device's speed as measurements give it.
struct DeviceFit {
  TimePredictor predictor;
  /// What a piece takes beyond its layers.
  Seconds start;
  /// For planners that know rates only; the same layers.
  ComputeRates rates;

  Seconds time(const Terms& piece) const { return start + predictor.time(piece); }
};

/// The prices at least 0 that minimise the sum over all layers of
/// ((predicted - measured) / (measured + 5 us))^2: the relative error, but for layers so short that
/// reading a clock disturbs them. A term that no layer has gets price 0. `start` is the median of
/// what pieces took beyond their layers. Fails without layers. `without` names a network to leave
/// out.
Result<DeviceFit> fitDevice(std::span<const NetworkSample> networks,
                            std::optional<std::size_t> without = {});

/// The times of each network's pieces as the fit over the other networks predicts them. At least
/// two networks.
Result<std::vector<std::vector<Seconds>>> leaveOneOut(std::span<const NetworkSample> networks);

/// Median over all pieces of |predicted / measured - 1|, percent. Asserts that there are any.
double medianErrorPercent(std::span<const NetworkSample> networks,
                          std::span<const std::vector<Seconds>> predicted);

}  // namespace narrows
