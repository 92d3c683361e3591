#include "narrows/eval/bootstrap.h"

#include <algorithm>
#include <random>
#include <vector>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

/// Order statistics of rank share x (n + 1), between neighbours linearly.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() + 1) - 1;
  const double clamped = std::clamp(place, 0.0, static_cast<double>(sorted.size() - 1));
  const auto below = static_cast<std::size_t>(clamped);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = clamped - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

}  // namespace

Interval bootstrap(std::size_t items, const BootstrapOptions& options,
                   const std::function<double(std::span<const std::size_t>)>& figure) {
  NARROWS_ASSERT(items > 0 && options.resamples > 0);
  std::mt19937_64 random(options.seed);
  std::vector<std::size_t> sample(items);
  std::vector<double> figures(options.resamples);
  for (double& value : figures) {
    // The engine's own numbers: a standard distribution may differ between libraries.
    for (std::size_t& index : sample) index = static_cast<std::size_t>(random() % items);
    value = figure(sample);
  }
  std::sort(figures.begin(), figures.end());
  return {quantile(figures, 0.025), quantile(figures, 0.975)};
}

}  // namespace narrows
