#pragma once

#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/cli/end_designs.h"
#include "narrows/cli/explore_options.h"
#include "narrows/explore/halving.h"

namespace narrows {

/// What trained designs are made of and held against.
struct RungSetting {
  const ExploreCommand* command = nullptr;
  const DesignSpace* space = nullptr;
  const std::vector<Cut>* cuts = nullptr;
  const std::vector<QuantizerSpec>* quantizers = nullptr;
  SplitPricing* pricing = nullptr;
  Store* store = nullptr;
  /// Of the pictures that designs are scored on.
  const DataSet* data = nullptr;
  const ModelDescription* description = nullptr;
  /// Percent.
  double uncut = 0;
};

struct TrainedDesigns {
  EndDesigns ends;
  std::vector<Trial> trials;
};

/// The rung of the exploration that trains: groups that could still enter the Pareto set are
/// tightened by `narrows-train`, by successive halving within --train-budget, and come back as
/// designs with their own bundles beside the store. What the store has is not trained again. Fails
/// when the training pictures are those that designs are scored on.
Result<TrainedDesigns> tightenChances(const RungSetting& setting, const Exploration& exploration);

}  // namespace narrows
