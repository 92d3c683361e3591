#include "narrows/codec/params.h"

#include <gtest/gtest.h>

#include <limits>

namespace narrows {
namespace {

const TensorType kMap{DType::f32, Shape{1, 3, 4, 5}};

FeatureInterface uniformInterface(int bits, Granularity granularity, std::size_t entries) {
  QuantizerParams quantizer;
  quantizer.kind = QuantizerKind::uniform;
  quantizer.bits = bits;
  quantizer.granularity = granularity;
  quantizer.low.assign(entries, -1.0F);
  quantizer.step.assign(entries, 0.5F);
  return {kMap, quantizer, {}};
}

std::string errorOf(const InterfaceParams& params) {
  const Status status = validate(params);
  return status.ok() ? "" : status.error().message;
}

template <class Kind, class Parse>
void expectNamesToParse(std::initializer_list<Kind> kinds, Parse parse) {
  for (const Kind kind : kinds) {
    const auto parsed = parse(toString(kind));
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    EXPECT_EQ(*parsed, kind);
  }
}

TEST(ParamsNames, ParseToWhatTheyName) {
  expectNamesToParse({QuantizerKind::none, QuantizerKind::uniform, QuantizerKind::two_level,
                      QuantizerKind::levels},
                     parseQuantizerKind);
  expectNamesToParse({Granularity::tensor, Granularity::channel}, parseGranularity);
  expectNamesToParse(
      {CoderKind::raw, CoderKind::deflate, CoderKind::lzma, CoderKind::zstd, CoderKind::context},
      parseCoderKind);
  expectNamesToParse({ImageCoding::raw, ImageCoding::jpeg, ImageCoding::original},
                     parseImageCoding);
}

TEST(ParamsNames, UnknownNameListsTheKnownOnes) {
  const auto parsed = parseCoderKind("gzip");
  ASSERT_FALSE(parsed.ok());
  EXPECT_TRUE(parsed.error().message.starts_with("unknown coder 'gzip'; known are raw, deflate"))
      << parsed.error().message;
}

TEST(ParamsValidate, AcceptsWhatTheHeaderAllows) {
  for (int bits = 1; bits <= 8; ++bits) {
    EXPECT_EQ(errorOf(uniformInterface(bits, Granularity::tensor, 1)), "");
    EXPECT_EQ(errorOf(uniformInterface(bits, Granularity::channel, 3)), "");
  }
  EXPECT_EQ(errorOf(FeatureInterface{TensorType{DType::i64, Shape{7}}, {}, {}}), "");
  EXPECT_EQ(errorOf(ImageInterface{ImageCoding::jpeg, 100}), "");
}

TEST(ParamsValidate, RefusesBitsOutsideOneToEight) {
  EXPECT_EQ(errorOf(uniformInterface(0, Granularity::tensor, 1)),
            "feature interface: quantizer: bits is 0, expected 1 to 8");
  EXPECT_EQ(errorOf(uniformInterface(9, Granularity::tensor, 1)),
            "feature interface: quantizer: bits is 9, expected 1 to 8");
  FeatureInterface two_level = uniformInterface(2, Granularity::tensor, 1);
  two_level.quantizer.kind = QuantizerKind::two_level;
  EXPECT_EQ(errorOf(two_level),
            "feature interface: quantizer: bits is 2, expected 1 for two_level");
}

TEST(ParamsValidate, RefusesWrongCounts) {
  EXPECT_NE(errorOf(uniformInterface(4, Granularity::channel, 4)), "");
  EXPECT_NE(errorOf(uniformInterface(4, Granularity::tensor, 0)), "");
  FeatureInterface flat = uniformInterface(4, Granularity::channel, 1);
  flat.type.shape = Shape{60};
  EXPECT_NE(errorOf(flat), "");
}

TEST(ParamsValidate, RefusesLevelsThatAreNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float step : {0.0F, -1.0F, infinity, std::numeric_limits<float>::quiet_NaN(), 3e38F}) {
    FeatureInterface bad = uniformInterface(8, Granularity::tensor, 1);
    bad.quantizer.step[0] = step;
    EXPECT_NE(errorOf(bad), "") << step;
  }
  FeatureInterface bad = uniformInterface(8, Granularity::tensor, 1);
  bad.quantizer.low[0] = infinity;
  EXPECT_NE(errorOf(bad), "");
}

TEST(ParamsValidate, RefusesQuantizingOtherTypesThanF32) {
  FeatureInterface integers = uniformInterface(8, Granularity::tensor, 1);
  integers.type.dtype = DType::i32;
  EXPECT_EQ(errorOf(integers),
            "feature interface: quantizer: quantizer uniform needs f32, the tensor is i32");
}

TEST(ParamsValidate, RefusesLevelsOfCodersOutOfRange) {
  FeatureInterface feature = uniformInterface(8, Granularity::tensor, 1);
  for (const CoderKind kind : {CoderKind::deflate, CoderKind::lzma, CoderKind::zstd}) {
    const LevelRange range = levelRange(kind);
    for (const int level : {-1, range.lowest, range.highest, range.standard}) {
      feature.coder = {kind, level};
      EXPECT_EQ(errorOf(feature), "") << toString(kind) << level;
    }
    for (const int level : {-2, range.lowest - 1, range.highest + 1}) {
      if (level == -1) continue;
      feature.coder = {kind, level};
      EXPECT_NE(errorOf(feature), "") << toString(kind) << level;
    }
  }
}

TEST(ParamsValidate, TakesTablesForTheContextCoderAlone) {
  FeatureInterface feature = uniformInterface(4, Granularity::tensor, 1);
  feature.coder = {CoderKind::context, -1, ByteVector(10)};
  EXPECT_EQ(errorOf(feature), "");
  feature.coder.kind = CoderKind::zstd;
  EXPECT_EQ(errorOf(feature),
            "feature interface: coder: coder zstd with 10 bytes of tables, expected none");
}

TEST(ParamsValidate, RefusesMapsBeyondTheLimitAndBadQuality) {
  FeatureInterface huge;
  huge.type.shape = Shape{1, 1 << 10, 1 << 10, 1 << 10};
  EXPECT_NE(errorOf(huge), "");
  EXPECT_NE(errorOf(ImageInterface{ImageCoding::jpeg, 0}), "");
  EXPECT_NE(errorOf(ImageInterface{ImageCoding::jpeg, 101}), "");
}

TEST(ParamsValidate, TakesAscendingLevelsAlone) {
  FeatureInterface interface {
    kMap, {}, {}
  };
  QuantizerParams& quantizer = interface.quantizer;
  quantizer.kind = QuantizerKind::levels;
  quantizer.bits = 2;
  quantizer.levels = {-1.0F, 0.0F, 0.0F, 3.5F};
  EXPECT_EQ(errorOf(interface), "");
  quantizer.levels[2] = -0.5F;
  EXPECT_EQ(errorOf(interface),
            "feature interface: quantizer: levels[2] is -0.5, below levels[1] 0");
  quantizer.levels[2] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_NE(errorOf(interface), "");
  quantizer.levels = {0.0F, 1.0F, 3e38F, 3.1e38F};
  EXPECT_NE(errorOf(interface), "");
  quantizer.levels = {0.0F, 1.0F, 2.0F};
  EXPECT_NE(errorOf(interface), "");
  quantizer.levels = {0.0F, 1.0F, 2.0F, 3.0F};
  quantizer.step = {1.0F};
  EXPECT_NE(errorOf(interface), "");
  quantizer.step.clear();
  quantizer.granularity = Granularity::channel;
  EXPECT_NE(errorOf(interface), "");
  FeatureInterface uniform = uniformInterface(1, Granularity::tensor, 1);
  uniform.quantizer.levels = {0.0F, 1.0F};
  EXPECT_EQ(errorOf(uniform), "feature interface: quantizer: 2 levels, expected none for uniform");
}

}  // namespace
}  // namespace narrows
