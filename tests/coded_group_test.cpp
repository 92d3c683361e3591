// Plans over a group whose regions are coded on their way: what that does to outputs and bytes.
#include <gtest/gtest.h>

#include <algorithm>

#include "narrows/base/file.h"
#include "narrows/eval/transfer_coding.h"
#include "narrows/pipeline/local_pipeline.h"
#include "tests/support/difference.h"
#include "tests/support/pictures.h"
#include "tests/support/planned_group.h"

namespace narrows::test {
namespace {

constexpr std::string_view kSixBoards = R"(
link = "100Mbit/s"
[[device]]
name = "pi"
count = 6
memory = "none"
)";

class CodedGroup : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryDirectory::create("narrows-coded");
    ASSERT_TRUE(folder.ok());
    folder_.emplace(std::move(*folder));
    items_ = wavyPictures(folder_->path(), 2, 128, 96);
    auto engine = makeEngine(defaultEngineName());
    ASSERT_TRUE(engine.ok());
    engine_ = std::move(*engine);
  }

  /// Tiles, then slices of filters and partial sums, as DeeperThings has them.
  Bundle sliced(const Graph& graph) const {
    auto group = parseDeviceGroup(kSixBoards, "test");
    NARROWS_ASSERT(group.ok());
    auto design = publishedScheme(graph, *group, 2, true, 2, 3);
    NARROWS_ASSERT(design.ok());
    auto split = buildGroupPlan(graph, *design);
    NARROWS_ASSERT(split.ok());
    return bundleOf(std::move(*split), "sliced");
  }

  struct Figures {
    double bytes = 0;
    double difference = 0;  // of an output's range, at worst
    Plan plan;
  };
  /// Runs the plan with this coding, or as it is, beside the whole network.
  Figures measure(const Graph& graph, const TransferCoding* coding) {
    auto bundle = std::make_shared<Bundle>(sliced(graph));
    PictureSource pictures(items_, bundle->description.preprocessing);
    Figures figures;
    if (coding != nullptr) {
      const Status coded = codeTransfers(*engine_, *bundle, &pictures, *coding, 1);
      EXPECT_TRUE(coded.ok()) << coded.error().message;
    }
    figures.plan = bundle->plan;
    auto bytes = transferBytes(defaultEngineName(), bundle, pictures, 1);
    EXPECT_TRUE(bytes.ok()) << bytes.error().message;
    for (const double transfer : *bytes) figures.bytes += transfer;
    PipelineOptions options;
    options.engine = defaultEngineName();
    auto pipeline = LocalPipeline::create(bundle, options);
    EXPECT_TRUE(pipeline.ok()) << pipeline.error().message;
    for (std::size_t p = 0; p < pictures.size(); ++p) {
      auto picture = pictures.get(p);
      EXPECT_TRUE(picture.ok());
      const std::vector<Tensor> inputs = [&] {
        std::vector<Tensor> list;
        list.push_back(normalizeImage(picture->image, bundle->description.preprocessing));
        return list;
      }();
      EXPECT_TRUE(pipeline->run(viewsOf(inputs)).ok());
      const std::vector<Tensor> whole = runWhole(graph, inputs);
      for (std::size_t i = 0; i < whole.size(); ++i) {
        figures.difference =
            std::max(figures.difference, differenceOf(pipeline->outputs()[i], whole[i]));
      }
    }
    return figures;
  }

  static TransferCoding uniform(int bits, CoderKind coder) {
    TransferCoding coding;
    coding.quantizer = {QuantizerKind::uniform, bits, Granularity::channel};
    coding.coder.kind = coder;
    return coding;
  }

  std::optional<TemporaryDirectory> folder_;
  std::vector<DataItem> items_;
  std::unique_ptr<Engine> engine_;
};

bool isSum(const Transfer& transfer) {
  return transfer.mode == TransferMode::add;
}

TEST_F(CodedGroup, FewerBitsAreFewerBytesAndMoreError) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  const Figures raw = measure(graph, nullptr);
  const TransferCoding eight = uniform(8, CoderKind::raw);
  const TransferCoding four = uniform(4, CoderKind::context);
  const TransferCoding packed = uniform(4, CoderKind::raw);
  const Figures at8 = measure(graph, &eight);
  const Figures at4 = measure(graph, &four);
  const Figures packed4 = measure(graph, &packed);
  fmt::print(
      "raw {:.0f} B; 8 bit {:.0f} B, off {:.2g}; 4 bit {:.0f} B, off {:.2g}; packed {:.0f}\n",
      raw.bytes, at8.bytes, at8.difference, at4.bytes, at4.difference, packed4.bytes);
  EXPECT_LT(raw.difference, 1e-4);
  EXPECT_LT(at8.bytes, 0.3 * raw.bytes);
  EXPECT_LT(packed4.bytes, at8.bytes);
  EXPECT_LT(at4.bytes, packed4.bytes);
  EXPECT_LT(at8.difference, 0.05);
  EXPECT_LT(at8.difference, at4.difference);
  // The coder loses nothing.
  EXPECT_EQ(at4.difference, packed4.difference);
  ASSERT_TRUE(std::any_of(raw.plan.transfers.begin(), raw.plan.transfers.end(), isSum));
}

TEST_F(CodedGroup, LosslessCodingChangesNothingButBytes) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  const Figures raw = measure(graph, nullptr);
  TransferCoding coding;
  coding.quantizer = {QuantizerKind::none, 8, Granularity::tensor};
  coding.coder.kind = CoderKind::zstd;
  const Figures coded = measure(graph, &coding);
  EXPECT_EQ(coded.difference, raw.difference);
  EXPECT_LT(coded.bytes, raw.bytes);
}

TEST_F(CodedGroup, SumsCanStayAsTheyAre) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  TransferCoding coding = uniform(6, CoderKind::raw);
  const Figures with = measure(graph, &coding);
  coding.sums = false;
  const Figures without = measure(graph, &coding);
  std::size_t sums = 0;
  for (std::size_t t = 0; t < with.plan.transfers.size(); ++t) {
    const Transfer& transfer = with.plan.transfers[t];
    // What goes to the model's outputs travels as it is.
    const bool crosses =
        transfer.destination.piece.valid() && with.plan.deviceOf(transfer.source, true) !=
                                                  with.plan.deviceOf(transfer.destination, false);
    EXPECT_EQ(transfer.interface.valid(), crosses);
    const bool coded = without.plan.transfers[t].interface.valid();
    EXPECT_EQ(coded, crosses && !isSum(transfer));
    sums += crosses && isSum(transfer) ? 1 : 0;
  }
  EXPECT_GT(sums, 0u);
  EXPECT_GT(without.bytes, with.bytes);
}

TEST_F(CodedGroup, APictureKeepsItsSamples) {
  // One device sees, the other does everything: what crosses is the picture, and the answer.
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  auto group = parseDeviceGroup("[[device]]\nname = \"a\"\n[[device]]\nname = \"b\"\n", "test");
  ASSERT_TRUE(group.ok());
  GroupDesign design;
  design.devices = {{"a"}, {"b"}};
  design.source = DeviceId(0);
  design.sink = DeviceId(1);
  design.stages = {{graph.nodeCount(), WholeStage{DeviceId(1)}}};
  auto split = buildGroupPlan(graph, design);
  ASSERT_TRUE(split.ok());
  auto bundle = std::make_shared<Bundle>(bundleOf(std::move(*split), "far"));
  PictureSource pictures(items_, bundle->description.preprocessing);
  const TransferCoding coding = uniform(2, CoderKind::context);
  const Status coded = codeTransfers(*engine_, *bundle, &pictures, coding, 1);
  ASSERT_TRUE(coded.ok()) << coded.error().message;
  ASSERT_EQ(bundle->plan.interfaces.size(), 1u);
  const auto& interface = std::get<FeatureInterface>(bundle->plan.interfaces[0]);
  auto encoder = FeatureEncoder::create(interface);
  auto decoder = FeatureDecoder::create(interface);
  ASSERT_TRUE(encoder.ok() && decoder.ok());
  auto picture = pictures.get(0);
  ASSERT_TRUE(picture.ok());
  const Tensor input = normalizeImage(picture->image, bundle->description.preprocessing);
  ByteVector frame;
  ASSERT_TRUE(encoder->encode(input, 0, frame).ok());
  Tensor back(input.type());
  ASSERT_TRUE(decoder->decode(frame, back.mutableView()).ok());
  for (std::size_t i = 0; i < picture->image.rgb.size(); ++i) {
    ASSERT_NEAR(input.as<float>()[i], back.as<float>()[i], 1e-6);
  }
  EXPECT_LT(frame.size(), picture->image.rgb.size());
}

TEST_F(CodedGroup, RefusesAPlanThatIsCodedAlready) {
  const Graph graph = zooGraph("zoo:tiny-yolov3@96,width=0.25,classes=4");
  Bundle bundle = sliced(graph);
  PictureSource pictures(items_, bundle.description.preprocessing);
  const TransferCoding coding = uniform(6, CoderKind::raw);
  EXPECT_FALSE(codeTransfers(*engine_, bundle, nullptr, coding, 1).ok());
  ASSERT_TRUE(codeTransfers(*engine_, bundle, &pictures, coding, 1).ok());
  EXPECT_FALSE(codeTransfers(*engine_, bundle, &pictures, coding, 1).ok());
}

}  // namespace
}  // namespace narrows::test
