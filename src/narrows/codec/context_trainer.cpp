#include <algorithm>
#include <cmath>
#include <numeric>

#include "narrows/codec/context_cluster.h"
#include "narrows/codec/context_guess.h"
#include "narrows/codec/context_reference.h"
#include "narrows/codec/context_tables.h"

namespace narrows {
namespace {

constexpr std::size_t kClasses = kContextClasses - 1;
constexpr int kClassRounds = 6;
/// Weight, in units seen, of the distribution under the coarse context in that of a context, of
/// that over all reference levels in the coarse one, and of all units in that.
constexpr float kPriorOfContext = 100;
constexpr float kPriorOfCoarse = 30;
constexpr float kPriorOfAlone = 1;
/// Weight of the whole set's distribution in a class's rows.
constexpr double kPriorOfClass = 100;
/// Maps from which on some are held out to see whether reference planes pay.
constexpr std::size_t kEnoughMaps = 4;
/// The share of the held-out code that references must save to be worth their tables.
constexpr double kLeastGain = 0.004;
/// Units seen that pay for a row, and the fewest rows.
constexpr std::size_t kUnitsPerRow = 1000;
constexpr std::size_t kFewestRows = 64;

using Weights = std::array<double, kUnitSymbols>;

/// Steps of 2^(1/6): a frequency that is 6 % off costs a thousandth of a bit, and rounded ones let
/// the tables compress.
double rounded(double weight) {
  return weight > 0 ? std::exp2(std::round(std::log2(weight) * 6) / 6) : 0.0;
}

/// counts + weight * share of each unit in prior.
UnitWeights drawn(const UnitWeights& counts, const UnitWeights& prior, float weight) {
  const float sum = std::accumulate(prior.begin(), prior.end(), 0.0F);
  UnitWeights result = counts;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    result[u] += sum > 0 ? weight * prior[u] / sum : 0.0F;
  }
  return result;
}

}  // namespace

/// One fit of tables to some maps, with given reference planes.
class ContextFit {
 public:
  using Maps = std::vector<const std::uint8_t*>;

  ContextFit(const ContextGrid& grid, std::vector<ContextPlane> references)
      : grid_(grid),
        units_(grid.unitsPerPlane()),
        low_(grid.lowBits() > 0),
        guesser_(grid, references, context::fastestLoops()) {
    guesser_.reserveSlots(1);
    tables_.planes_ = std::move(references);
  }

  ContextTables fit(const Maps& maps) {
    chooseRows(maps);
    std::vector<Plane> planes = livePlanes(maps);
    startClasses(planes);
    for (int round = 0; round < kClassRounds; ++round) {
      fitRows(planes);
      if (round + 1 < kClassRounds) {
        for (Plane& plane : planes) plane.class_index = bestClass(plane).first;
      }
    }
    fitPlaneClasses(planes, maps.size());
    return tables_;
  }

  /// Bits of the units of maps with the tables of the last fit.
  double bits(const Maps& maps) const {
    double sum = 0;
    for (const Plane& plane : livePlanes(maps)) sum += bestClass(plane).second;
    return sum;
  }

 private:
  /// A plane that is not zeros alone.
  struct Plane {
    std::size_t index = 0;
    std::size_t class_index = 0;
    /// Rows in `tables_` and units: high, then low.
    std::vector<std::uint16_t> rows;
    std::vector<std::uint8_t> units;
  };

  std::size_t planeUnits() const { return units_ * (low_ ? 2 : 1); }
  const std::uint8_t* highOf(const std::uint8_t* map, std::size_t p) const {
    return map + p * units_;
  }
  const std::uint8_t* lowOf(const std::uint8_t* map, std::size_t p) const {
    return low_ ? map + (grid_.layout().planes + p) * units_ : nullptr;
  }
  bool isLive(const std::uint8_t* map, std::size_t p) const {
    const auto any = [&](const std::uint8_t* units) {
      return std::any_of(units, units + units_, [](std::uint8_t u) { return u != 0; });
    };
    return any(highOf(map, p)) || (low_ && any(lowOf(map, p)));
  }
  /// Has the guesser see a map, whose contexts are asked for next.
  void lookAt(const std::uint8_t* map) const {
    std::vector<std::uint8_t> values(grid_.layout().height * grid_.layout().width);
    for (std::size_t p = 0; p < grid_.layout().planes && !tables_.planes_.empty(); ++p) {
      const std::uint8_t* high = highOf(map, p);
      if (grid_.symbolsPerUnit() > 1) {
        grid_.join(high, nullptr, values.data());
        high = values.data();
      }
      guesser_.note(p, high);
    }
  }
  void contextsOf(const std::uint8_t* map, std::size_t p, std::uint16_t* contexts) const {
    grid_.planeContexts(highOf(map, p), lowOf(map, p),
                        tables_.planes_.empty() ? nullptr : guesser_.guess(p, 0), contexts,
                        contexts + units_);
  }

  void chooseRows(const Maps& maps);
  std::vector<Plane> livePlanes(const Maps& maps) const;
  void startClasses(std::vector<Plane>& planes) const;
  void fitRows(const std::vector<Plane>& planes);
  std::pair<std::size_t, double> bestClass(const Plane& plane) const;
  void fitPlaneClasses(const std::vector<Plane>& planes, std::size_t maps);

  const ContextGrid& grid_;
  std::size_t units_;
  bool low_;
  mutable ContextGuesser guesser_;
  ContextTables tables_;
  /// Code lengths by row, unit, class.
  std::vector<std::array<float, kClasses>> lengths_;
};

void ContextFit::chooseRows(const Maps& maps) {
  std::vector<UnitWeights> counts(grid_.contexts(), UnitWeights{});
  std::vector<UnitWeights> low_counts(grid_.lowContexts(), UnitWeights{});
  std::vector<std::uint16_t> contexts(planeUnits());
  for (const std::uint8_t* map : maps) {
    lookAt(map);
    for (std::size_t p = 0; p < grid_.layout().planes; ++p) {
      if (!isLive(map, p)) continue;
      contextsOf(map, p, contexts.data());
      for (std::size_t k = 0; k < units_; ++k) {
        counts[contexts[k]][highOf(map, p)[k]] += 1;
        if (low_) low_counts[contexts[units_ + k]][lowOf(map, p)[k]] += 1;
      }
    }
  }

  const std::size_t most_rows = std::clamp(
      maps.size() * grid_.layout().planes * units_ / kUnitsPerRow, kFewestRows, kMaxContextRows);

  // Coarser and coarser distributions stand in for what was not seen.
  UnitWeights all{};
  std::vector<UnitWeights> coarse(grid_.coarseContexts(), UnitWeights{});
  std::vector<UnitWeights> alone(grid_.coarseContexts(), UnitWeights{});
  const std::size_t high_units = std::size_t{1} << (grid_.highBits() * grid_.symbolsPerUnit());
  for (std::size_t u = 0; u < high_units; ++u) all[u] = 0.5F;
  for (std::size_t c = 0; c < counts.size(); ++c) {
    const std::size_t at = grid_.coarseContext(c);
    for (std::size_t u = 0; u < kUnitSymbols; ++u) {
      all[u] += counts[c][u];
      coarse[at][u] += counts[c][u];
      alone[grid_.coarseAlone(at)][u] += counts[c][u];
    }
  }
  std::vector<bool> seen(counts.size());
  for (std::size_t c = 0; c < counts.size(); ++c) {
    seen[c] = std::any_of(counts[c].begin(), counts[c].end(), [](float n) { return n > 0; });
    const std::size_t at = grid_.coarseContext(c);
    const UnitWeights alone_prior = drawn(alone[grid_.coarseAlone(at)], all, kPriorOfAlone);
    const UnitWeights prior = drawn(coarse[at], alone_prior, kPriorOfCoarse);
    counts[c] = drawn(counts[c], prior, kPriorOfContext);
  }
  tables_.row_of_ = clusterContexts(counts, seen, most_rows);
  tables_.high_rows_ = 1U + *std::max_element(tables_.row_of_.begin(), tables_.row_of_.end());

  std::size_t low_rows = 0;
  if (low_) {
    std::vector<bool> low_seen(low_counts.size());
    UnitWeights like{};
    for (std::size_t u = 0; u < std::size_t{1} << grid_.lowBits(); ++u) like[u] = 1;
    for (std::size_t c = 0; c < low_counts.size(); ++c) {
      low_seen[c] =
          std::any_of(low_counts[c].begin(), low_counts[c].end(), [](float n) { return n > 0; });
      low_counts[c] = drawn(low_counts[c], like, kPriorOfContext);
    }
    tables_.low_row_of_ = clusterContexts(low_counts, low_seen, most_rows);
    low_rows = 1U + *std::max_element(tables_.low_row_of_.begin(), tables_.low_row_of_.end());
  }
  tables_.units_.assign(kClasses, std::vector<ContextTables::Row>(tables_.high_rows_ + low_rows));
}

std::vector<ContextFit::Plane> ContextFit::livePlanes(const Maps& maps) const {
  std::vector<Plane> planes;
  for (const std::uint8_t* map : maps) {
    lookAt(map);
    for (std::size_t p = 0; p < grid_.layout().planes; ++p) {
      if (!isLive(map, p)) continue;
      Plane plane;
      plane.index = p;
      plane.rows.resize(planeUnits());
      plane.units.assign(highOf(map, p), highOf(map, p) + units_);
      contextsOf(map, p, plane.rows.data());
      for (std::size_t k = 0; k < units_; ++k) plane.rows[k] = tables_.row_of_[plane.rows[k]];
      if (low_) {
        plane.units.insert(plane.units.end(), lowOf(map, p), lowOf(map, p) + units_);
        for (std::size_t k = units_; k < 2 * units_; ++k) {
          plane.rows[k] =
              static_cast<std::uint16_t>(tables_.high_rows_ + tables_.low_row_of_[plane.rows[k]]);
        }
      }
      planes.push_back(std::move(plane));
    }
  }
  return planes;
}

/// Planes start in classes of like density.
void ContextFit::startClasses(std::vector<Plane>& planes) const {
  std::vector<std::size_t> order(planes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> zeros(planes.size());
  for (std::size_t i = 0; i < planes.size(); ++i) {
    const auto& units = planes[i].units;
    zeros[i] = static_cast<double>(std::count(units.begin(), units.end(), 0)) /
               static_cast<double>(units.size());
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return zeros[a] > zeros[b]; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    planes[order[i]].class_index = i * kClasses / order.size();
  }
}

void ContextFit::fitRows(const std::vector<Plane>& planes) {
  const std::size_t rows = tables_.units_[0].size();
  std::vector<std::vector<Weights>> counts(kClasses, std::vector<Weights>(rows, Weights{}));
  for (const Plane& plane : planes) {
    std::vector<Weights>& table = counts[plane.class_index];
    for (std::size_t k = 0; k < plane.units.size(); ++k) {
      table[plane.rows[k]][plane.units[k]] += 1;
    }
  }
  const std::size_t high_units = std::size_t{1} << (grid_.highBits() * grid_.symbolsPerUnit());
  const std::size_t low_units = std::size_t{1} << grid_.lowBits();
  lengths_.resize(rows * kUnitSymbols);
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t used = row < tables_.high_rows_ ? high_units : low_units;
    Weights whole{};
    for (std::size_t u = 0; u < used; ++u) {
      whole[u] = 0.05;
      for (std::size_t c = 0; c < kClasses; ++c) whole[u] += counts[c][row][u];
    }
    const double sum = std::accumulate(whole.begin(), whole.end(), 0.0);
    for (std::size_t c = 0; c < kClasses; ++c) {
      Weights weights{};
      for (std::size_t u = 0; u < used; ++u) {
        weights[u] = rounded(counts[c][row][u] + kPriorOfClass * whole[u] / sum);
      }
      const ContextTables::Row ends = frequencyRow(weights, used);
      tables_.units_[c][row] = ends;
      for (std::size_t u = 0; u < used; ++u) {
        const auto frequency = static_cast<float>(ends[u] - (u == 0 ? 0 : ends[u - 1]));
        lengths_[row * kUnitSymbols + u][c] = kContextPrecision - std::log2(frequency);
      }
    }
  }
}

std::pair<std::size_t, double> ContextFit::bestClass(const Plane& plane) const {
  std::array<double, kClasses> sums{};
  std::array<float, kClasses> part{};
  for (std::size_t k = 0; k < plane.units.size(); ++k) {
    const auto& lengths =
        lengths_[static_cast<std::size_t>(plane.rows[k]) * kUnitSymbols + plane.units[k]];
    for (std::size_t c = 0; c < kClasses; ++c) part[c] += lengths[c];
    if (k % 256 == 255 || k + 1 == plane.units.size()) {
      for (std::size_t c = 0; c < kClasses; ++c) sums[c] += static_cast<double>(part[c]);
      part = {};
    }
  }
  const auto best = std::min_element(sums.begin(), sums.end());
  return {static_cast<std::size_t>(best - sums.begin()), *best};
}

void ContextFit::fitPlaneClasses(const std::vector<Plane>& planes, std::size_t maps) {
  // Class 0 is what a plane had in the maps in which it is not listed.
  std::vector<Weights> counts(grid_.layout().planes, Weights{});
  for (Weights& weights : counts) weights[0] = static_cast<double>(maps);
  for (const Plane& plane : planes) {
    counts[plane.index][plane.class_index + 1] += 1;
    counts[plane.index][0] -= 1;
  }
  Weights all{};
  for (const Weights& weights : counts) {
    for (std::size_t c = 0; c < kContextClasses; ++c) all[c] += weights[c];
  }
  const double sum = std::accumulate(all.begin(), all.end(), 0.0);
  for (Weights& weights : counts) {
    for (std::size_t c = 0; c < kContextClasses; ++c) {
      weights[c] += 1.5 * (all[c] + 1) / (sum + double{kContextClasses});
    }
    tables_.plane_classes_.push_back(frequencyRow(weights, kContextClasses));
  }
}

ContextTrainer::ContextTrainer(const SymbolLayout& layout) : grid_(layout) {}

void ContextTrainer::observe(std::span<const std::uint8_t> symbols) {
  const SymbolLayout& layout = grid_.layout();
  NARROWS_ASSERT(symbols.size() == layout.symbols());
  const std::size_t units = grid_.unitsPerPlane();
  const bool low = grid_.lowBits() > 0;
  const std::size_t map_units = layout.planes * units * (low ? 2 : 1);
  if (map_units == 0 || (maps_.size() + 1) * map_units > kMaxUnits) return;
  std::vector<std::uint8_t> map(map_units);
  std::uint8_t* high = map.data();
  const std::size_t plane_symbols = layout.height * layout.width;
  for (std::size_t p = 0; p < layout.planes; ++p) {
    grid_.split(symbols.data() + p * plane_symbols, high + p * units,
                low ? high + (layout.planes + p) * units : nullptr);
  }
  maps_.push_back(std::move(map));
}

ContextTables ContextTrainer::fit() const {
  if (maps_.empty()) return ContextTables::standard(grid_.layout());
  ContextFit::Maps all;
  for (const auto& map : maps_) all.push_back(map.data());
  std::vector<ContextPlane> references;
  if (all.size() >= kEnoughMaps) {
    ContextFit::Maps fitted;
    ContextFit::Maps held_out;
    for (std::size_t i = 0; i < all.size(); ++i) {
      (i % 4 == 3 ? held_out : fitted).push_back(all[i]);
    }
    references = chooseReferences(grid_, fitted);
    if (!references.empty()) {
      ContextFit with(grid_, references);
      ContextFit without(grid_, {});
      with.fit(fitted);
      without.fit(fitted);
      if (with.bits(held_out) > without.bits(held_out) * (1 - kLeastGain)) references.clear();
    }
  }
  return ContextFit(grid_, std::move(references)).fit(all);
}

}  // namespace narrows
