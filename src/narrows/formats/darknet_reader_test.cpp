#include "narrows/formats/darknet_reader.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

#include "narrows/engine/reference/reference_engine.h"
#include "narrows/formats/darknet_cfg.h"

namespace narrows {
namespace {

/// A weights file of version 0.2 with these floats.
ByteVector weightsFile(const std::vector<float>& floats, std::int32_t major = 0,
                       std::int32_t minor = 2) {
  ByteWriter writer;
  writer.write(major);
  writer.write(minor);
  writer.write(std::int32_t{5});
  if (major * 10 + minor >= 2 && major < 1000 && minor < 1000) {
    writer.write(std::uint64_t{640});
  } else {
    writer.write(std::uint32_t{640});
  }
  writer.append(std::as_bytes(std::span(floats)));
  return std::move(writer).take();
}

std::string errorOf(std::string_view cfg, const std::vector<float>& floats = {}) {
  auto model = parseDarknet(cfg, weightsFile(floats));
  return model.ok() ? "read without an error" : model.error().message;
}

/// The first output of a network for one input, by the reference engine.
std::vector<float> run(std::string_view cfg, const std::vector<float>& weights,
                       const std::vector<float>& input) {
  auto model = parseDarknet(cfg, weightsFile(weights));
  EXPECT_TRUE(model.ok()) << model.error().message;
  if (!model.ok()) return {};
  auto program = makeReferenceEngine()->compile(model->graph, {});
  EXPECT_TRUE(program.ok()) << program.error().message;
  if (!program.ok()) return {};
  const Tensor x = Tensor::from<float>(model->graph.shape(model->graph.inputs()[0]), input);
  const TensorView views[] = {x};
  auto outputs = runProgram(**program, views);
  EXPECT_TRUE(outputs.ok()) << outputs.error().message;
  if (!outputs.ok()) return {};
  const auto values = (*outputs)[0].as<float>();
  return {values.begin(), values.end()};
}

std::vector<float> counting(std::size_t count, float first = 0) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

constexpr std::string_view kNet2x2 = "[net]\nwidth=2\nheight=2\nchannels=1\n";

TEST(DarknetReader, ReadsWeightsInDarknetsOrder) {
  // biases, scales, means, variances, weights: 2 * (3 x - 1) / (sqrt(4) + 1e-6) + 5.
  const std::string cfg =
      std::string(kNet2x2) + "[convolutional]\nbatch_normalize=1\nfilters=1\nactivation=linear\n";
  const std::vector<float> y = run(cfg, {5, 2, 1, 4, 3}, {0, 1, 2, 3});
  ASSERT_EQ(y.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    const double wanted = 2 * (3 * static_cast<double>(i) - 1) / (2 + 1e-6) + 5;
    EXPECT_NEAR(y[i], wanted, 2e-6);
  }
}

TEST(DarknetReader, NormalisesWithDarknetsEpsilon) {
  // Variance 0: (1 - 0) / 1e-6.
  const std::string cfg =
      std::string(kNet2x2) + "[convolutional]\nbatch_normalize=1\nfilters=1\nactivation=linear\n";
  const std::vector<float> y = run(cfg, {0, 1, 0, 0, 1}, {1, 1, 1, 1});
  ASSERT_EQ(y.size(), 4u);
  EXPECT_NEAR(y[0], 1e6, 1);
  EXPECT_EQ(errorOf(cfg, {0, 1, 0, -1, 1}), "weights: line 5: [convolutional]: variance 0 is -1");
}

TEST(DarknetReader, ReadsConnectedLayersInTheirOwnOrder) {
  // biases, weights, then scales, means, variances.
  const std::string cfg =
      std::string(kNet2x2) + "[connected]\noutput=2\nbatch_normalize=1\nactivation=linear\n";
  const std::vector<float> weights = {10, 20, 1, 0, 0, 0, 0, 0, 0, 2, 1, 3, 0, 0, 1, 1};
  const std::vector<float> y = run(cfg, weights, {1, 2, 3, 4});
  ASSERT_EQ(y.size(), 2u);
  EXPECT_NEAR(y[0], 1 * 1 + 10, 1e-4);
  EXPECT_NEAR(y[1], 3 * 2 * 4 + 20, 1e-4);
}

TEST(DarknetReader, TurnsConnectedWeightsOfVeryOldFiles) {
  const std::string cfg = std::string(kNet2x2) + "[connected]\noutput=2\nactivation=linear\n";
  auto model = parseDarknet(cfg, weightsFile({0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 2000, 1));
  ASSERT_TRUE(model.ok()) << model.error().message;
  const ValueId weights = model->graph.findValue("layer0/weights");
  const auto values = model->graph.value(weights).constant->as<float>();
  EXPECT_EQ(std::vector<float>(values.begin(), values.end()),
            (std::vector<float>{1, 3, 5, 7, 2, 4, 6, 8}));
}

TEST(DarknetReader, ReadsHeadersOfBothLengths) {
  const std::string cfg = std::string(kNet2x2) + "[convolutional]\nactivation=linear\n";
  for (std::int32_t minor : {1, 2}) {
    auto model = parseDarknet(cfg, weightsFile({0.5f, 2}, 0, minor));
    ASSERT_TRUE(model.ok()) << model.error().message;
    const ValueId bias = model->graph.findValue("layer0/biases");
    EXPECT_EQ(model->graph.value(bias).constant->as<float>()[0], 0.5f);
  }
}

TEST(DarknetReader, WantsExactlyTheWeightsOfTheNetwork) {
  const std::string cfg = std::string(kNet2x2) + "[convolutional]\nactivation=linear\n";
  EXPECT_EQ(errorOf(cfg, {1}), "weights: the file holds 1 floats, the network needs 2");
  EXPECT_EQ(errorOf(cfg, {1, 2, 3}), "weights: the file holds 3 floats, the network needs 2");
  ByteVector odd = weightsFile({1, 2});
  odd.pop_back();
  auto model = parseDarknet(cfg, odd);
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().message,
            "weights: the file holds 1 floats and 3 bytes, the network needs 2");
}

TEST(DarknetReader, ComputesEveryActivationAsDarknetDoes) {
  struct Case {
    const char* name;
    double (*value)(double);
  };
  const Case cases[] = {
      {"linear", [](double x) { return x; }},
      {"leaky", [](double x) { return x > 0 ? x : 0.1 * x; }},
      {"relu", [](double x) { return x * (x > 0); }},
      {"relu6", [](double x) { return std::min(std::max(x, 0.0), 6.0); }},
      {"logistic", [](double x) { return 1 / (1 + std::exp(-x)); }},
      {"loggy", [](double x) { return 2 / (1 + std::exp(-x)) - 1; }},
      {"elu", [](double x) { return (x >= 0) * x + (x < 0) * (std::exp(x) - 1); }},
      {"selu",
       [](double x) {
         return (x >= 0) * 1.0507 * x + (x < 0) * 1.0507 * 1.6732 * (std::exp(x) - 1);
       }},
      {"relie", [](double x) { return x > 0 ? x : 0.01 * x; }},
      {"ramp", [](double x) { return x * (x > 0) + 0.1 * x; }},
      {"tanh", [](double x) { return (std::exp(2 * x) - 1) / (std::exp(2 * x) + 1); }},
      {"plse",
       [](double x) {
         if (x < -4) return 0.01 * (x + 4);
         if (x > 4) return 0.01 * (x - 4) + 1;
         return 0.125 * x + 0.5;
       }},
      {"stair",
       [](double x) {
         const int n = static_cast<int>(std::floor(x));
         return n % 2 == 0 ? std::floor(x / 2) : (x - n) + std::floor(x / 2);
       }},
      {"hardtan", [](double x) { return x < -1  ? -1
                                        : x > 1 ? 1
                                                : x; }},
      {"lhtan", [](double x) { return x < 0   ? 0.001 * x
                                      : x > 1 ? 0.001 * (x - 1) + 1
                                              : x; }},
      {"mish", [](double x) { return x * std::tanh(std::log1p(std::exp(x))); }},
      {"swish", [](double x) { return x / (1 + std::exp(-x)); }},
      {"hard_mish", [](double x) { return x > 0    ? x
                                          : x > -2 ? x * x / 2 + x
                                                   : 0; }},
      {"gelu",
       [](double x) {
         return 0.5 * x * (1 + std::tanh(0.797885 * x + 0.035677 * std::pow(x, 3)));
       }},
  };
  const std::vector<float> input = {-7.5f, -3.25f, -1.75f, -0.5f, 0, 0.25f, 1.5f, 2.75f, 8};
  for (const Case& activation : cases) {
    const std::string cfg = fmt::format(
        "[net]\nwidth=9\nheight=1\nchannels=1\n[activation]\nactivation={}\n", activation.name);
    const std::vector<float> y = run(cfg, {}, input);
    ASSERT_EQ(y.size(), input.size()) << activation.name;
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_NEAR(y[i], activation.value(static_cast<double>(input[i])), 2e-6)
          << activation.name << " of " << input[i];
    }
  }
}

TEST(DarknetReader, PoolsAsDarknetDoes) {
  // A literal forward_maxpool_layer on one channel.
  for (int size : {1, 2, 3, 5}) {
    for (int stride : {1, 2, 3}) {
      for (int padding : {-1, 0, 1, 2}) {
        const int w = 7;
        const int h = 6;
        const int pad = padding < 0 ? size - 1 : padding;
        if (pad - pad / 2 >= size && pad > 0) continue;
        const std::vector<float> input =
            counting(static_cast<std::size_t>(w) * static_cast<std::size_t>(h), -20);
        std::vector<float> wanted;
        for (int i = 0; i < (h + pad - size) / stride + 1; ++i) {
          for (int j = 0; j < (w + pad - size) / stride + 1; ++j) {
            float best = -1e30f;
            for (int n = 0; n < size; ++n) {
              for (int m = 0; m < size; ++m) {
                const int y = -pad / 2 + i * stride + n;
                const int x = -pad / 2 + j * stride + m;
                if (y < 0 || y >= h || x < 0 || x >= w) continue;
                const int at = y * w + x;
                best = std::max(best, input[static_cast<std::size_t>(at)]);
              }
            }
            wanted.push_back(best);
          }
        }
        const std::string given = padding < 0 ? "" : fmt::format("padding={}\n", padding);
        const std::string cfg =
            fmt::format("[net]\nwidth={}\nheight={}\nchannels=1\n[maxpool]\nsize={}\nstride={}\n{}",
                        w, h, size, stride, given);
        EXPECT_EQ(run(cfg, {}, input), wanted)
            << "size " << size << " stride " << stride << " padding " << padding;
      }
    }
  }
}

/// Darknet's reorg_cpu, with its own variable names.
std::vector<float> reorgCpu(const std::vector<float>& x, int w, int h, int c, int stride,
                            bool forward) {
  std::vector<float> out(x.size());
  const int out_c = c / (stride * stride);
  for (int k = 0; k < c; ++k) {
    for (int j = 0; j < h; ++j) {
      for (int i = 0; i < w; ++i) {
        const int in_index = i + w * (j + h * k);
        const int c2 = k % out_c;
        const int offset = k / out_c;
        const int w2 = i * stride + offset % stride;
        const int h2 = j * stride + offset / stride;
        const int out_index = w2 + w * stride * (h2 + h * stride * c2);
        if (forward) {
          out[static_cast<std::size_t>(out_index)] = x[static_cast<std::size_t>(in_index)];
        } else {
          out[static_cast<std::size_t>(in_index)] = x[static_cast<std::size_t>(out_index)];
        }
      }
    }
  }
  return out;
}

TEST(DarknetReader, ReorganisesAsDarknetDoes) {
  for (int stride : {1, 2, 3}) {
    const int w = 2 * stride;
    const int h = 3 * stride;
    const int c = 2 * stride * stride;
    const int count = w * h * c;
    const std::vector<float> input = counting(static_cast<std::size_t>(count));
    for (bool reverse : {false, true}) {
      const std::string cfg =
          fmt::format("[net]\nwidth={}\nheight={}\nchannels={}\n[reorg]\nstride={}\nreverse={}\n",
                      w, h, c, stride, reverse ? 1 : 0);
      EXPECT_EQ(run(cfg, {}, input), reorgCpu(input, w, h, c, stride, reverse))
          << "stride " << stride << (reverse ? " reverse" : "");
    }
  }
}

TEST(DarknetReader, RoutesGroupsOfChannels) {
  const std::string cfg =
      "[net]\nwidth=1\nheight=1\nchannels=4\n"
      "[dropout]\n"
      "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n"
      "[route]\nlayers = -1, 0\n";
  EXPECT_EQ(run(cfg, {}, {1, 2, 3, 4}), (std::vector<float>{3, 4, 1, 2, 3, 4}));
}

TEST(DarknetReader, AddsShortcutsOfOtherExtents) {
  // Layer 0 keeps the map of 4x4; layer 1 pools it to 2x2 with 2 channels; the shortcut samples
  // every second element.
  const std::string cfg =
      "[net]\nwidth=4\nheight=4\nchannels=1\n"
      "[dropout]\n"
      "[maxpool]\nsize=2\nstride=2\n"
      "[route]\nlayers=-1,-1\n"
      "[shortcut]\nfrom=0\nactivation=linear\n";
  // Pooled: 5 7 13 15 in both channels. Sampled: 0 2 8 10, added to the first channel only.
  EXPECT_EQ(run(cfg, {}, counting(16)), (std::vector<float>{5, 9, 21, 25, 5, 7, 13, 15}));
}

TEST(DarknetReader, AddsSeveralShortcuts) {
  const std::string cfg = std::string(kNet2x2) +
                          "[activation]\nactivation=relu\n[activation]\nactivation=leaky\n"
                          "[shortcut]\nfrom=-2,-1\nactivation=relu\n";
  EXPECT_EQ(run(cfg, {}, {1, 2, -10, 4}), (std::vector<float>{3, 6, 0, 12}));
}

TEST(DarknetReader, UpsamplesAndScales) {
  const std::string cfg = "[net]\nwidth=2\nheight=1\nchannels=1\n[upsample]\nstride=2\nscale=3\n";
  EXPECT_EQ(run(cfg, {}, {1, 2}), (std::vector<float>{3, 3, 6, 6, 3, 3, 6, 6}));
}

TEST(DarknetReader, AveragesAndSoftmaxes) {
  const std::string cfg =
      "[net]\nwidth=2\nheight=1\nchannels=2\n[avgpool]\n[softmax]\ntemperature=2\n[cost]\n";
  const std::vector<float> y = run(cfg, {}, {1, 3, 2, 6});
  ASSERT_EQ(y.size(), 2u);
  EXPECT_NEAR(y[0], 1 / (1 + std::exp(1.0)), 1e-6);
  EXPECT_NEAR(y[0] + y[1], 1, 1e-6);
}

TEST(DarknetReader, CropsTheMiddle) {
  const std::string cfg =
      "[net]\nwidth=4\nheight=3\nchannels=1\n[crop]\ncrop_width=2\ncrop_height=1\n";
  EXPECT_EQ(run(cfg, {}, counting(12)), (std::vector<float>{9, 11}));
  EXPECT_EQ(run(cfg + "noadjust=1\n", {}, counting(12)), (std::vector<float>{5, 6}));
}

TEST(DarknetReader, ConvolvesGroupsWithStrideAndDilation) {
  const std::string cfg =
      "[net]\nwidth=5\nheight=5\nchannels=2\n"
      "[convolutional]\nfilters=2\ngroups=2\nsize=3\npad=1\nstride_x=2\nstride_y=1\ndilation=2\n"
      "activation=linear\n";
  auto model = parseDarknet(cfg, DarknetRandomWeights{});
  ASSERT_TRUE(model.ok()) << model.error().message;
  const auto& conv = std::get<Conv2d>(model->graph.node(NodeId(0)).op);
  EXPECT_EQ(conv.window.stride, (Extent2d{1, 2}));
  EXPECT_EQ(conv.window.pads, (Padding2d{2, 2, 2, 2}));
  EXPECT_EQ(conv.groups, 2);
  EXPECT_EQ(model->graph.shape(model->graph.outputs()[0]), (Shape{1, 2, 5, 3}));
}

TEST(DarknetReader, DescribesHeads) {
  const std::string cfg =
      "[net]\nwidth=8\nheight=4\nchannels=3\n"
      "[convolutional]\nfilters=14\nactivation=linear\n"
      "[yolo]\nmask=2,0\nanchors=1,2, 3,4, 5,6\nnum=3\nclasses=2\nscale_x_y = 1.05\n"
      "[route]\nlayers=-2\n"
      "[region]\nanchors=0.5,1.5,2,3\nnum=2\nclasses=2\nsoftmax=1\n";
  auto model = parseDarknet(cfg, DarknetRandomWeights{});
  ASSERT_TRUE(model.ok()) << model.error().message;
  EXPECT_EQ(model->width, 8);
  EXPECT_EQ(model->height, 4);
  EXPECT_EQ(model->channels, 3);
  ASSERT_EQ(model->heads.size(), 2u);
  using Anchors = std::vector<DarknetHead::Anchor>;
  EXPECT_EQ(model->heads[0].kind, DarknetHeadKind::yolo);
  EXPECT_EQ(model->heads[0].anchors, (Anchors{{5, 6}, {1, 2}}));
  EXPECT_EQ(model->heads[0].scale_x_y, 1.05);
  EXPECT_EQ(model->heads[0].classes, 2);
  EXPECT_EQ(model->heads[1].kind, DarknetHeadKind::region);
  EXPECT_EQ(model->heads[1].anchors, (Anchors{{0.5, 1.5}, {2, 3}}));
  EXPECT_TRUE(model->heads[1].softmax);
  const Graph& graph = model->graph;
  ASSERT_EQ(graph.outputs().size(), 2u);
  EXPECT_EQ(graph.value(graph.outputs()[0]).name, "head0");
  EXPECT_EQ(graph.value(graph.outputs()[1]).name, "head1");
  EXPECT_EQ(graph.shape(graph.outputs()[1]), (Shape{1, 14, 4, 8}));
}

TEST(DarknetReader, MakesTheSameRandomWeightsFromTheSameSeed) {
  const std::string cfg =
      "[net]\nwidth=2\nheight=2\nchannels=50\n"
      "[convolutional]\nfilters=40\nbatch_normalize=1\nactivation=leaky\n";
  const auto weights = [&cfg](std::uint64_t seed) {
    auto model = parseDarknet(cfg, DarknetRandomWeights{seed});
    EXPECT_TRUE(model.ok()) << model.error().message;
    const ValueId id = model->graph.findValue("layer0/weights");
    const auto values = model->graph.value(id).constant->as<float>();
    return std::vector<float>(values.begin(), values.end());
  };
  const std::vector<float> first = weights(7);
  EXPECT_EQ(first, weights(7));
  EXPECT_NE(first, weights(8));
  double sum = 0;
  double squares = 0;
  for (float value : first) {
    sum += static_cast<double>(value);
    squares += static_cast<double>(value) * static_cast<double>(value);
  }
  const double count = static_cast<double>(first.size());
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 2.0 / 50, 0.004);
}

TEST(DarknetReader, BoundsRandomWeights) {
  const std::string cfg =
      "[net]\nwidth=2\nheight=2\nchannels=60000\n"
      "[convolutional]\nfilters=1000000\nsize=1\nactivation=leaky\n";
  auto model = parseDarknet(cfg, DarknetRandomWeights{});
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().message,
            "cfg: line 5: [convolutional]: the network has more than 536870912 weights");
}

TEST(DarknetCfg, IgnoresWhiteSpaceAndComments) {
  auto sections =
      parseDarknetCfg("# a comment\r\n ; another\n[ net ]\t\nstride =1 \n a = 1 , 2,\n");
  ASSERT_TRUE(sections.ok()) << sections.error().message;
  ASSERT_EQ(sections->size(), 1u);
  EXPECT_EQ((*sections)[0].name(), "net");
  EXPECT_EQ(*(*sections)[0].integer("stride", 0, 0, 9), 1);
  EXPECT_EQ(*(*sections)[0].integers("a"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(*(*sections)[0].integer("absent", 4, 0, 9), 4);
}

TEST(DarknetCfg, ErrorsNameTheLine) {
  EXPECT_EQ(errorOf("width=3\n"), "cfg: line 1: \"width=3\" stands before the first section");
  EXPECT_EQ(errorOf("[net\n"), "cfg: line 1: \"[net\", expected [section]");
  EXPECT_EQ(errorOf("[net]\n\nwidth\n"),
            "cfg: line 3: \"width\", expected [section] or key = value");
  EXPECT_EQ(errorOf(""), "cfg: no section, expected [net]");
  EXPECT_EQ(errorOf("[convolutional]\n"),
            "cfg: line 1: [convolutional]: the first section must be [net]");
  EXPECT_EQ(errorOf("[net]\nwidth=0\nheight=1\n"),
            "cfg: line 2: [net] width = \"0\": expected a whole number from 1 to 65536");
  EXPECT_EQ(errorOf("[net]\nwidth=4\nwidth=4\nheight=1\nwidth=5\n"),
            "cfg: line 5: [net] width = \"5\", but \"4\" in line 2");
  const std::string net(kNet2x2);
  EXPECT_EQ(errorOf(net), "cfg: the network has no layer");
  EXPECT_EQ(errorOf(net + "[gru]\n"), "cfg: line 5: [gru]: this kind of section is not supported");
  EXPECT_EQ(errorOf(net + "[convolutional]\nactivation=sine\n"),
            "cfg: line 6: [convolutional] activation = \"sine\": unknown activation");
  EXPECT_EQ(errorOf(net + "[convolutional]\nsize=3x\n"),
            "cfg: line 6: [convolutional] size = \"3x\": expected a whole number from 1 to 4096");
  EXPECT_EQ(errorOf(net + "[convolutional]\nbinary=1\n"),
            "cfg: line 6: [convolutional] binary = \"1\": not supported");
  EXPECT_EQ(errorOf(net + "[route]\nlayers=-1\n"),
            "cfg: line 5: [route]: layer -1 of 0 before this one");
  EXPECT_EQ(errorOf(net + "[dropout]\n[route]\nlayers=1\n"),
            "cfg: line 6: [route]: layer 1 of 1 before this one");
  EXPECT_EQ(errorOf(net + "[maxpool]\nsize=9\npadding=1\n"),
            "cfg: line 5: [maxpool]: a window of 9 does not fit 2x2 with padding 1");
  EXPECT_EQ(errorOf(net + "[yolo]\nanchors=1,1\nclasses=1\n"),
            "cfg: line 5: [yolo]: 1 boxes of 1 classes need 6 channels, the layer before has 1");
  EXPECT_EQ(errorOf(net + "[yolo]\nanchors=1,1,2\nclasses=1\n"),
            "cfg: line 6: [yolo] anchors = \"1,1,2\": 3 numbers, expected a width and a height for "
            "each of 1 boxes");
  EXPECT_EQ(errorOf(net + "[convolutional]\nfilters=6\nactivation=linear\n[yolo]\nanchors=1,1\n"
                          "classes=1\n[dropout]\n"),
            "cfg: line 11: [dropout]: the layer before is a head, which no layer can read");
}

}  // namespace
}  // namespace narrows
