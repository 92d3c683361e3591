#pragma once

#include <vector>

#include "narrows/bundle/bundle.h"
#include "narrows/codec/params.h"
#include "narrows/eval/piece_runner.h"

namespace narrows {

/// The pieces of a bundle for one node and one server, and what crosses between them.
struct TwoPieces {
  CutPieces pieces;
  std::vector<FeatureInterface> interfaces;
};

/// Fails on bundles of another shape than node and server.
Result<TwoPieces> twoPieces(Bundle bundle);

}  // namespace narrows
