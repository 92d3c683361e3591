#include "narrows/cost/device_fit.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "narrows/base/median.h"
#include "narrows/cost/least_squares.h"

namespace narrows {
namespace {

constexpr Seconds kFloor = microseconds(5);
constexpr double kNano = 1e-9;

/// Rows and targets divided by what the errors are relative to.
struct Weighted {
  std::vector<std::vector<double>> rows;
  std::vector<double> targets;

  void add(std::vector<double> row, Seconds time) {
    const double weight = 1 / (time + kFloor).value();
    for (double& value : row) value *= weight;
    rows.push_back(std::move(row));
    targets.push_back(weight * time.value());
  }
};

/// MACs, bytes and operators, whatever their kind.
std::vector<double> plainTerms(const Terms& terms) {
  constexpr std::array kMacs = {Term::conv_macs, Term::depthwise_macs, Term::product_macs};
  constexpr std::array kBytes = {
      Term::conv_bytes,        Term::conv_weight_bytes, Term::depthwise_bytes,
      Term::product_bytes,     Term::pool_bytes,        Term::fused_added_bytes,
      Term::elementwise_bytes, Term::moved_bytes,       Term::other_bytes};
  constexpr std::array kOps = {Term::conv_ops,        Term::depthwise_ops, Term::product_ops,
                               Term::elementwise_ops, Term::moved_ops,     Term::other_ops};
  std::vector<double> sums(3);
  for (Term term : kMacs) sums[0] += terms[term];
  for (Term term : kBytes) sums[1] += terms[term];
  for (Term term : kOps) sums[2] += terms[term];
  return sums;
}

ComputeRates ratesOf(const Weighted& weighted, double most_macs_per_s) {
  const std::vector<double> x = nonNegativeLeastSquares(weighted.rows, weighted.targets);
  ComputeRates rates;
  rates.macs_per_s = x[0] > 0 ? 1 / x[0] : most_macs_per_s;
  if (x[1] > 0) rates.bytes_per_s = 1 / x[1];
  rates.op = Seconds(x[2]);
  return rates;
}

}  // namespace

Result<DeviceFit> fitDevice(std::span<const NetworkSample> networks,
                            std::optional<std::size_t> without) {
  Weighted detailed;
  Weighted plain;
  std::vector<double> starts;
  double most_macs_per_s = 1;
  for (std::size_t n = 0; n < networks.size(); ++n) {
    if (n == without) continue;
    for (const PieceSample& piece : networks[n].pieces) {
      double layers = 0;
      for (const LayerSample& layer : piece.layers) {
        const auto& values = layer.terms.values();
        detailed.add({values.begin(), values.end()}, layer.time);
        plain.add(plainTerms(layer.terms), layer.time);
        layers += layer.time.value();
        if (layer.time.value() > 0) {
          most_macs_per_s = std::max(most_macs_per_s, plain.rows.back()[0] / plain.targets.back());
        }
      }
      starts.push_back(std::max(0.0, piece.time.value() - layers));
    }
  }
  if (detailed.rows.empty()) return makeError("no layers were measured");
  DeviceFit fit;
  const std::vector<double> x = nonNegativeLeastSquares(detailed.rows, detailed.targets);
  for (std::size_t i = 0; i < kTerms; ++i) fit.predictor.nanoseconds.values()[i] = x[i] / kNano;
  fit.start = Seconds(median(std::move(starts)));
  fit.rates = ratesOf(plain, most_macs_per_s);
  return fit;
}

Result<std::vector<std::vector<Seconds>>> leaveOneOut(std::span<const NetworkSample> networks) {
  if (networks.size() < 2) return makeError("expected at least two networks");
  std::vector<std::vector<Seconds>> predicted;
  for (std::size_t n = 0; n < networks.size(); ++n) {
    NARROWS_TRY(fit, fitDevice(networks, n));
    auto& times = predicted.emplace_back();
    for (const PieceSample& piece : networks[n].pieces) times.push_back(fit.time(piece.terms));
  }
  return predicted;
}

double medianErrorPercent(std::span<const NetworkSample> networks,
                          std::span<const std::vector<Seconds>> predicted) {
  constexpr double kPercent = 100;
  std::vector<double> errors;
  for (std::size_t n = 0; n < networks.size(); ++n) {
    for (std::size_t p = 0; p < networks[n].pieces.size(); ++p)
      errors.push_back(kPercent * std::abs(predicted[n][p] / networks[n].pieces[p].time - 1));
  }
  NARROWS_ASSERT(!errors.empty());
  return median(std::move(errors));
}

}  // namespace narrows
