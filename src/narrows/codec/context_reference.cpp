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

/// Values of planes at the same sample places of the maps, less their means: in place, right +
/// below, left + above; and the neighbours that a plane has before it comes to a place.
struct Samples {
  std::size_t planes = 0;
  std::size_t count = 0;
  std::vector<float> here;
  std::vector<float> ahead;
  std::vector<float> behind;
  /// Of the plane itself: left, above, above left, above right.
  std::array<std::vector<float>, 4> before;
  /// As they are, not less their means.
  std::vector<float> values;
};

std::vector<std::uint8_t> valuesOf(const ContextGrid& grid, const std::uint8_t* units) {
  std::vector<std::uint8_t> values(grid.layout().height * grid.layout().width);
  if (grid.symbolsPerUnit() == 1) {
    std::copy_n(units, values.size(), values.begin());
  } else {
    grid.join(units, nullptr, values.data());
  }
  return values;
}

void centre(float* row, std::size_t count) {
  double mean = 0;
  for (std::size_t i = 0; i < count; ++i) mean += static_cast<double>(row[i]);
  mean /= static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) row[i] -= static_cast<float>(mean);
}

Samples takeSamples(const ContextGrid& grid, const std::vector<const std::uint8_t*>& maps) {
  const std::size_t planes = grid.layout().planes;
  const std::size_t width = grid.layout().width;
  const std::size_t count = grid.layout().height * width;
  const std::size_t all = maps.size() * count;
  const std::size_t samples =
      std::min({all, kMostSamples, std::max<std::size_t>(256, kMostProducts / (planes * planes))});
  Samples result;
  result.planes = planes;
  result.count = samples;
  result.here.resize(planes * samples);
  result.ahead.resize(planes * samples);
  result.behind.resize(planes * samples);
  result.values.resize(planes * samples);
  for (auto& rows : result.before) rows.resize(planes * samples);
  std::vector<std::size_t> places(samples);
  for (std::size_t i = 0; i < samples; ++i) places[i] = i * all / samples;
  for (std::size_t p = 0; p < planes; ++p) {
    float* rows[] = {result.here.data() + p * samples, result.ahead.data() + p * samples,
                     result.behind.data() + p * samples};
    std::size_t loaded = maps.size();
    std::vector<std::uint8_t> values;
    for (std::size_t i = 0; i < samples; ++i) {
      const std::size_t map = places[i] / count;
      const std::size_t at = places[i] % count;
      if (map != loaded) {
        values = valuesOf(grid, maps[map] + p * grid.unitsPerPlane());
        loaded = map;
      }
      const auto value = [&](bool inside, std::size_t index) {
        return inside ? static_cast<float>(values[index]) : 0.0F;
      };
      rows[0][i] = value(true, at);
      rows[1][i] = value(at + 1 < count, at + 1) + value(at + width < count, at + width);
      rows[2][i] = value(at >= 1, at - 1) + value(at >= width, at - width);
      const std::size_t k = p * samples + i;
      result.values[k] = rows[0][i];
      result.before[0][k] = value(at >= 1, at - 1);
      result.before[1][k] = value(at >= width, at - width);
      result.before[2][k] = value(at > width, at - width - 1);
      result.before[3][k] = value(at >= width, at - width + 1);
    }
    for (float* row : rows) centre(row, samples);
    for (auto& row : result.before) centre(row.data() + p * samples, samples);
  }
  return result;
}

float product(const float* x, const float* y, std::size_t count) {
  // Eight sums, so that compilers vectorise.
  std::array<float, 8> parts{};
  for (std::size_t i = 0; i + 8 <= count; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) parts[k] += x[i + k] * y[i + k];
  }
  float sum = 0;
  for (const float part : parts) sum += part;
  return sum;
}

/// Planes against planes, and how much there is to gain in each.
struct Likeness {
  std::size_t planes = 0;
  /// Sums of products.
  std::vector<float> products;
  /// Squared correlations.
  std::vector<float> squares;
  /// Sums of squared deviations.
  std::vector<float> energy;

  float at(std::size_t a, std::size_t b) const { return squares[a * planes + b]; }
};

Likeness compare(const Samples& samples) {
  const std::size_t planes = samples.planes;
  Likeness likeness{planes, std::vector<float>(planes * planes),
                    std::vector<float>(planes * planes), std::vector<float>(planes)};
  for (std::size_t a = 0; a < planes; ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      const float sum = product(samples.here.data() + a * samples.count,
                                samples.here.data() + b * samples.count, samples.count);
      likeness.products[a * planes + b] = likeness.products[b * planes + a] = sum;
    }
    likeness.energy[a] = likeness.products[a * planes + a];
  }
  for (std::size_t a = 0; a < planes; ++a) {
    for (std::size_t b = 0; b < a; ++b) {
      const float both = likeness.energy[a] * likeness.energy[b];
      const float sum = likeness.products[a * planes + b];
      likeness.squares[a * planes + b] = likeness.squares[b * planes + a] =
          both > 0 ? sum * sum / both : 0.0F;
    }
  }
  return likeness;
}

/// Planes in each stage but the last: where there are enough of them, as many as fill eight or all
/// sixteen lanes.
std::vector<std::size_t> stageSizes(std::size_t planes) {
  constexpr std::size_t kHalf = 8;
  constexpr std::size_t kAll = 16;
  if (planes >= 128) {
    const std::size_t few = planes / 16 / kHalf * kHalf;
    const std::size_t eighth = (planes / 8 + kHalf) / kAll * kAll;
    const std::size_t quarter = (planes / 4 + kHalf) / kAll * kAll;
    return {few, few, eighth, quarter, quarter};
  }
  if (planes >= 96) return {kAll, kAll, kAll, kAll};
  if (planes >= 64) return {kHalf, kHalf, kAll, kAll};
  if (planes >= 48) return {kAll, kAll};
  if (planes >= 24) return {kHalf, kHalf};
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

/// Solves a x = b for a symmetric positive matrix of n rows by Cholesky's decomposition; pivots
/// that vanish give 0.
void solve(std::vector<double>& a, std::vector<double>& b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      if (i == j) {
        a[i * n + i] = sum > 1e-9 ? std::sqrt(sum) : 1e18;
      } else {
        a[i * n + j] = sum / a[j * n + j];
      }
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
}

/// Planes of lower stages that together explain a plane best, one after the other.
std::vector<std::size_t> choosePlanes(const Likeness& likeness, const std::vector<int>& stage_of,
                                      std::size_t p) {
  const std::size_t planes = likeness.planes;
  std::vector<std::size_t> chosen;
  // Products of what is left of the plane with all others (orthogonal matching pursuit).
  std::vector<double> rest(planes);
  for (std::size_t q = 0; q < planes; ++q) {
    rest[q] = static_cast<double>(likeness.products[p * planes + q]);
  }
  const auto energy = static_cast<double>(likeness.energy[p]);
  while (chosen.size() < ContextPlane::kMaxTerms) {
    std::size_t best = planes;
    double best_gain = kLeastSquare * energy;
    for (std::size_t q = 0; q < planes; ++q) {
      if (stage_of[q] >= stage_of[p] || likeness.energy[q] <= 0) continue;
      if (std::find(chosen.begin(), chosen.end(), q) != chosen.end()) continue;
      const double gain = rest[q] * rest[q] / static_cast<double>(likeness.energy[q]);
      if (gain > best_gain) {
        best = q;
        best_gain = gain;
      }
    }
    if (best == planes) break;
    chosen.push_back(best);
    const std::size_t n = chosen.size();
    std::vector<double> a(n * n);
    std::vector<double> weights(n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        a[i * n + j] = static_cast<double>(likeness.products[chosen[i] * planes + chosen[j]]);
      }
      a[i * n + i] *= 1.001;
      weights[i] = static_cast<double>(likeness.products[p * planes + chosen[i]]);
    }
    solve(a, weights);
    for (std::size_t q = 0; q < planes; ++q) {
      rest[q] = static_cast<double>(likeness.products[p * planes + q]);
      for (std::size_t i = 0; i < n; ++i) {
        rest[q] -= weights[i] * static_cast<double>(likeness.products[chosen[i] * planes + q]);
      }
    }
  }
  return chosen;
}

/// Weights of the terms by least squares.
std::vector<GuessTerm> fitTerms(const Samples& samples, std::size_t p,
                                const std::vector<std::size_t>& chosen, unsigned most_value) {
  if (chosen.empty()) return {};
  std::vector<const float*> features;
  for (const std::size_t q : chosen) {
    for (const auto* rows : {&samples.here, &samples.ahead, &samples.behind}) {
      features.push_back(rows->data() + q * samples.count);
    }
  }
  const std::size_t terms = features.size();
  for (const auto& rows : samples.before) features.push_back(rows.data() + p * samples.count);
  const float* target = samples.here.data() + p * samples.count;
  const std::size_t n = features.size();
  std::vector<double> a(n * n);
  std::vector<double> b(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      a[i * n + j] = a[j * n + i] =
          static_cast<double>(product(features[i], features[j], samples.count));
    }
    a[i * n + i] = a[i * n + i] * 1.001 + 1e-3;
    b[i] = static_cast<double>(product(features[i], target, samples.count));
  }
  solve(a, b);
  double largest = 0;
  double sum = 0;
  for (std::size_t i = 0; i < terms; ++i) {
    largest = std::max(largest, std::abs(b[i]));
    sum += (i % 3 == 0 ? 1 : 2) * std::abs(b[i]);
  }
  if (largest < 1e-6) return {};
  // Sums stay within 16 bits.
  const double scale = std::min(127 / largest, (32767.0 - 64) / (most_value * sum));
  const auto weight = [&](std::size_t i) {
    return static_cast<std::int8_t>(std::lround(b[i] * scale - (b[i] > 0 ? 1e-9 : -1e-9)));
  };
  std::vector<GuessTerm> result;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    result.push_back({static_cast<std::uint32_t>(chosen[i]), weight(3 * i), weight(3 * i + 1),
                      weight(3 * i + 2)});
  }
  return result;
}

/// Cuts the sums where levels tell most of the values (by mutual information), one cut after the
/// other among candidates of equal share.
std::vector<std::int16_t> fitThresholds(const std::vector<int>& sums, const float* values,
                                        std::size_t most) {
  constexpr std::size_t kBins = 96;
  const std::size_t count = sums.size();
  std::vector<int> sorted = sums;
  std::sort(sorted.begin(), sorted.end());
  std::vector<int> cuts;
  for (std::size_t i = 1; i < kBins; ++i) {
    const int cut = sorted[i * count / kBins];
    if (cut < sorted.back() && (cuts.empty() || cut > cuts.back())) cuts.push_back(cut);
  }
  // Counts of values up to each cut.
  std::vector<std::array<float, kUnitSymbols>> upto(cuts.size() + 2);
  for (std::size_t i = 0; i < count; ++i) {
    const auto bin = static_cast<std::size_t>(std::lower_bound(cuts.begin(), cuts.end(), sums[i]) -
                                              cuts.begin());
    upto[bin + 1][static_cast<std::size_t>(values[i])] += 1;
  }
  for (std::size_t i = 1; i < upto.size(); ++i) {
    for (std::size_t u = 0; u < kUnitSymbols; ++u) upto[i][u] += upto[i - 1][u];
  }
  // Bits of the values between two cuts, coded by their own frequencies.
  const auto bits = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    double result = 0;
    for (std::size_t u = 0; u < kUnitSymbols; ++u) {
      const auto n = static_cast<double>(upto[to][u] - upto[from][u]);
      if (n <= 0) continue;
      sum += n;
      result -= n * std::log2(n);
    }
    return sum > 0 ? result + sum * std::log2(sum) : 0.0;
  };
  std::vector<std::size_t> chosen = {0, upto.size() - 1};
  while (chosen.size() < most + 2) {
    double best_gain = 0;
    std::size_t best = 0;
    for (std::size_t g = 0; g + 1 < chosen.size(); ++g) {
      const double whole = bits(chosen[g], chosen[g + 1]);
      for (std::size_t k = chosen[g] + 1; k < chosen[g + 1]; ++k) {
        const double gain = whole - bits(chosen[g], k) - bits(k, chosen[g + 1]);
        if (gain > best_gain) {
          best_gain = gain;
          best = k;
        }
      }
    }
    if (best == 0) break;
    chosen.insert(std::upper_bound(chosen.begin(), chosen.end(), best), best);
  }
  std::vector<std::int16_t> thresholds;
  for (std::size_t i = 1; i + 1 < chosen.size(); ++i) {
    thresholds.push_back(static_cast<std::int16_t>(cuts[chosen[i] - 1]));
  }
  // Levels that were not worth a cut: nothing lies above.
  while (thresholds.size() < most) thresholds.push_back(32767);
  return thresholds;
}

/// Weighted sums of the values, as the coder makes them.
std::vector<int> sumsOf(const ContextGrid& grid, const std::vector<const std::uint8_t*>& maps,
                        const std::vector<GuessTerm>& terms, std::size_t samples) {
  const std::size_t width = grid.layout().width;
  const std::size_t count = grid.layout().height * width;
  const std::size_t all = maps.size() * count;
  std::vector<int> sums(samples, 0);
  for (const GuessTerm& term : terms) {
    std::size_t loaded = maps.size();
    std::vector<std::uint8_t> values;
    for (std::size_t i = 0; i < samples; ++i) {
      const std::size_t map = i * all / samples / count;
      const std::size_t at = i * all / samples % count;
      if (map != loaded) {
        values = valuesOf(grid, maps[map] + term.plane * grid.unitsPerPlane());
        loaded = map;
      }
      const auto value = [&](bool inside, std::size_t index) {
        return inside ? static_cast<int>(values[index]) : 0;
      };
      sums[i] +=
          term.here * value(true, at) +
          term.ahead * (value(at + 1 < count, at + 1) + value(at + width < count, at + width)) +
          term.behind * (value(at >= 1, at - 1) + value(at >= width, at - width));
    }
  }
  return sums;
}

}  // namespace

std::vector<ContextPlane> chooseReferences(const ContextGrid& grid,
                                           const std::vector<const std::uint8_t*>& maps) {
  const std::size_t planes = grid.layout().planes;
  if (planes < kFewestPlanes || planes > kMostPlanes || maps.empty()) return {};
  const Samples samples = takeSamples(grid, maps);
  const Likeness likeness = compare(samples);

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
  const unsigned most_value = (1U << grid.highBits()) - 1;
  bool any = false;
  for (std::size_t p = 0; p < planes; ++p) {
    result[p].terms = fitTerms(samples, p, choosePlanes(likeness, stage_of, p), most_value);
    if (result[p].terms.empty()) continue;
    any = true;
    result[p].thresholds = fitThresholds(sumsOf(grid, maps, result[p].terms, samples.count),
                                         samples.values.data() + p * samples.count, most_value);
  }
  if (!any) result.clear();
  return result;
}

}  // namespace narrows
