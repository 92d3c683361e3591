#pragma once

#include <cstdint>
#include <string>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cli/design_pricer.h"
#include "narrows/graph/graph.h"

namespace narrows {

/// What crosses a cut before it is coded.
struct CrossingSymbols {
  /// Bits of a symbol; 0: fp32 crosses.
  int bits = 0;
  /// Of an autoencoder at the cut; 0: none. It needs a map of rank 4 whose sides the stride
  /// divides.
  std::int64_t latent_channels = 0;
  std::int64_t latent_stride = 1;
};

struct AutomaticCut {
  std::string name;
  /// Of the node for a picture: computing and sending the packed symbols. Modelled.
  Joules node_energy;
  Bytes packed;
};

/// The cut of one tensor at which the node spends the least energy on a picture over the first
/// link, when the symbols cross packed and nothing is known of how they compress: of equal cuts the
/// first. Fails without a node profile that has a power, and on a network without a cut that fits.
Result<AutomaticCut> chooseAutomaticCut(const Graph& simplified, const CostOptions& cost,
                                        const CrossingSymbols& symbols);

}  // namespace narrows
