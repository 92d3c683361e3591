#pragma once

#include <span>
#include <vector>

namespace narrows {

/// x, at least 0, that minimises the sum over the rows of (row x - target)^2: coordinate descent on
/// the normal equations (Franc, Hlavac and Navara 2005, "Sequential coordinate-wise algorithm for
/// the non-negative least squares problem"). A column of zeros gets 0. Rows are of one length,
/// targets as many as rows.
std::vector<double> nonNegativeLeastSquares(std::span<const std::vector<double>> rows,
                                            std::span<const double> targets);

}  // namespace narrows
