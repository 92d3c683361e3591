#include "narrows/cost/device_fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "narrows/cost/least_squares.h"
#include "narrows/zoo/zoo.h"

namespace narrows {
namespace {

using Rows = std::vector<std::vector<double>>;

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

/// The conditions of Karush, Kuhn and Tucker: they hold at the least of a convex function over
/// x >= 0 and nowhere else.
TEST(LeastSquares, EndsWhereNoCoordinateCanImprove) {
  constexpr std::size_t kColumns = 6;
  for (std::uint32_t seed = 1; seed <= 50; ++seed) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    Rows rows;
    std::vector<double> targets;
    for (int r = 0; r < 30; ++r) {
      auto& row = rows.emplace_back();
      // Columns of very different length, one of zeros.
      for (std::size_t c = 0; c < kColumns; ++c)
        row.push_back(c == 4 ? 0 : normal(random) * std::pow(10.0, static_cast<double>(c)));
      targets.push_back(normal(random) * 5);
    }
    const std::vector<double> x = nonNegativeLeastSquares(rows, targets);
    EXPECT_EQ(x[4], 0);
    for (std::size_t c = 0; c < kColumns; ++c) {
      double slope = 0;
      double length = 0;
      for (std::size_t r = 0; r < rows.size(); ++r) {
        slope += rows[r][c] * (dot(rows[r], x) - targets[r]);
        length += rows[r][c] * rows[r][c];
      }
      slope /= std::sqrt(std::max(length, 1e-300));
      EXPECT_GE(x[c], 0) << "seed " << seed;
      EXPECT_GE(slope, -1e-6) << "seed " << seed << ", column " << c;
      if (x[c] > 0) {
        EXPECT_NEAR(slope, 0, 1e-6) << "seed " << seed << ", column " << c;
      }
    }
  }
}

TEST(LeastSquares, FindsWhatMadeTheTargets) {
  std::mt19937 random(3);
  std::uniform_real_distribution<double> uniform(0, 1);
  const std::vector<double> truth{2e-9, 0, 5e3, 1};
  Rows rows;
  std::vector<double> targets;
  for (int r = 0; r < 40; ++r) {
    rows.push_back({uniform(random) * 1e9, uniform(random), uniform(random) * 1e-3, 1});
    targets.push_back(dot(rows.back(), truth));
  }
  const std::vector<double> x = nonNegativeLeastSquares(rows, targets);
  for (std::size_t c = 0; c < truth.size(); ++c)
    EXPECT_NEAR(x[c], truth[c], 1e-5 * (truth[c] > 0 ? truth[c] : 1)) << c;
}

/// A device whose layers take exactly what some prices say.
class DrawnDevice {
 public:
  explicit DrawnDevice(std::uint32_t seed) {
    std::mt19937 random(seed);
    std::uniform_real_distribution<double> uniform(0.5, 2);
    for (double& price : prices_.nanoseconds.values()) price = uniform(random);
    prices_.nanoseconds[Term::conv_macs] = 0.02 * uniform(random);
  }

  NetworkSample measure(const char* name, Seconds start) const {
    auto model = buildZooModel(name, 1, false);
    EXPECT_TRUE(model.ok());
    NetworkSample sample;
    PieceSample& piece = sample.pieces.emplace_back();
    for (const Terms& terms : layerTerms(model->graph)) {
      piece.terms += terms;
      piece.layers.push_back({terms, prices_.time(terms)});
    }
    piece.time = start + prices_.time(piece.terms);
    return sample;
  }

 private:
  TimePredictor prices_;
};

TEST(DeviceFit, PredictsNetworksOfALinearDeviceThatItHasNotSeen) {
  constexpr Seconds kStart = microseconds(70);
  const DrawnDevice device(5);
  std::vector<NetworkSample> networks;
  for (const char* name : {"zoo:mobilenetv2@64", "zoo:resnet18@64", "zoo:resnet50@64",
                           "zoo:squeezenet@64", "zoo:squeezenet@96"})
    networks.push_back(device.measure(name, kStart));
  auto predicted = leaveOneOut(networks);
  ASSERT_TRUE(predicted.ok()) << predicted.error().message;
  // Depthwise layers are in one network only, so it alone cannot be told without them.
  for (std::size_t n = 1; n < networks.size(); ++n) {
    EXPECT_NEAR((*predicted)[n][0] / networks[n].pieces[0].time, 1, 0.02) << n;
  }
  EXPECT_LT((*predicted)[0][0].value(), networks[0].pieces[0].time.value());
  EXPECT_LT(medianErrorPercent(networks, *predicted), 2);
  auto fit = fitDevice(networks);
  ASSERT_TRUE(fit.ok());
  EXPECT_NEAR(toMilliseconds(fit->start), toMilliseconds(kStart), 1e-6);
  for (const NetworkSample& network : networks)
    EXPECT_NEAR(fit->time(network.pieces[0].terms) / network.pieces[0].time, 1, 1e-3);
}

TEST(DeviceFit, MedianErrorCountsEveryPieceOnce) {
  std::vector<NetworkSample> networks(2);
  for (double time : {1.0, 2.0, 4.0}) networks[0].pieces.push_back({{}, Seconds(time), {}});
  networks[1].pieces.push_back({{}, Seconds(10), {}});
  // Errors of 10, 50, 25 and 30 %.
  const std::vector<std::vector<Seconds>> predicted{{Seconds(1.1), Seconds(1), Seconds(5)},
                                                    {Seconds(7)}};
  EXPECT_NEAR(medianErrorPercent(networks, predicted), 27.5, 1e-9);
}

TEST(DeviceFit, NeedsSomethingToFit) {
  EXPECT_FALSE(fitDevice({}).ok());
  EXPECT_FALSE(leaveOneOut(std::vector<NetworkSample>(1)).ok());
}

/// conv 3x3 from 3 to 20 channels, relu, depthwise 3x3, sigmoid gate, max pool.
TEST(LayerTerms, CountWhatLayersDo) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 8, 8}});
  const ValueId w = graph.addConstant("w", Tensor(DType::f32, Shape{20, 3, 3, 3}));
  const ValueId d = graph.addConstant("d", Tensor(DType::f32, Shape{20, 1, 3, 3}));
  Conv2d conv;
  conv.window.kernel = {3, 3};
  conv.window.pads = {1, 1, 1, 1};
  Conv2d depthwise = conv;
  depthwise.groups = 20;
  MaxPool2d pool;
  pool.window.kernel = {2, 2};
  pool.window.stride = {2, 2};
  const auto a = graph.add(conv, {x, w}, "conv");
  const auto b = graph.add(Unary{UnaryKind::relu}, {*a}, "relu");
  const auto c = graph.add(depthwise, {*b, d}, "depthwise");
  const auto s = graph.add(Unary{UnaryKind::sigmoid}, {*c}, "gate");
  const auto m = graph.add(Binary{BinaryKind::mul}, {*c, *s}, "silu");
  const auto p = graph.add(pool, {*m}, "pool");
  const auto r = graph.add(Unary{UnaryKind::relu}, {*p}, "alone");
  ASSERT_TRUE(r.ok());
  ASSERT_TRUE(graph.setOutputs({*r}).ok());
  const std::vector<Terms> terms = layerTerms(graph);
  ASSERT_EQ(terms.size(), 7u);
  constexpr double kMap = 20 * 8 * 8;
  // 20 channels are two vectors of 16.
  EXPECT_EQ(terms[0][Term::conv_macs], 32 * 64 * 9 * 3);
  EXPECT_EQ(terms[0][Term::conv_taps], 32 * 64 * 9);
  EXPECT_EQ(terms[0][Term::conv_bytes], 4 * (3 * 64 + kMap));
  EXPECT_EQ(terms[0][Term::conv_weight_bytes], 4 * 20 * 27);
  EXPECT_EQ(terms[0][Term::conv_ops], 1);
  EXPECT_EQ(terms[1][Term::fused_elements], kMap);
  EXPECT_EQ(terms[1][Term::elementwise_bytes], 0);
  EXPECT_EQ(terms[2][Term::depthwise_macs], 32 * 64 * 9);
  EXPECT_EQ(terms[2][Term::conv_macs], 0);
  EXPECT_EQ(terms[3][Term::fused_costly_elements], kMap);
  EXPECT_EQ(terms[4][Term::fused_elements], kMap);
  EXPECT_EQ(terms[5][Term::pool_taps], kMap);
  EXPECT_EQ(terms[5][Term::pool_bytes], 4 * (kMap + kMap / 4));
  EXPECT_EQ(terms[6][Term::elementwise_bytes], 4 * kMap / 2);
  EXPECT_EQ(edgeTerms(graph, *p)[Term::edge_bytes], kMap);
  EXPECT_EQ(edgeTerms(graph, x)[Term::edge_bytes], 0);
}

}  // namespace
}  // namespace narrows
