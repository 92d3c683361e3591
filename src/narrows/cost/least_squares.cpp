#include "narrows/cost/least_squares.h"

#include <algorithm>
#include <cmath>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

constexpr std::size_t kMostSweeps = 20'000;
/// Of what a column contributes, columns scaled to length 1, against the targets' length.
constexpr double kTolerance = 1e-12;

}  // namespace

std::vector<double> nonNegativeLeastSquares(std::span<const std::vector<double>> rows,
                                            std::span<const double> targets) {
  NARROWS_ASSERT(!rows.empty() && rows.size() == targets.size());
  const std::size_t columns = rows[0].size();
  std::vector<double> scale(columns);
  for (const std::vector<double>& row : rows) {
    NARROWS_ASSERT(row.size() == columns);
    for (std::size_t i = 0; i < columns; ++i) scale[i] += row[i] * row[i];
  }
  for (double& length : scale) length = std::sqrt(length);
  // gram x = right, columns of length 1, so that the diagonal is 1.
  std::vector<std::vector<double>> gram(columns, std::vector<double>(columns));
  std::vector<double> right(columns);
  double length = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    length += targets[r] * targets[r];
    for (std::size_t i = 0; i < columns; ++i) {
      if (scale[i] == 0) continue;
      const double left = rows[r][i] / scale[i];
      right[i] += left * targets[r];
      for (std::size_t j = 0; j < columns; ++j) {
        if (scale[j] > 0) gram[i][j] += left * rows[r][j] / scale[j];
      }
    }
  }
  const double least_move = kTolerance * std::sqrt(length);
  std::vector<double> x(columns);
  for (std::size_t sweep = 0; sweep < kMostSweeps; ++sweep) {
    double moved = 0;
    for (std::size_t i = 0; i < columns; ++i) {
      if (scale[i] == 0) continue;
      // The least of the parabola along the coordinate, but not below 0.
      double slope = -right[i];
      for (std::size_t j = 0; j < columns; ++j) slope += gram[i][j] * x[j];
      const double next = std::max(0.0, x[i] - slope);
      moved = std::max(moved, std::abs(next - x[i]));
      x[i] = next;
    }
    if (moved <= least_move) break;
  }
  for (std::size_t i = 0; i < columns; ++i) x[i] = scale[i] > 0 ? x[i] / scale[i] : 0;
  return x;
}

}  // namespace narrows
