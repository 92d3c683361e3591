#include "narrows/codec/context_cluster.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

constexpr int kRounds = 8;
constexpr std::size_t kMostRows = 256;
/// Weight of every unit in a row before any was seen.
constexpr float kFloor = 0.05F;
/// Code length of units in a row that no context uses.
constexpr float kNever = 30;

float total(const UnitWeights& weights) {
  return std::accumulate(weights.begin(), weights.end(), 0.0F);
}

/// Rows to start from: contexts in the order of their share of zeros, cut where as much of the
/// square root of their weight lies on either side.
std::vector<std::size_t> startRows(const std::vector<UnitWeights>& weights,
                                   const std::vector<std::size_t>& contexts, std::size_t rows) {
  std::vector<float> zeros(weights.size());
  double all = 0;
  for (const std::size_t c : contexts) {
    zeros[c] = weights[c][0] / std::max(total(weights[c]), 1e-20F);
    all += std::sqrt(static_cast<double>(total(weights[c])));
  }
  std::vector<std::size_t> order = contexts;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return zeros[a] < zeros[b]; });
  std::vector<std::size_t> row_of(weights.size(), 0);
  double before = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    row_of[order[i]] =
        order.size() <= rows
            ? i
            : std::min(rows - 1,
                       static_cast<std::size_t>(before / all * static_cast<double>(rows)));
    before += std::sqrt(static_cast<double>(total(weights[order[i]])));
  }
  return row_of;
}

/// Code lengths of the units in each row, of the contexts that use it.
std::vector<UnitWeights> rowLengths(const std::vector<UnitWeights>& weights,
                                    const std::vector<std::size_t>& contexts,
                                    const std::vector<std::size_t>& row_of, std::size_t rows) {
  std::vector<UnitWeights> sums(rows, UnitWeights{});
  for (const std::size_t c : contexts) {
    for (std::size_t u = 0; u < kUnitSymbols; ++u) sums[row_of[c]][u] += weights[c][u];
  }
  for (UnitWeights& row : sums) {
    const float seen = total(row);
    for (float& weight : row) {
      weight = seen <= 0 ? kNever
                         : -std::log2((weight + kFloor) / (seen + kFloor * float{kUnitSymbols}));
    }
  }
  return sums;
}

/// The code lengths of all rows for one unit after the other, so that the rows of a context are
/// weighed side by side.
std::vector<float> byUnit(const std::vector<UnitWeights>& lengths) {
  std::vector<float> turned(lengths.size() * kUnitSymbols);
  for (std::size_t row = 0; row < lengths.size(); ++row) {
    for (std::size_t u = 0; u < kUnitSymbols; ++u)
      turned[u * lengths.size() + row] = lengths[row][u];
  }
  return turned;
}

/// The row with the shortest code for a context, the first of several; `turned` as of byUnit for
/// `rows` rows.
std::size_t bestRow(const UnitWeights& weights, const std::vector<float>& turned,
                    std::size_t rows) {
  std::array<float, kMostRows> sums = {};
  for (std::size_t u = 0; u < kUnitSymbols; ++u) {
    const float* lengths = turned.data() + u * rows;
    for (std::size_t row = 0; row < rows; ++row) sums[row] += weights[u] * lengths[row];
  }
  // Several minima side by side: one alone would wait for itself at every row.
  std::array<float, 16> least;
  least.fill(sums[0]);
  std::size_t row = 0;
  for (; row + least.size() <= rows; row += least.size()) {
    for (std::size_t i = 0; i < least.size(); ++i)
      least[i] = sums[row + i] < least[i] ? sums[row + i] : least[i];
  }
  float best = *std::min_element(least.begin(), least.end());
  for (; row < rows; ++row) best = std::min(best, sums[row]);
  return static_cast<std::size_t>(std::find(sums.begin(), sums.begin() + rows, best) -
                                  sums.begin());
}

}  // namespace

std::vector<std::uint8_t> clusterContexts(const std::vector<UnitWeights>& weights,
                                          const std::vector<bool>& seen, std::size_t max_rows) {
  NARROWS_ASSERT(max_rows >= 1 && max_rows <= kMostRows);
  std::vector<std::size_t> contexts;
  for (std::size_t c = 0; c < weights.size(); ++c) {
    if (seen[c]) contexts.push_back(c);
  }
  std::vector<std::size_t> row_of = startRows(weights, contexts, max_rows);
  std::vector<UnitWeights> lengths = rowLengths(weights, contexts, row_of, max_rows);
  for (int round = 0; contexts.size() > max_rows && round < kRounds; ++round) {
    const std::vector<float> turned = byUnit(lengths);
    for (const std::size_t c : contexts) row_of[c] = bestRow(weights[c], turned, max_rows);
    lengths = rowLengths(weights, contexts, row_of, max_rows);
  }
  const std::vector<float> turned = byUnit(lengths);
  std::vector<std::uint8_t> rows(weights.size());
  for (std::size_t c = 0; c < weights.size(); ++c) {
    rows[c] =
        static_cast<std::uint8_t>(seen[c] ? row_of[c] : bestRow(weights[c], turned, max_rows));
  }
  return rows;
}

}  // namespace narrows
