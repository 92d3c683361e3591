#include "narrows/cli/two_pieces.h"

namespace narrows {

Result<TwoPieces> twoPieces(Bundle bundle) {
  if (bundle.pieces.size() != 2) {
    return makeError("expected a bundle of a node's and a server's piece, not of {} pieces",
                     bundle.pieces.size());
  }
  TwoPieces two{{std::move(bundle.pieces[0]), std::move(bundle.pieces[1])}, {}};
  for (const InterfaceParams& params : bundle.plan.interfaces) {
    const auto* interface = std::get_if<FeatureInterface>(&params);
    if (interface == nullptr) return makeError("expected interfaces of feature frames");
    two.interfaces.push_back(*interface);
  }
  if (two.interfaces.size() != two.pieces.node.outputs().size()) {
    return makeError("the node's piece has {} outputs, the plan {} interfaces",
                     two.pieces.node.outputs().size(), two.interfaces.size());
  }
  return two;
}

}  // namespace narrows
