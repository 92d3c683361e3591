#include "narrows/codec/context_cluster.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <span>

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

constexpr std::size_t kBlock = 16;
static_assert(kMostRows % kBlock == 0);
using Block = std::array<float, kBlock>;

/// Code lengths of a context of these weights in rows that come in blocks, by unit in each; returns
/// the shortest. The same bits whatever the width of vectors: each row has its own sum.
[[gnu::always_inline]] inline float weighRows(
    std::span<const std::array<Block, kUnitSymbols>> blocks, const UnitWeights& weights,
    float* sums) {
  Block least;
  least.fill(std::numeric_limits<float>::infinity());
  for (const std::array<Block, kUnitSymbols>& lengths : blocks) {
    Block block = {};
    for (std::size_t u = 0; u < kUnitSymbols; ++u) {
      for (std::size_t i = 0; i < kBlock; ++i) block[i] += weights[u] * lengths[u][i];
    }
    for (std::size_t i = 0; i < kBlock; ++i) least[i] = block[i] < least[i] ? block[i] : least[i];
    for (std::size_t i = 0; i < kBlock; ++i) sums[i] = block[i];
    sums += kBlock;
  }
  return *std::min_element(least.begin(), least.end());
}

using WeighRows = float (*)(std::span<const std::array<Block, kUnitSymbols>>, const UnitWeights&,
                            float*);

float weighRowsAnywhere(std::span<const std::array<Block, kUnitSymbols>> blocks,
                        const UnitWeights& weights, float* sums) {
  return weighRows(blocks, weights, sums);
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] float weighRowsAvx2(std::span<const std::array<Block, kUnitSymbols>> blocks,
                                            const UnitWeights& weights, float* sums) {
  return weighRows(blocks, weights, sums);
}
#endif

WeighRows fastestWeighRows() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return weighRowsAvx2;
#endif
  return weighRowsAnywhere;
}

/// Code lengths of all rows, in blocks of rows and for one unit after the other, so that the rows
/// of a block are weighed side by side.
class RowLengths {
 public:
  explicit RowLengths(const std::vector<UnitWeights>& lengths)
      : weigh_(fastestWeighRows()), blocks_((lengths.size() + kBlock - 1) / kBlock) {
    for (auto& block : blocks_) {
      for (Block& unit : block) unit.fill(kBeyond);
    }
    for (std::size_t row = 0; row < lengths.size(); ++row) {
      for (std::size_t u = 0; u < kUnitSymbols; ++u)
        blocks_[row / kBlock][u][row % kBlock] = lengths[row][u];
    }
  }

  /// The row with the shortest code for a context, the first of several.
  std::size_t best(const UnitWeights& weights) const {
    float sums[kMostRows];
    const float least = weigh_(blocks_, weights, sums);
    return static_cast<std::size_t>(std::find(std::begin(sums), std::end(sums), least) - sums);
  }

 private:
  /// Code length of units in rows that are not there.
  static constexpr float kBeyond = 1e20F;

  WeighRows weigh_;
  std::vector<std::array<Block, kUnitSymbols>> blocks_;
};

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
    const RowLengths by_row(lengths);
    bool moved = false;
    for (const std::size_t c : contexts) {
      const std::size_t row = by_row.best(weights[c]);
      moved = moved || row != row_of[c];
      row_of[c] = row;
    }
    if (!moved) break;
    lengths = rowLengths(weights, contexts, row_of, max_rows);
  }
  const RowLengths by_row(lengths);
  // Contexts that were not seen have the weights of what stands in for them, many the same.
  std::map<UnitWeights, std::size_t> known;
  std::vector<std::uint8_t> rows(weights.size());
  for (std::size_t c = 0; c < weights.size(); ++c) {
    if (seen[c]) {
      rows[c] = static_cast<std::uint8_t>(row_of[c]);
      continue;
    }
    const auto [entry, added] = known.try_emplace(weights[c]);
    if (added) entry->second = by_row.best(weights[c]);
    rows[c] = static_cast<std::uint8_t>(entry->second);
  }
  return rows;
}

}  // namespace narrows
