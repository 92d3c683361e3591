#include "narrows/codec/level_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace narrows {
namespace {

constexpr int kClippingSteps = 24;
/// Ratio of one clipping range to the next: 0.85^23 = 0.024 of the whole range at the end.
constexpr double kClippingRatio = 0.85;
constexpr int kRefinedCandidates = 4;
constexpr int kLloydRounds = 40;

double topLevel(int bits) {
  return static_cast<double>((1 << bits) - 1);
}

/// Clamped before it is rounded, so that the compiler can use its conversion to integers, which
/// cuts off towards zero.
double nearestLevel(double value, const UniformLevels& levels, double top) {
  return static_cast<int>(std::clamp((value - levels.low) / levels.step + 0.5, 0.0, top));
}

double squaredError(std::span<const WeightedValue> points, const UniformLevels& levels,
                    double top) {
  // In blocks, whose terms are independent of one another; they are added in the order of the
  // points.
  std::array<double, 64> terms{};
  double sum = 0;
  for (std::size_t begin = 0; begin < points.size(); begin += terms.size()) {
    const std::size_t count = std::min(terms.size(), points.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const WeightedValue& point = points[begin + i];
      const double distance =
          point.value - (levels.low + levels.step * nearestLevel(point.value, levels, top));
      terms[i] = point.weight * distance * distance;
    }
    for (std::size_t i = 0; i < count; ++i) sum += terms[i];
  }
  return sum;
}

struct Candidate {
  UniformLevels levels;
  double error = 0;
};

/// Alternates between assigning points to levels and the least-squares line through them.
Candidate refineByLeastSquares(std::span<const WeightedValue> points, Candidate best, double top) {
  for (int round = 0; round < kLloydRounds; ++round) {
    double w = 0, wn = 0, wnn = 0, wx = 0, wnx = 0;
    for (const WeightedValue& point : points) {
      const double n = nearestLevel(point.value, best.levels, top);
      w += point.weight;
      wn += point.weight * n;
      wnn += point.weight * n * n;
      wx += point.weight * point.value;
      wnx += point.weight * n * point.value;
    }
    const double determinant = w * wnn - wn * wn;
    if (!(determinant > 0)) break;
    const double step = (w * wnx - wn * wx) / determinant;
    if (!(step > 0)) break;
    const UniformLevels levels{(wx - step * wn) / w, step};
    const double error = squaredError(points, levels, top);
    if (!(error < best.error)) break;
    best = {levels, error};
  }
  return best;
}

/// Moves either end of the range by ever smaller amounts while that helps.
Candidate refineByPattern(std::span<const WeightedValue> points, Candidate best, double top) {
  double low = best.levels.low;
  double high = low + top * best.levels.step;
  const double range = high - low;
  for (double move = 0.08 * range; move > 0.001 * range; move /= 2) {
    bool improved = true;
    for (int round = 0; improved && round < 8; ++round) {
      improved = false;
      const std::array<std::array<double, 2>, 6> ends = {{{low - move, high},
                                                          {low + move, high},
                                                          {low, high - move},
                                                          {low, high + move},
                                                          {low - move, high - move},
                                                          {low + move, high + move}}};
      for (const auto& [new_low, new_high] : ends) {
        if (!(new_high > new_low)) continue;
        const UniformLevels levels{new_low, (new_high - new_low) / top};
        const double error = squaredError(points, levels, top);
        if (!(error < best.error)) continue;
        best = {levels, error};
        low = new_low;
        high = new_high;
        improved = true;
        break;
      }
    }
  }
  return best;
}

double weightedMean(std::span<const WeightedValue> points) {
  double weight = 0;
  double sum = 0;
  for (const WeightedValue& point : points) {
    weight += point.weight;
    sum += point.weight * point.value;
  }
  return weight > 0 ? sum / weight : 0;
}

/// The split of ascending points into two runs with the least squared distance to their means.
UniformLevels fitTwoLevels(std::span<const WeightedValue> points) {
  // About the mean, so that the sums lose no digits to an offset.
  const double centre = weightedMean(points);
  double total_weight = 0;
  double total = 0;
  for (const WeightedValue& point : points) {
    total_weight += point.weight;
    total += point.weight * (point.value - centre);
  }
  UniformLevels best{points.front().value, points.back().value - points.front().value};
  double best_gain = -1;
  double weight = 0;
  double sum = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    weight += points[i].weight;
    sum += points[i].weight * (points[i].value - centre);
    const double other_weight = total_weight - weight;
    if (!(weight > 0) || !(other_weight > 0)) continue;
    const double other = total - sum;
    const double gain = sum * sum / weight + other * other / other_weight;
    if (!(gain > best_gain)) continue;
    best_gain = gain;
    best = {centre + sum / weight, other / other_weight - sum / weight};
  }
  return best;
}

/// The whole range and ever shorter parts of it about zero and about the mean; each also moved by
/// half a step, so that an even number of levels may have one at the centre.
std::vector<Candidate> clippingCandidates(std::span<const WeightedValue> points, double top) {
  const double lowest = points.front().value;
  const double highest = points.back().value;
  std::vector<Candidate> candidates;
  for (const double centre : {std::clamp(0.0, lowest, highest), weightedMean(points)}) {
    double scale = 1;
    for (int i = 0; i < kClippingSteps; ++i, scale *= kClippingRatio) {
      const double low = centre + (lowest - centre) * scale;
      const double step = (highest - lowest) * scale / top;
      for (const double shift : {0.0, -0.5, 0.5}) {
        const UniformLevels levels{low + shift * step, step};
        candidates.push_back({levels, squaredError(points, levels, top)});
      }
    }
  }
  return candidates;
}

/// The best two levels, their step halved once for each further bit: every level stays one, so the
/// error cannot grow with the bits.
Candidate nestedCandidate(std::span<const WeightedValue> points, int bits) {
  const UniformLevels two = fitTwoLevels(points);
  Candidate nested{two, squaredError(points, two, 1)};
  for (int b = 2; b <= bits; ++b) {
    const double top = topLevel(b);
    const double step = nested.levels.step / 2;
    const UniformLevels upward{nested.levels.low, step};
    const UniformLevels downward{nested.levels.low - step, step};
    const Candidate up{upward, squaredError(points, upward, top)};
    const Candidate down{downward, squaredError(points, downward, top)};
    nested = refineByLeastSquares(points, up.error <= down.error ? up : down, top);
  }
  return nested;
}

}  // namespace

double meanSquaredError(std::span<const WeightedValue> points, const UniformLevels& levels,
                        int bits) {
  double weight = 0;
  for (const WeightedValue& point : points) weight += point.weight;
  return weight > 0 ? squaredError(points, levels, topLevel(bits)) / weight : 0;
}

UniformLevels fitLevels(std::span<const WeightedValue> points, int bits) {
  if (points.empty()) return {};
  const double lowest = points.front().value;
  const double highest = points.back().value;
  if (!(highest > lowest)) return {lowest, 1};
  if (bits == 1) return fitTwoLevels(points);
  const double top = topLevel(bits);
  std::vector<Candidate> candidates = clippingCandidates(points, top);
  candidates.push_back(nestedCandidate(points, bits));
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.error < b.error; });
  Candidate best = candidates.front();
  for (std::size_t i = 0; i < kRefinedCandidates; ++i) {
    Candidate refined = refineByPattern(points, candidates[i], top);
    refined = refineByLeastSquares(points, refined, top);
    if (refined.error < best.error) best = refined;
  }
  return best.levels;
}

ZeroedLevels fitLevelsThroughZero(std::span<const WeightedValue> points,
                                  const UniformLevels& levels, int bits) {
  ZeroedLevels best;
  if (points.empty() || points.front().value > 0 || points.back().value < 0) return best;
  const double top = topLevel(bits);
  double best_error = 0;
  const double nearest = std::floor(-levels.low / levels.step + 0.5);
  for (const double offset : {0.0, -1.0, 1.0}) {
    const double zero = nearest + offset;
    if (zero < 0 || zero > top) continue;
    double step = levels.step;
    double error = squaredError(points, {-zero * step, step}, top);
    // The line through level `zero` at the value 0 has its step as its only parameter.
    for (int round = 0; round < kLloydRounds; ++round) {
      double wnn = 0, wnx = 0;
      for (const WeightedValue& point : points) {
        const double n = nearestLevel(point.value, {-zero * step, step}, top) - zero;
        wnn += point.weight * n * n;
        wnx += point.weight * n * point.value;
      }
      if (!(wnn > 0) || !(wnx > 0)) break;
      const double new_step = wnx / wnn;
      const double new_error = squaredError(points, {-zero * new_step, new_step}, top);
      if (!(new_error < error)) break;
      step = new_step;
      error = new_error;
    }
    if (best.found && !(error < best_error)) continue;
    best = {true, step, static_cast<int>(zero)};
    best_error = error;
  }
  return best;
}

double meanSquaredError(std::span<const WeightedValue> points, std::span<const double> levels) {
  double weight = 0;
  double sum = 0;
  std::size_t q = 0;
  for (const WeightedValue& point : points) {
    while (q + 1 < levels.size() && point.value >= (levels[q] + levels[q + 1]) / 2) ++q;
    weight += point.weight;
    sum += point.weight * (point.value - levels[q]) * (point.value - levels[q]);
  }
  return weight > 0 ? sum / weight : 0;
}

namespace {

constexpr int kFreeRounds = 1000;
/// Rounds end when one lowers the error by less than this share of it.
constexpr double kFreeProgress = 1e-7;

/// Means of the points nearest to each level.
std::vector<double> nearestMeans(std::span<const WeightedValue> points,
                                 std::vector<double> levels) {
  std::vector<double> weights(levels.size(), 0);
  std::vector<double> sums(levels.size(), 0);
  std::size_t q = 0;
  for (const WeightedValue& point : points) {
    while (q + 1 < levels.size() && point.value >= (levels[q] + levels[q + 1]) / 2) ++q;
    weights[q] += point.weight;
    sums[q] += point.weight * point.value;
  }
  for (std::size_t i = 0; i < levels.size(); ++i) {
    if (weights[i] > 0) levels[i] = sums[i] / weights[i];
  }
  return levels;
}

std::vector<double> refineFreeLevels(std::span<const WeightedValue> points,
                                     std::vector<double> levels) {
  double error = meanSquaredError(points, levels);
  for (int round = 0; round < kFreeRounds; ++round) {
    std::vector<double> moved = nearestMeans(points, levels);
    const double new_error = meanSquaredError(points, moved);
    if (!(new_error < error)) break;
    levels = std::move(moved);
    const bool settled = error - new_error < kFreeProgress * error;
    error = new_error;
    if (settled) break;
  }
  return levels;
}

/// Levels in the middle of parts of equal integral of the cube root of the density.
std::vector<double> compandedLevels(std::span<const WeightedValue> points, std::size_t count) {
  std::vector<double> integral{0};
  for (std::size_t i = 0; i + 1 < points.size(); ++i) {
    const double width = points[i + 1].value - points[i].value;
    const double weight = (points[i].weight + points[i + 1].weight) / 2;
    integral.push_back(integral.back() + std::cbrt(weight * width * width));
  }
  std::vector<double> levels;
  std::size_t i = 0;
  for (std::size_t q = 0; q < count; ++q) {
    const double at = integral.back() * (static_cast<double>(q) + 0.5) / static_cast<double>(count);
    while (i + 1 < points.size() && integral[i + 1] < at) ++i;
    levels.push_back(points[i].value);
  }
  return levels;
}

}  // namespace

std::vector<double> fitFreeLevels(std::span<const WeightedValue> points,
                                  const UniformLevels& uniform, int bits) {
  const std::size_t count = std::size_t{1} << bits;
  std::vector<double> even;
  for (std::size_t q = 0; q < count; ++q) {
    even.push_back(uniform.low + uniform.step * static_cast<double>(q));
  }
  if (points.empty()) return even;
  std::vector<double> best = refineFreeLevels(points, even);
  std::vector<double> other = refineFreeLevels(points, compandedLevels(points, count));
  return meanSquaredError(points, other) < meanSquaredError(points, best) ? other : best;
}

}  // namespace narrows
