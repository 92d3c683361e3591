#include "narrows/cli/automatic_cut.h"

#include <optional>

#include "narrows/cli/cut_choice.h"

namespace narrows {
namespace {

/// Nothing where the autoencoder does not fit.
std::optional<Bytes> packedBytes(const Shape& shape, const CrossingSymbols& symbols) {
  double elements = static_cast<double>(shape.elements());
  if (symbols.latent_channels > 0) {
    const std::int64_t stride = symbols.latent_stride;
    if (shape.rank() != 4 || shape[2] % stride != 0 || shape[3] % stride != 0) return {};
    const std::int64_t area = shape[2] / stride * (shape[3] / stride);
    elements = static_cast<double>(symbols.latent_channels * area);
  }
  const double bits = symbols.bits > 0 ? symbols.bits : 32;
  return Bytes(elements * bits / 8);
}

}  // namespace

Result<AutomaticCut> chooseAutomaticCut(const Graph& simplified, const CostOptions& cost,
                                        const CrossingSymbols& symbols) {
  NARROWS_TRY(pricer, DesignPricer::create(cost, simplified));
  if (!pricer.splits().node().compute_power) {
    return makeError("--cut auto: --device {}: expected a profile that states a power",
                     cost.device.empty() ? "is this host" : cost.device);
  }
  NARROWS_TRY(cuts, chooseCuts(simplified, {}, 1));
  std::optional<AutomaticCut> best;
  for (const Cut& cut : cuts) {
    const auto packed = packedBytes(simplified.shape(cut.values[0]), symbols);
    if (!packed) continue;
    NARROWS_TRY(links, pricer.splits().forCut(cut, {}));
    const Price& price = pricer.splits().price(links[0], *packed, Seconds(), Seconds());
    const Joules energy = price.devices[0].energy();
    if (best && best->node_energy.value() <= energy.value()) continue;
    best = AutomaticCut{cutName(simplified, cut), energy, *packed};
  }
  if (!best) return makeError("--cut auto: the network has no cut of one tensor that fits");
  return *best;
}

}  // namespace narrows
