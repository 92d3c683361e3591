#include "narrows/codec/context_reference.h"

#include <algorithm>
#include <cmath>

namespace narrows {
namespace {

constexpr std::size_t kMostSamples = 4096;
/// Products that the correlations of all pairs may take.
constexpr std::size_t kMostProducts = 600'000'000;
/// Planes above which their pairs are not compared.
constexpr std::size_t kMostPlanes = 4096;
constexpr std::size_t kFewestPlanes = 8;
/// A plane that resembles none by more than this has no reference.
constexpr float kLeastSquare = 0.01F;

/// Sum of the symbols of a unit: what planes are compared by.
std::array<float, kUnitSymbols> unitSums(const ContextGrid& grid) {
  std::array<float, kUnitSymbols> sums{};
  const unsigned mask = (1U << grid.highBits()) - 1;
  for (unsigned unit = 0; unit < kUnitSymbols; ++unit) {
    for (int i = 0; i < grid.symbolsPerUnit(); ++i) {
      sums[unit] += static_cast<float>(unit >> (i * grid.highBits()) & mask);
    }
  }
  return sums;
}

/// Planes against planes, and how much there is to gain in each.
struct Likeness {
  std::size_t planes = 0;
  /// Squared correlations.
  std::vector<float> squares;
  /// Sums of squared deviations.
  std::vector<float> energy;

  float at(std::size_t a, std::size_t b) const { return squares[a * planes + b]; }
};

Likeness compare(const ContextGrid& grid, const std::vector<const std::uint8_t*>& maps) {
  const std::size_t planes = grid.layout().planes;
  const std::size_t units = grid.unitsPerPlane();
  const std::size_t all = maps.size() * units;
  const std::size_t samples =
      std::min({all, kMostSamples, std::max<std::size_t>(256, kMostProducts / (planes * planes))});
  const auto sums = unitSums(grid);

  Likeness likeness{planes, std::vector<float>(planes * planes), std::vector<float>(planes)};
  std::vector<float> values(planes * samples);
  for (std::size_t p = 0; p < planes; ++p) {
    float* row = values.data() + p * samples;
    double mean = 0;
    for (std::size_t i = 0; i < samples; ++i) {
      const std::size_t at = i * all / samples;
      row[i] = sums[maps[at / units][p * units + at % units]];
      mean += static_cast<double>(row[i]);
    }
    mean /= static_cast<double>(samples);
    double energy = 0;
    for (std::size_t i = 0; i < samples; ++i) {
      row[i] -= static_cast<float>(mean);
      energy += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
    likeness.energy[p] = static_cast<float>(energy);
    const float scale = energy > 0 ? static_cast<float>(1 / std::sqrt(energy)) : 0.0F;
    for (std::size_t i = 0; i < samples; ++i) row[i] *= scale;
  }
  for (std::size_t a = 0; a < planes; ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      // Eight sums, so that compilers vectorise.
      std::array<float, 8> parts{};
      const float* x = values.data() + a * samples;
      const float* y = values.data() + b * samples;
      for (std::size_t i = 0; i + 8 <= samples; i += 8) {
        for (std::size_t k = 0; k < 8; ++k) parts[k] += x[i + k] * y[i + k];
      }
      float product = 0;
      for (const float part : parts) product += part;
      likeness.squares[a * planes + b] = likeness.squares[b * planes + a] = product * product;
    }
  }
  return likeness;
}

/// Planes in each stage but the last; few, so that lanes stay full.
std::vector<std::size_t> stageSizes(std::size_t planes) {
  if (planes >= 64) return {planes / 8, planes / 8, planes / 4};
  if (planes >= 32) return {planes / 4, planes / 4};
  return {planes / 2};
}

/// The plane still without a stage that explains most of the others; what it could itself take
/// from lower stages counts against it by half.
std::size_t mostHelpful(const Likeness& likeness, const std::vector<int>& stage_of,
                        const std::vector<float>& explained, const std::vector<float>& before) {
  std::size_t best = 0;
  double best_gain = 0;
  bool found = false;
  for (std::size_t p = 0; p < likeness.planes; ++p) {
    if (stage_of[p] >= 0) continue;
    double gain = -0.5 * static_cast<double>((explained[p] - before[p]) * likeness.energy[p]);
    for (std::size_t other = 0; other < likeness.planes; ++other) {
      if (stage_of[other] >= 0 || other == p) continue;
      const float more = likeness.at(other, p) - explained[other];
      if (more > 0) gain += static_cast<double>(more * likeness.energy[other]);
    }
    if (!found || gain > best_gain) {
      best = p;
      best_gain = gain;
      found = true;
    }
  }
  return best;
}

}  // namespace

std::vector<ContextPlane> chooseReferences(const ContextGrid& grid,
                                           const std::vector<const std::uint8_t*>& maps) {
  const std::size_t planes = grid.layout().planes;
  if (planes < kFewestPlanes || planes > kMostPlanes || maps.empty()) return {};
  const Likeness likeness = compare(grid, maps);

  std::vector<int> stage_of(planes, -1);
  std::vector<float> explained(planes, 0);
  int stage = 0;
  for (const std::size_t size : stageSizes(planes)) {
    const std::vector<float> before = explained;
    for (std::size_t i = 0; i < size; ++i) {
      const std::size_t chosen = mostHelpful(likeness, stage_of, explained, before);
      stage_of[chosen] = stage;
      for (std::size_t p = 0; p < planes; ++p) {
        explained[p] = std::max(explained[p], likeness.at(p, chosen));
      }
    }
    ++stage;
  }

  std::vector<ContextPlane> result(planes);
  for (std::size_t p = 0; p < planes; ++p) {
    if (stage_of[p] < 0) stage_of[p] = stage;
    result[p].stage = static_cast<std::uint8_t>(stage_of[p]);
  }
  for (std::size_t p = 0; p < planes; ++p) {
    float best = kLeastSquare;
    for (std::size_t other = 0; other < planes; ++other) {
      if (result[other].stage >= result[p].stage || likeness.at(p, other) <= best) continue;
      best = likeness.at(p, other);
      result[p].reference = static_cast<std::uint32_t>(other);
    }
  }
  return result;
}

}  // namespace narrows
