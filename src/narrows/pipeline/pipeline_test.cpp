#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "narrows/codec/frame.h"
#include "narrows/pipeline/gather.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/pipeline/small_bundle.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

using test::SmallHead;

PipelineOptions reference() {
  PipelineOptions options;
  options.engine = "reference";
  return options;
}

template <class T>
T must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return std::move(*result);
}

#define EXPECT_OK(expression)                           \
  do {                                                  \
    const auto status = (expression);                   \
    EXPECT_TRUE(status.ok()) << status.error().message; \
  } while (false)

std::vector<float> floats(const Tensor& tensor) {
  const auto values = tensor.as<float>();
  return {values.begin(), values.end()};
}

/// The whole model by the engine alone, without plan or pipeline.
std::vector<Tensor> uncut(const Graph& graph, const Image& image,
                          const ModelDescription& description) {
  const auto engine = must(makeEngine("reference"));
  const auto program = must(engine->compile(graph, {}));
  const Tensor input = must(preprocess(image, description.preprocessing));
  const TensorView view = input;
  return must(runProgram(*program, std::span(&view, 1)));
}

/// Cut at relu1 by hand: head, quantize and dequantize by the formula, tail.
TEST(LocalPipeline, EqualsPiecesAndFormulaByHand) {
  const auto bundle = test::smallSplit(SmallHead::none);
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  const auto engine = must(makeEngine("reference"));
  const auto head = must(engine->compile(bundle->pieces[0], {}));
  const auto tail = must(engine->compile(bundle->pieces[1], {}));
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    const Image image = test::smallPicture(seed);
    const Tensor input = must(preprocess(image, bundle->description.preprocessing));
    const TensorView input_view = input;
    std::vector<Tensor> map = must(runProgram(*head, std::span(&input_view, 1)));
    for (float& value : map[0].mutableAs<float>()) {
      const float code = std::floor((value + 1.0F) / 0.25F + 0.5F);
      value = -1.0F + 0.25F * std::clamp(code, 0.0F, 15.0F);
    }
    const TensorView map_view = map[0];
    const std::vector<Tensor> expected = must(runProgram(*tail, std::span(&map_view, 1)));
    Picture picture = Picture::fromImage(image);
    EXPECT_OK(pipeline.run(picture));
    EXPECT_EQ(floats(pipeline.outputs()[0]), floats(expected[0]));
    ASSERT_EQ(pipeline.frameBytes().size(), 1U);
    EXPECT_GT(pipeline.frameBytes()[0], kFrameHeaderBytes);
    EXPECT_LE(pipeline.frameBytes()[0], 4U * 16 * 24 / 2 + kFrameHeaderBytes);
  }
}

TEST(LocalPipeline, WithoutLossEqualsUncutModel) {
  const std::vector<std::shared_ptr<const Bundle>> bundles = {
      test::smallNodeBundle(SmallHead::none),
      test::smallImageBundle(SmallHead::none, {ImageCoding::raw, 90}),
      test::smallImageBundle(SmallHead::none, {ImageCoding::original, 90})};
  const Graph graph = test::smallGraph(SmallHead::none);
  for (const auto& bundle : bundles) {
    auto pipeline = must(LocalPipeline::create(bundle, reference()));
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      const Image image = test::smallPicture(seed, 50, 31);
      const auto expected = uncut(graph, image, bundle->description);
      Picture picture = Picture::fromImage(image);
      EXPECT_OK(pipeline.run(picture));
      EXPECT_EQ(floats(pipeline.outputs()[0]), floats(expected[0]));
    }
  }
}

TEST(LocalPipeline, JpegInterfaceComputesFromTheDecodedJpeg) {
  const auto bundle = test::smallImageBundle(SmallHead::none, {ImageCoding::jpeg, 60});
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  const Preprocessing& preprocessing = bundle->description.preprocessing;
  const Image image = test::smallPicture(4);
  const Image fitted = must(fitImage(image, preprocessing));
  const Image decoded = must(decodeImage(must(encodeJpeg(fitted, 60))));
  const auto engine = must(makeEngine("reference"));
  const auto program = must(engine->compile(bundle->pieces[0], {}));
  const Tensor input = normalizeImage(decoded, preprocessing);
  const TensorView view = input;
  const auto expected = must(runProgram(*program, std::span(&view, 1)));
  Picture picture = Picture::fromImage(image);
  EXPECT_OK(pipeline.run(picture));
  EXPECT_EQ(floats(pipeline.outputs()[0]), floats(expected[0]));
}

TEST(LocalPipeline, OriginalFileCrossesAsItIs) {
  const auto bundle = test::smallImageBundle(SmallHead::yolov2, {ImageCoding::original, 90});
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  const ByteVector file = must(encodeJpeg(test::smallPicture(5, 64, 48), 80));
  Picture picture = Picture::fromFile(file);
  EXPECT_OK(pipeline.run(picture));
  EXPECT_EQ(pipeline.frameBytes()[0], file.size() + kFrameHeaderBytes);
}

TEST(LocalPipeline, SeveralTensorsCross) {
  const auto bundle = test::smallSplit(SmallHead::none, true);
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  ASSERT_EQ(pipeline.exchange().channels.size(), 2U);
  Picture picture = Picture::fromImage(test::smallPicture(6));
  EXPECT_OK(pipeline.run(picture));
  // The plain one is as long as its elements, the other at most four bits each.
  std::size_t longest = 0;
  for (const std::size_t bytes : pipeline.frameBytes()) longest = std::max(longest, bytes);
  EXPECT_EQ(longest, 4U * 16 * 24 * 4 + kFrameHeaderBytes);
}

/// Bands with halo, concatenation by region, partial sums added on the way back: equal to the
/// layers run whole.
TEST(LocalPipeline, TilesAndPartialSumsEqualWholeLayers) {
  const auto bundle = test::tiledBundle();
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  EXPECT_EQ(pipeline.exchange().head, bundle->plan.sink_device);
  const Image image = test::smallPicture(8);
  Picture picture = Picture::fromImage(image);
  EXPECT_OK(pipeline.run(picture));

  const auto constantOf = [&](std::size_t piece) {
    const Graph& graph = bundle->pieces[piece];
    return graph.value(graph.findValue("weight")).constant;
  };
  const auto first = constantOf(0);
  const auto some = constantOf(2);
  const auto rest = constantOf(3);
  const Tensor input = must(preprocess(image, bundle->description.preprocessing));
  constexpr std::int64_t kH = 16;
  constexpr std::int64_t kW = 24;
  const auto pixel = [&](std::int64_t c, std::int64_t y, std::int64_t x) {
    if (y < 0 || x < 0 || y >= kH || x >= kW) return 0.0;
    return static_cast<double>(input.as<float>()[static_cast<std::size_t>((c * kH + y) * kW + x)]);
  };
  const auto outputs = pipeline.outputs()[0].as<float>();
  for (std::int64_t y = 0; y < kH; ++y) {
    for (std::int64_t x = 0; x < kW; ++x) {
      std::array<double, 4> map{};
      for (std::size_t o = 0; o < 4; ++o) {
        for (std::int64_t k = 0; k < 27; ++k) {
          const std::size_t at = o * 27 + static_cast<std::size_t>(k);
          map[o] += static_cast<double>(first->as<float>()[at]) *
                    pixel(k / 9, y + k / 3 % 3 - 1, x + k % 3 - 1);
        }
      }
      for (std::size_t o = 0; o < 5; ++o) {
        double expected = static_cast<double>(rest->as<float>()[o]) * map[3];
        for (std::size_t c = 0; c < 3; ++c) {
          expected += static_cast<double>(some->as<float>()[o * 3 + c]) * map[c];
        }
        const auto at = (o * kH + static_cast<std::size_t>(y)) * kW + static_cast<std::size_t>(x);
        ASSERT_NEAR(outputs[at], expected, 1e-4) << o << " " << y << " " << x;
      }
    }
  }
}

TEST(LocalPipeline, TensorInputGivesWhatThePictureGives) {
  for (const bool two : {false, true}) {
    const auto bundle = test::smallSplit(SmallHead::yolov2, two);
    auto pipeline = must(LocalPipeline::create(bundle, reference()));
    const Image image = test::smallPicture(9);
    Picture picture = Picture::fromImage(image);
    EXPECT_OK(pipeline.run(picture));
    const Prediction expected = pipeline.prediction();
    EXPECT_FALSE(expected.detections.empty());
    const Tensor input = must(preprocess(image, bundle->description.preprocessing));
    const TensorView view = input;
    EXPECT_OK(pipeline.run(std::span(&view, 1), image.size()));
    EXPECT_EQ(pipeline.prediction(), expected);
  }
}

TEST(LocalPipeline, TensorInputGoesAroundAnImageInterface) {
  const auto bundle = test::smallImageBundle(SmallHead::none, {ImageCoding::jpeg, 10});
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  const Image image = test::smallPicture(10);
  const auto expected = uncut(test::smallGraph(SmallHead::none), image, bundle->description);
  const Tensor input = must(preprocess(image, bundle->description.preprocessing));
  const TensorView view = input;
  EXPECT_OK(pipeline.run(std::span(&view, 1)));
  EXPECT_EQ(floats(pipeline.outputs()[0]), floats(expected[0]));
  const Tensor wrong(DType::f32, {1, 3, 4, 4});
  const TensorView wrong_view = wrong;
  EXPECT_FALSE(pipeline.run(std::span(&wrong_view, 1)).ok());
}

TEST(LocalPipeline, RunsAgainAfterAnError) {
  const auto bundle = test::smallSplit(SmallHead::classification);
  auto pipeline = must(LocalPipeline::create(bundle, reference()));
  Picture good = Picture::fromImage(test::smallPicture(11));
  EXPECT_OK(pipeline.run(good));
  const Prediction expected = pipeline.prediction();
  ASSERT_EQ(expected.classes.size(), 3U);
  Picture bad = Picture::fromFile(ByteVector(100, std::byte{7}));
  EXPECT_FALSE(pipeline.run(bad).ok());
  EXPECT_OK(pipeline.run(good));
  EXPECT_EQ(pipeline.prediction(), expected);
}

/// Two devices that only exchange frames, against the same devices in one pipeline.
void expectTwoPartiesAgree(const std::shared_ptr<const Bundle>& bundle) {
  auto together = must(LocalPipeline::create(bundle, reference()));
  auto node = must(DevicePipeline::create(bundle, "node", reference()));
  auto server = must(DevicePipeline::create(bundle, "server", reference()));
  for (std::uint32_t sequence = 0; sequence < 6; ++sequence) {
    Picture picture = Picture::fromImage(test::smallPicture(sequence, 33 + sequence, 40));
    EXPECT_OK(together.run(picture, sequence));
    EXPECT_OK(node.start(picture, sequence));
    server.startRemote(sequence, must(picture.size()));
    for (const ChannelFrame& frame : must(node.advance())) {
      EXPECT_OK(server.receive(frame.channel, frame.bytes));
    }
    for (const ChannelFrame& frame : must(server.advance())) {
      EXPECT_OK(node.receive(frame.channel, frame.bytes));
    }
    EXPECT_TRUE(must(node.advance()).empty());
    ASSERT_TRUE(node.finished());
    ASSERT_TRUE(server.finished());
    const DevicePipeline& head = node.decodesHead() ? node : server;
    EXPECT_EQ(head.prediction(), together.prediction());
    EXPECT_EQ(floats(head.outputs()[0]), floats(together.outputs()[0]));
  }
}

TEST(DevicePipeline, TwoPartiesEqualOneProcess) {
  for (const SmallHead head : {SmallHead::classification, SmallHead::yolov2, SmallHead::none}) {
    expectTwoPartiesAgree(test::smallSplit(head));
    expectTwoPartiesAgree(test::smallSplit(head, true));
    for (const ImageCoding coding : {ImageCoding::raw, ImageCoding::jpeg, ImageCoding::original}) {
      expectTwoPartiesAgree(test::smallImageBundle(head, {coding, 70}));
    }
  }
  expectTwoPartiesAgree(test::tiledBundle());
}

TEST(DevicePipeline, RefusesWrongFrames) {
  const auto bundle = test::smallSplit(SmallHead::yolov2, true);
  auto node = must(DevicePipeline::create(bundle, "node", reference()));
  auto server = must(DevicePipeline::create(bundle, "server", reference()));
  Picture picture = Picture::fromImage(test::smallPicture(1));
  EXPECT_OK(node.start(picture, 3));
  const auto frames = must(node.advance());
  ASSERT_EQ(frames.size(), 2U);

  EXPECT_FALSE(server.receive(0, frames[0].bytes).ok()) << "before a start";
  server.startRemote(4, std::nullopt);
  EXPECT_FALSE(server.receive(frames[0].channel, frames[0].bytes).ok()) << "other sequence";
  server.startRemote(3, std::nullopt);
  EXPECT_FALSE(server.receive(7, frames[0].bytes).ok()) << "no such channel";
  EXPECT_FALSE(server.receive(frames[1].channel, frames[0].bytes).ok()) << "other interface";
  std::mt19937 random(5);
  for (std::size_t i = 0; i < frames[0].bytes.size(); i += 7) {
    ByteVector damaged = frames[0].bytes;
    damaged[i] ^= static_cast<std::byte>(1 + random() % 255);
    EXPECT_FALSE(server.receive(frames[0].channel, damaged).ok()) << "byte " << i;
  }
  EXPECT_OK(server.receive(frames[0].channel, frames[0].bytes));
  EXPECT_FALSE(server.receive(frames[0].channel, frames[0].bytes).ok()) << "twice";
  EXPECT_FALSE(server.finished());
  EXPECT_OK(server.receive(frames[1].channel, frames[1].bytes));
  EXPECT_TRUE(must(server.advance()).empty());
  EXPECT_TRUE(server.finished());
}

TEST(DevicePipeline, SaysWhatIsMissing) {
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  const auto unknown = DevicePipeline::create(bundle, "cloud", reference());
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.error().message.find("node, server"), std::string::npos);
  const auto less = test::withoutDevice(*bundle, "server");
  EXPECT_TRUE(DevicePipeline::carries(*bundle, DeviceId(1)));
  EXPECT_FALSE(DevicePipeline::carries(*less, DeviceId(1)));
  EXPECT_FALSE(DevicePipeline::create(less, "server", reference()).ok());
  EXPECT_TRUE(DevicePipeline::create(less, "node", reference()).ok());
  auto server = must(DevicePipeline::create(bundle, "server", reference()));
  Picture picture = Picture::fromImage(test::smallPicture(1));
  EXPECT_FALSE(server.start(picture, 0).ok());
}

TEST(DevicePipeline, RefusesPictureOfAnotherSizeInAJpegFrame) {
  const ImageInterface interface { ImageCoding::jpeg, 80 };
  const auto bundle = test::smallImageBundle(SmallHead::yolov2, interface);
  auto server = must(DevicePipeline::create(bundle, "server", reference()));
  ByteVector frame;
  const ByteVector jpeg = must(encodeJpeg(test::smallPicture(1, 64, 64), 80));
  wrapPayload(jpeg, interface, 0, frame);
  server.startRemote(0, std::nullopt);
  EXPECT_FALSE(server.receive(0, frame).ok());
}

TEST(Exchange, FramesStayBelowTheirBound) {
  for (const ImageCoding coding : {ImageCoding::raw, ImageCoding::jpeg}) {
    const auto bundle = test::smallImageBundle(SmallHead::none, {coding, 100});
    auto pipeline = must(LocalPipeline::create(bundle, reference()));
    const Channel& channel = pipeline.exchange().channels[0];
    Picture noise = Picture::fromImage(test::smallPicture(1, 24, 16));
    EXPECT_OK(pipeline.run(noise));
    EXPECT_LE(pipeline.frameBytes()[0], maxFrameBytes(channel, bundle->description.preprocessing));
  }
}

TEST(Exchange, FingerprintTellsBundlesApart) {
  const auto print = [](const Bundle& bundle) {
    return bundleFingerprint(bundle.plan, bundle.description);
  };
  const auto bundle = test::smallSplit(SmallHead::yolov2);
  EXPECT_EQ(print(*bundle), print(*test::smallSplit(SmallHead::yolov2)));
  EXPECT_EQ(print(*bundle), print(*test::withoutDevice(*bundle, "server")));
  EXPECT_NE(print(*bundle), print(*test::smallSplit(SmallHead::yolov2, true)));
  Bundle changed(*bundle);
  std::get<FeatureInterface>(changed.plan.interfaces[0]).quantizer.step[0] *= 1.5F;
  EXPECT_NE(print(*bundle), print(changed));
  changed = *bundle;
  changed.description.head.score_threshold = 0.31;
  EXPECT_NE(print(*bundle), print(changed));
}

TEST(Gather, AddsAndCopiesBoxes) {
  const auto region = [](std::int64_t y0, std::int64_t y1, std::int64_t x0, std::int64_t x1) {
    const std::array<Region::Interval, 2> intervals = {{{y0, y1}, {x0, x1}}};
    return must(Region::create(intervals));
  };
  const Tensor source = Tensor::from<std::int32_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  Tensor target(DType::i32, {3, 3});
  target.mutableAs<std::int32_t>()[8] = 99;
  const std::array<Contribution, 2> parts = {
      {{source, region(0, 2, 1, 3), region(0, 2, 0, 2), TransferMode::add},
       {source, region(0, 1, 0, 2), region(1, 2, 1, 3), TransferMode::add}}};
  EXPECT_OK(gather(parts, target.mutableView()));
  const auto values = target.as<std::int32_t>();
  EXPECT_EQ(std::vector<std::int32_t>(values.begin(), values.end()),
            (std::vector<std::int32_t>{2, 3, 0, 5, 6 + 1, 2, 0, 0, 0}));
  Tensor flags(DType::boolean, {2, 3});
  const Tensor other(DType::boolean, {2, 3});
  EXPECT_FALSE(addRegion(other, Region::whole(other.shape()), flags.mutableView(),
                         Region::whole(flags.shape()))
                   .ok());
}

}  // namespace
}  // namespace narrows
