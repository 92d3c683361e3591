#include "narrows/codec/context_tables.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace narrows {
namespace {

constexpr int kRounds = 8;
/// Weight, in units seen, of the whole set's distribution in a class's rows.
constexpr double kPriorOfClass = 40;
/// Units below which a class takes the whole set's row.
constexpr double kEnoughSeen = 16;
/// Weight of the distribution over all contexts in the whole set's rows.
constexpr double kPriorOfContext = 8;

using Weights = std::array<double, kUnitSymbols>;
using Possible = std::array<bool, kUnitSymbols>;

std::uint32_t startOf(const ContextTables::Row& row, std::size_t unit) {
  return unit == 0 ? 0 : row[unit - 1];
}

/// Steps of 2^(1/6): a frequency that is 6 % off costs a thousandth of a bit, and rounded ones let
/// the tables compress.
double rounded(double weight) {
  return weight > 0 ? std::exp2(std::round(std::log2(weight) * 6) / 6) : 0.0;
}

/// A class's counts in a context drawn towards the whole set's, which stand alone where the class
/// has seen too little to differ.
Weights rowWeights(const Weights& counts, const Weights& whole, double whole_sum) {
  const double seen = std::accumulate(counts.begin(), counts.end(), 0.0);
  const bool of_class = seen >= kEnoughSeen;
  Weights weights{};
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    weights[u] = rounded((of_class ? counts[u] : 0.0) + kPriorOfClass * whole[u] / whole_sum);
  }
  return weights;
}

}  // namespace

ContextTables::Row frequencyRow(std::span<const double, kUnitSymbols> weights,
                                std::span<const bool, kUnitSymbols> possible) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::array<std::uint32_t, kUnitSymbols> frequencies{};
  std::uint32_t used = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    if (!possible[u]) continue;
    const double share = sum > 0 ? weights[u] / sum : 1.0 / kUnitSymbols;
    frequencies[u] =
        std::max<std::uint32_t>(1, static_cast<std::uint32_t>(share * kContextTotal + 0.5));
    used += frequencies[u];
  }
  // The largest takes the difference: it loses the least by it.
  while (used != kContextTotal) {
    const auto largest = std::max_element(frequencies.begin(), frequencies.end());
    if (used < kContextTotal) {
      *largest += kContextTotal - used;
      used = kContextTotal;
    } else {
      const std::uint32_t taken = std::min(used - kContextTotal, *largest / 2);
      *largest -= taken;
      used -= taken;
    }
  }
  ContextTables::Row row{};
  std::uint32_t end = 0;
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    end += frequencies[u];
    row[u] = static_cast<std::uint16_t>(end);
  }
  return row;
}

ContextTrainer::ContextTrainer(const SymbolLayout& layout) : grid_(layout) {}

void ContextTrainer::observe(std::span<const std::uint8_t> symbols) {
  const SymbolLayout& layout = grid_.layout();
  NARROWS_ASSERT(symbols.size() == layout.symbols());
  const std::size_t plane_symbols = layout.height * layout.width;
  const std::size_t parts = grid_.lowBits() > 0 ? 2 : 1;
  const std::size_t units = grid_.unitsPerPlane();
  if (units == 0 || total_units_ + layout.planes * units * parts > kMaxUnits) return;
  ++maps_;
  for (std::size_t p = 0; p < layout.planes; ++p) {
    const std::span<const std::uint8_t> plane = symbols.subspan(p * plane_symbols, plane_symbols);
    if (std::all_of(plane.begin(), plane.end(), [](std::uint8_t s) { return s == 0; })) continue;
    Plane seen;
    seen.index = p;
    seen.units.resize(units * parts);
    seen.rows.resize(units * parts);
    std::uint8_t* low = parts == 2 ? seen.units.data() + units : nullptr;
    grid_.split(plane.data(), seen.units.data(), low);
    grid_.contexts(seen.units.data(), low, seen.rows.data(),
                   parts == 2 ? seen.rows.data() + units : nullptr);
    total_units_ += units * parts;
    planes_.push_back(std::move(seen));
  }
}

ContextTables ContextTrainer::fit() const {
  const SymbolLayout& layout = grid_.layout();
  if (planes_.empty()) return ContextTables::standard(layout);
  const std::size_t rows = grid_.rows();
  const std::size_t classes = kContextClasses - 1;

  std::vector<Possible> possible(rows);
  for (std::size_t row = 0; row < rows; ++row) possible[row] = grid_.possibleUnits(row);

  // Planes start in classes of like density.
  std::vector<std::size_t> order(planes_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::vector<double> density(planes_.size());
  for (std::size_t i = 0; i < planes_.size(); ++i) {
    const auto& units = planes_[i].units;
    density[i] = static_cast<double>(std::count(units.begin(), units.end(), 0)) /
                 static_cast<double>(units.size());
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return density[a] > density[b]; });
  std::vector<std::size_t> class_of(planes_.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    class_of[order[i]] = i * classes / order.size();
  }

  ContextTables tables;
  tables.units_.assign(classes, std::vector<ContextTables::Row>(rows));
  std::vector<std::vector<Weights>> counts(classes);
  std::vector<std::array<float, kUnitSymbols>> lengths(rows * classes);
  for (int round = 0; round < kRounds; ++round) {
    for (auto& table : counts) table.assign(rows, Weights{});
    for (std::size_t i = 0; i < planes_.size(); ++i) {
      auto& table = counts[class_of[i]];
      const Plane& plane = planes_[i];
      for (std::size_t k = 0; k < plane.units.size(); ++k)
        table[plane.rows[k]][plane.units[k]] += 1;
    }
    Weights overall{};
    std::vector<Weights> whole(rows, Weights{});
    for (const auto& table : counts) {
      for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t u = 0; u < kUnitSymbols; ++u) {
          whole[row][u] += table[row][u];
          overall[u] += table[row][u];
        }
      }
    }
    const double all = std::accumulate(overall.begin(), overall.end(), 0.0);
    for (std::size_t row = 0; row < rows; ++row) {
      double sum = 0;
      for (std::size_t u = 0; u < kUnitSymbols; ++u) {
        if (!possible[row][u]) continue;
        whole[row][u] += kPriorOfContext * (overall[u] + 1) / (all + kUnitSymbols);
        sum += whole[row][u];
      }
      for (std::size_t c = 0; c < classes; ++c) {
        const Weights weights = rowWeights(counts[c][row], whole[row], sum);
        const ContextTables::Row frequencies = frequencyRow(weights, possible[row]);
        tables.units_[c][row] = frequencies;
        for (std::size_t u = 0; u < kUnitSymbols; ++u) {
          const std::uint32_t f = frequencies[u] - startOf(frequencies, u);
          lengths[c * rows + row][u] =
              f == 0 ? 0.0F : static_cast<float>(kContextPrecision - std::log2(f));
        }
      }
    }
    if (round + 1 == kRounds) break;
    for (std::size_t i = 0; i < planes_.size(); ++i) {
      const Plane& plane = planes_[i];
      double best = 0;
      for (std::size_t c = 0; c < classes; ++c) {
        const auto* table = lengths.data() + c * rows;
        double length = 0;
        for (std::size_t k = 0; k < plane.units.size(); ++k) {
          length += static_cast<double>(table[plane.rows[k]][plane.units[k]]);
        }
        if (c == 0 || length < best) {
          best = length;
          class_of[i] = c;
        }
      }
    }
  }

  // Class 0 is what a plane had in the maps in which it is not listed.
  std::vector<Weights> class_counts(layout.planes, Weights{});
  for (Weights& weights : class_counts) weights[0] = static_cast<double>(maps_);
  for (std::size_t i = 0; i < planes_.size(); ++i) {
    class_counts[planes_[i].index][class_of[i] + 1] += 1;
    class_counts[planes_[i].index][0] -= 1;
  }
  Weights all_planes{};
  for (const Weights& weights : class_counts) {
    for (std::size_t c = 0; c < kUnitSymbols; ++c) all_planes[c] += weights[c];
  }
  const double sum = std::accumulate(all_planes.begin(), all_planes.end(), 0.0);
  Possible possible_classes{};
  for (std::size_t c = 0; c <= classes; ++c) possible_classes[c] = true;
  for (Weights& weights : class_counts) {
    for (std::size_t c = 0; c <= classes; ++c) weights[c] += 1.5 * (all_planes[c] + 1) / (sum + 9);
    tables.plane_classes_.push_back(frequencyRow(weights, possible_classes));
  }
  return tables;
}

}  // namespace narrows
