#include "narrows/torch/linear_code.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "narrows/graph/random_graph.h"
#include "narrows/torch/network.h"

namespace narrows::test {
namespace {

/// A 1x1 convolution to the map "map" and another one that reads it.
Graph twoLayers(std::int64_t channels, std::int64_t read) {
  Graph graph;
  const ValueId x = graph.addInput("x", {DType::f32, Shape{1, 3, 6, 5}});
  const auto weight = [&](const char* name, std::int64_t out, std::int64_t in, std::uint32_t seed) {
    return graph.addConstant(name, randomTensor({DType::f32, Shape{out, in, 1, 1}}, seed));
  };
  const ValueId wide = *graph.add(Conv2d{}, {x, weight("a", channels, 3, 2)}, "wide");
  const ValueId map = *graph.add(Unary{UnaryKind::relu}, {wide}, "map", "map");
  const ValueId out = *graph.add(Conv2d{}, {map, weight("b", read, channels, 3)}, "out");
  EXPECT_TRUE(graph.setOutputs({out}).ok());
  return graph;
}

/// Channels of each position, after each other.
std::vector<std::vector<double>> rowsOf(const Tensor& map) {
  const std::int64_t channels = map.shape()[1];
  const std::int64_t area = map.shape()[2] * map.shape()[3];
  std::vector<std::vector<double>> rows;
  for (std::int64_t n = 0; n < map.shape()[0]; ++n) {
    for (std::int64_t p = 0; p < area; ++p) {
      auto& row = rows.emplace_back();
      for (std::int64_t c = 0; c < channels; ++c) {
        row.push_back(map.as<float>()[static_cast<std::size_t>((n * channels + c) * area + p)]);
      }
    }
  }
  return rows;
}

std::vector<double> apply(const Tensor& matrix, const Tensor* bias, const std::vector<double>& x) {
  std::vector<double> y;
  for (std::size_t r = 0; r < static_cast<std::size_t>(matrix.shape()[0]); ++r) {
    double sum = bias != nullptr ? static_cast<double>(bias->as<float>()[r]) : 0.0;
    for (std::size_t c = 0; c < x.size(); ++c) {
      sum += static_cast<double>(matrix.as<float>()[r * x.size() + c]) * x[c];
    }
    y.push_back(sum);
  }
  return y;
}

std::vector<double> throughCode(const LinearCode& code, const std::vector<double>& x) {
  return apply(code.decode, &code.decode_bias, apply(code.encode, &code.encode_bias, x));
}

/// Mean squared change of `reader` x when x goes through the code.
double changeOf(const Tensor& reader, const LinearCode& code,
                const std::vector<std::vector<double>>& rows) {
  double sum = 0;
  for (const auto& x : rows) {
    const auto before = apply(reader, nullptr, x);
    const auto after = apply(reader, nullptr, throughCode(code, x));
    for (std::size_t i = 0; i < before.size(); ++i) {
      sum += (before[i] - after[i]) * (before[i] - after[i]);
    }
  }
  return sum / static_cast<double>(rows.size());
}

struct Setting {
  LinearCodeFinder finder;
  LinearCode code;
  Tensor reader;
  std::vector<std::vector<double>> rows;
};

/// The code of k numbers for the map of `twoLayers`.
Setting findCode(std::int64_t channels, std::int64_t read, std::int64_t k) {
  const Graph graph = twoLayers(channels, read);
  Graph watched = graph;
  EXPECT_TRUE(watched.setOutputs({graph.findValue("map")}).ok());
  const Tensor pictures = randomTensor({DType::f32, Shape{64, 3, 6, 5}}, 5);
  const TensorView view = pictures.view();
  auto network = TorchNetwork::create(watched);
  EXPECT_TRUE(network.ok());
  auto outputs = network->run({&view, 1});
  EXPECT_TRUE(outputs.ok());
  auto finder = LinearCodeFinder::create(graph, "map", 1);
  EXPECT_TRUE(finder.ok()) << finder.error().message;
  Setting setting{std::move(*finder), {}, {}, {}};
  setting.rows = rowsOf((*outputs)[0]);
  setting.reader =
      graph.value(graph.findValue("b")).constant->clone().reshaped(Shape{read, channels});
  EXPECT_TRUE(setting.finder.add(view).ok());
  auto code = setting.finder.find(k);
  EXPECT_TRUE(code.ok()) << code.error().message;
  setting.code = std::move(*code);
  return setting;
}

TEST(LinearCode, WhatIsReadThroughFewCombinationsIsKeptByAsManyNumbers) {
  const Setting setting = findCode(7, 3, 3);
  EXPECT_LT(changeOf(setting.reader, setting.code, setting.rows), 1e-8);
  const Setting short_of_one = findCode(7, 3, 2);
  EXPECT_GT(changeOf(short_of_one.reader, short_of_one.code, short_of_one.rows), 1e-4);
}

TEST(LinearCode, ItsNumbersHaveMeanZeroAndTheMeanVarianceOfTheChannels) {
  const Setting setting = findCode(7, 5, 4);
  const auto varianceOf = [](const std::vector<double>& values) {
    double sum = 0;
    double squares = 0;
    for (const double value : values) {
      sum += value;
      squares += value * value;
    }
    const auto count = static_cast<double>(values.size());
    return squares / count - sum / count * sum / count;
  };
  double expected = 0;
  for (std::size_t c = 0; c < 7; ++c) {
    std::vector<double> channel;
    for (const auto& x : setting.rows) channel.push_back(x[c]);
    expected += varianceOf(channel) / 7;
  }
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<double> numbers;
    for (const auto& x : setting.rows) {
      numbers.push_back(apply(setting.code.encode, &setting.code.encode_bias, x)[i]);
    }
    EXPECT_NEAR(
        std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size()),
        0, 1e-4);
    EXPECT_NEAR(varianceOf(numbers), expected, 1e-3 * expected);
  }
}

TEST(LinearCode, NumbersThatTellNothingAreZero) {
  const Setting setting = findCode(7, 2, 4);
  for (const auto& x : setting.rows) {
    const auto z = apply(setting.code.encode, &setting.code.encode_bias, x);
    EXPECT_EQ(z[2], 0);
    EXPECT_EQ(z[3], 0);
  }
  EXPECT_LT(changeOf(setting.reader, setting.code, setting.rows), 1e-8);
}

TEST(LinearCode, OneNumberOfTwoChannelsIsTheBestOfAllDirections) {
  const Setting setting = findCode(2, 2, 1);
  const double count = static_cast<double>(setting.rows.size());
  double best = 1e300;
  for (int step = 0; step < 2000; ++step) {
    const double angle = std::numbers::pi * step / 2000;
    const double direction[] = {std::cos(angle), std::sin(angle)};
    // The regression of both channels on their combination.
    double mean_z = 0;
    double mean_x[] = {0, 0};
    double zz = 0;
    double xz[] = {0, 0};
    for (const auto& x : setting.rows) {
      const double z = direction[0] * x[0] + direction[1] * x[1];
      mean_z += z / count;
      zz += z * z / count;
      for (int c = 0; c < 2; ++c) {
        mean_x[c] += x[static_cast<std::size_t>(c)] / count;
        xz[c] += x[static_cast<std::size_t>(c)] * z / count;
      }
    }
    LinearCode code{Tensor(DType::f32, Shape{1, 2}), Tensor(DType::f32, Shape{1}),
                    Tensor(DType::f32, Shape{2, 1}), Tensor(DType::f32, Shape{2})};
    code.encode_bias.mutableAs<float>()[0] = static_cast<float>(-mean_z);
    for (std::size_t c = 0; c < 2; ++c) {
      code.encode.mutableAs<float>()[c] = static_cast<float>(direction[c]);
      code.decode.mutableAs<float>()[c] =
          static_cast<float>((xz[c] - mean_x[c] * mean_z) / (zz - mean_z * mean_z));
      code.decode_bias.mutableAs<float>()[c] = static_cast<float>(mean_x[c]);
    }
    best = std::min(best, changeOf(setting.reader, code, setting.rows));
  }
  // The sensitivity is an estimate.
  EXPECT_LT(changeOf(setting.reader, setting.code, setting.rows), 1.02 * best);
}

TEST(LinearCode, TheDecoderOfWhatIsReadGivesItBack) {
  Setting setting = findCode(7, 3, 3);
  Tensor bias(DType::f32, Shape{3});
  bias.mutableAs<float>()[1] = 0.5F;
  auto code = setting.finder.decoderFor(setting.reader.view(), bias.view());
  ASSERT_TRUE(code.ok()) << code.error().message;
  EXPECT_LT(changeOf(setting.reader, *code, setting.rows), 1e-8);
  EXPECT_FALSE(setting.finder.decoderFor(bias.view(), bias.view()).ok());
  EXPECT_FALSE(setting.finder.decoderFor(code->decode.view(), bias.view()).ok());
}

TEST(LinearCode, RefusesWhatItCannotCode) {
  const Graph graph = twoLayers(4, 2);
  EXPECT_FALSE(LinearCodeFinder::create(graph, "nothing", 1).ok());
  EXPECT_FALSE(LinearCodeFinder::create(graph, "map", 1, "abacus").ok());
  auto finder = LinearCodeFinder::create(graph, "map", 1);
  ASSERT_TRUE(finder.ok());
  EXPECT_FALSE(finder->find(2).ok());
  const Tensor pictures = randomTensor({DType::f32, Shape{2, 3, 6, 5}}, 5);
  ASSERT_TRUE(finder->add(pictures.view()).ok());
  EXPECT_FALSE(finder->find(0).ok());
  EXPECT_FALSE(finder->find(5).ok());
  EXPECT_TRUE(finder->find(4).ok());
}

}  // namespace
}  // namespace narrows::test
