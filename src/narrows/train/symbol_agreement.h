#pragma once

#include <span>

#include "narrows/codec/params.h"
#include "narrows/engine/engine.h"
#include "narrows/eval/pictures.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// How the node piece's symbols differ between training's arithmetic and the inference engine's.
struct SymbolAgreement {
  std::size_t symbols = 0;
  std::size_t different = 0;
};
Result<SymbolAgreement> compareSymbols(const Graph& node,
                                       std::span<const FeatureInterface> interfaces,
                                       const DataSet& data, const ModelDescription& description,
                                       const Engine& engine, std::size_t pictures);

}  // namespace narrows
