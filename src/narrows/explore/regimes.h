#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "narrows/cost/split_pricer.h"
#include "narrows/explore/explorer.h"

namespace narrows {

/// A design whose frames are measured and whose accuracy is good enough, free of link and device.
struct PricedDesign {
  /// Position among the cuts; nothing when all runs on the node.
  std::optional<std::size_t> cut;
  /// Instead of a cut: the picture crosses.
  std::optional<ImageInterface> picture;
  Bytes bytes;
  /// On the host that measured them.
  Seconds encode;
  Seconds decode;
  /// Of the pieces, for sides that are this host.
  HostTimes times;
};

/// What can be turned about a setting.
enum class Knob : std::uint8_t { link_rate, node_speed, server_speed, bytes, node_work };
inline constexpr std::array kKnobs{Knob::link_rate, Knob::node_speed, Knob::server_speed,
                                   Knob::bytes, Knob::node_work};
std::string_view toString(Knob knob);

/// The setting with one knob at `factor` times what it was, above 0. A faster device takes
/// proportionally less time for everything, coding included, at the same power. A faster link sends
/// faster both ways; what its packets wait for stays. Bytes and the work of the node's piece, which
/// pruning lessens, belong to designs: nothing changes here.
SplitSetting turned(const SplitSetting& setting, Knob knob, double factor);

/// What features and the node's piece of every design that is cut are multiplied by.
struct DesignFactors {
  double bytes = 1;
  double node_work = 1;
};

/// Prices designs in any setting over its first link.
class Regimes {
 public:
  /// All references must outlive it. That of the drop is no bound here.
  Regimes(const Graph& graph, const std::vector<Cut>& cuts,
          const std::vector<PricedDesign>& designs, const DesignBounds& bounds = {})
      : graph_(&graph), cuts_(&cuts), designs_(&designs), bounds_(bounds) {}

  /// The score of each design, in their order, bounds or not.
  Result<std::vector<double>> scores(const SplitSetting& setting, Objective objective,
                                     const DesignFactors& factors = {}) const;
  /// The first design of least score among those that keep to the bounds in that setting; nothing
  /// where none does.
  Result<std::optional<std::size_t>> winner(const SplitSetting& setting, Objective objective) const;

  /// For each knob the elasticity of a design's score: by how many percent it changes when the knob
  /// is turned up by one, a central difference in logarithms. A design with score 0 has 0.
  Result<std::array<double, kKnobs.size()>> elasticities(const SplitSetting& setting,
                                                         Objective objective,
                                                         std::size_t design) const;

  /// The factor from 1 to `limit` (or from 1 down to it) at which the winner becomes another one,
  /// or there is none any more, to 1 %; nothing when it stays. By bisection, so of several changes
  /// one is found.
  Result<std::optional<double>> breakEven(const SplitSetting& setting, Objective objective,
                                          Knob knob, double limit) const;

 private:
  Result<std::vector<DesignCost>> costs(const SplitSetting& setting,
                                        const DesignFactors& factors) const;

  const Graph* graph_;
  const std::vector<Cut>* cuts_;
  const std::vector<PricedDesign>* designs_;
  DesignBounds bounds_;
};

}  // namespace narrows
