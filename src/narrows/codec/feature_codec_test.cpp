#include "narrows/codec/feature_codec.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <sstream>

#include "narrows/base/file.h"
#include "narrows/codec/calibrator.h"
#include "narrows/codec/quantizer.h"
#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

constexpr CoderKind kCoders[] = {CoderKind::raw, CoderKind::deflate, CoderKind::lzma,
                                 CoderKind::zstd, CoderKind::context};

FeatureEncoder encoderFor(const FeatureInterface& interface) {
  auto encoder = FeatureEncoder::create(interface);
  NARROWS_ASSERT(encoder.ok());
  return std::move(*encoder);
}
FeatureDecoder decoderFor(const FeatureInterface& interface) {
  auto decoder = FeatureDecoder::create(interface);
  NARROWS_ASSERT(decoder.ok());
  return std::move(*decoder);
}

QuantizerParams calibrated(const Tensor& map, QuantizerKind kind, int bits,
                           Granularity granularity) {
  auto calibrator = QuantizerCalibrator::create(map.type(), granularity);
  NARROWS_ASSERT(calibrator.ok());
  calibrator->observe(map);
  auto params = calibrator->fit(kind, bits);
  NARROWS_ASSERT(params.ok());
  return *params;
}

Tensor quantizedAndBack(const Tensor& map, const QuantizerParams& params) {
  if (params.kind == QuantizerKind::none) return map.clone();
  std::vector<std::uint8_t> symbols(static_cast<std::size_t>(map.type().elements()));
  quantize(map, params, symbols);
  Tensor levels(map.type());
  dequantize(symbols, params, levels.mutableView());
  return levels;
}

void expectSameBytes(TensorView a, TensorView b) {
  ASSERT_EQ(a.type(), b.type());
  EXPECT_TRUE(std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin()));
}

TEST(FeatureCodec, CarriesEveryMapThroughEveryInterface) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  const Shape shapes[] = {Shape{1, 3, 7, 9}, Shape{2, 5, 4, 4}, Shape{1, 40}, Shape{1, 2, 0, 3},
                          Shape{1, 16, 13, 13}};
  for (const Shape& shape : shapes) {
    for (const double zeros : {0.0, 0.7, 1.0}) {
      const Tensor map = test::featureMap(shape, random, zeros);
      for (int choice = 0; choice <= 17; ++choice) {
        // 0 stands for no quantizer, 9 for two_level, 10 to 17 for tables of 1 to 8 bits.
        const QuantizerKind kind = choice == 0   ? QuantizerKind::none
                                   : choice == 9 ? QuantizerKind::two_level
                                   : choice > 9  ? QuantizerKind::levels
                                                 : QuantizerKind::uniform;
        const Granularity granularity = random() % 2 == 0 || kind == QuantizerKind::levels
                                            ? Granularity::tensor
                                            : Granularity::channel;
        const QuantizerParams quantizer = calibrated(map, kind,
                                                     choice < 9    ? choice
                                                     : choice == 9 ? 1
                                                                   : choice - 9,
                                                     granularity);
        const Tensor expected = quantizedAndBack(map, quantizer);
        for (const CoderKind coder : kCoders) {
          const FeatureInterface interface {
            map.type(), quantizer, { coder, -1 }
          };
          ByteVector frame;
          ASSERT_TRUE(encoderFor(interface).encode(map, 3, frame).ok());
          EXPECT_LE(frame.size(), kFrameHeaderBytes + symbolLayout(interface).packedBytes());
          Tensor decoded(map.type());
          const Status status = decoderFor(interface).decode(frame, decoded.mutableView());
          ASSERT_TRUE(status.ok()) << status.error().message;
          expectSameBytes(decoded, expected);
        }
      }
    }
  }
}

TEST(FeatureCodec, CarriesOtherTypesUnquantized) {
  const Tensor integers = Tensor::from<std::int64_t>(Shape{3}, {-1, 5, 1LL << 60});
  const Tensor flags = Tensor::from<bool>(Shape{4}, {true, false, true, true});
  for (const Tensor* map : {&integers, &flags}) {
    for (const CoderKind coder : kCoders) {
      const FeatureInterface interface {
        map->type(), {}, { coder, -1 }
      };
      ByteVector frame;
      ASSERT_TRUE(encoderFor(interface).encode(*map, 0, frame).ok());
      Tensor decoded(map->type());
      ASSERT_TRUE(decoderFor(interface).decode(frame, decoded.mutableView()).ok());
      expectSameBytes(decoded, *map);
    }
  }
}

TEST(FeatureCodec, RefusesBooleansThatAreNone) {
  const FeatureInterface interface {
    {DType::boolean, Shape{2}}, {}, {}
  };
  ByteVector frame;
  beginFrame(frame);
  frame.insert(frame.end(), {std::byte{1}, std::byte{2}});
  sealFrame(frame, PayloadForm::packed, fingerprint(interface), 0);
  Tensor decoded(interface.type);
  EXPECT_FALSE(decoderFor(interface).decode(frame, decoded.mutableView()).ok());
}

TEST(FeatureCodec, ReusesItsObjectsAndTheFrame) {
  std::mt19937 random(test::propertySeed());
  const Shape shape{1, 6, 11, 11};
  const Tensor first = test::featureMap(shape, random, 0.2);
  for (const CoderKind coder : kCoders) {
    const FeatureInterface interface {
      first.type(), calibrated(first, QuantizerKind::uniform, 3, Granularity::tensor), { coder, -1 }
    };
    FeatureEncoder encoder = encoderFor(interface);
    FeatureDecoder decoder = decoderFor(interface);
    ByteVector frame;
    ASSERT_TRUE(encoder.encode(first, 0, frame).ok());
    const std::byte* storage = nullptr;
    for (std::uint32_t i = 1; i < 20; ++i) {
      const Tensor map = test::featureMap(shape, random, 0.05 * i);
      ASSERT_TRUE(encoder.encode(map, i, frame).ok());
      if (i > 1) {
        EXPECT_EQ(frame.data(), storage) << "the frame was allotted anew";
      }
      storage = frame.data();
      EXPECT_EQ(readFrameHeader(frame)->sequence, i);
      Tensor decoded(map.type());
      ASSERT_TRUE(decoder.decode(frame, decoded.mutableView()).ok());
      expectSameBytes(decoded, quantizedAndBack(map, interface.quantizer));
    }
  }
}

TEST(FeatureCodec, SendsPackedWhatTheCoderWouldExpand) {
  std::mt19937 random(test::propertySeed());
  Tensor noise(DType::f32, Shape{1, 4, 16, 16});
  for (float& v : noise.mutableAs<float>()) v = static_cast<float>(random() % 256);
  QuantizerParams quantizer;
  quantizer.kind = QuantizerKind::uniform;
  quantizer.low = {0};
  quantizer.step = {1};
  for (const CoderKind coder :
       {CoderKind::deflate, CoderKind::lzma, CoderKind::zstd, CoderKind::context}) {
    ByteVector frame;
    ASSERT_TRUE(encoderFor({noise.type(), quantizer, {coder, -1}}).encode(noise, 0, frame).ok());
    EXPECT_EQ(readFrameHeader(frame)->form, PayloadForm::packed);
    EXPECT_EQ(frame.size(), 12U + 1024U);
  }
}

TEST(FeatureCodec, RefusesMapsAndFramesOfOtherInterfaces) {
  std::mt19937 random(test::propertySeed());
  const Tensor map = test::featureMap(Shape{1, 2, 5, 5}, random);
  const FeatureInterface interface {
    map.type(), calibrated(map, QuantizerKind::uniform, 3, Granularity::tensor), {}
  };
  ByteVector frame;
  EXPECT_EQ(
      encoderFor(interface).encode(Tensor(DType::f32, Shape{1, 2, 5, 4}), 0, frame).error().message,
      "map is f32 1x2x5x4, the interface carries f32 1x2x5x5");
  ASSERT_TRUE(encoderFor(interface).encode(map, 0, frame).ok());
  FeatureInterface other = interface;
  other.quantizer.step[0] *= 1.5F;
  Tensor decoded(map.type());
  const Status status = decoderFor(other).decode(frame, decoded.mutableView());
  ASSERT_FALSE(status.ok());
  EXPECT_TRUE(status.error().message.starts_with("frame of another interface"))
      << status.error().message;
  ByteVector picture;
  beginFrame(picture);
  sealFrame(picture, PayloadForm::opaque, fingerprint(interface), 4);
  EXPECT_EQ(decoderFor(interface).decode(picture, decoded.mutableView()).error().message,
            "frame 4 holds a picture, expected a map");
}

TEST(FeatureCodec, LeavesTheMapOnAnError) {
  const FeatureInterface interface {
    {DType::f32, Shape{1, 1, 2, 2}}, {}, {}
  };
  Tensor map = Tensor::from<float>(Shape{1, 1, 2, 2}, {1, 2, 3, 4});
  ByteVector frame;
  beginFrame(frame);
  frame.resize(kFrameHeaderBytes + 15);
  sealFrame(frame, PayloadForm::packed, fingerprint(interface), 0);
  EXPECT_FALSE(decoderFor(interface).decode(frame, map.mutableView()).ok());
  EXPECT_EQ(map.as<float>()[3], 4.0F);
}

/// A map whose symbols come from integer arithmetic alone, and its interface.
FeatureInterface goldenInterface(CoderKind coder, int bits, int level = -1) {
  FeatureInterface interface;
  interface.type = {DType::f32, Shape{1, 3, 6, 7}};
  interface.quantizer.kind = QuantizerKind::uniform;
  interface.quantizer.bits = bits;
  interface.quantizer.low = {0};
  interface.quantizer.step = {0.5F};
  interface.coder.kind = coder;
  interface.coder.level = level;
  return interface;
}

Tensor goldenMap(int bits) {
  Tensor map(DType::f32, Shape{1, 3, 6, 7});
  std::uint32_t state = 12345;
  std::uint32_t symbol = 0;
  for (float& value : map.mutableAs<float>()) {
    state = state * 1664525U + 1013904223U;
    if (state >> 30 == 0) symbol = state >> 20 & ((1U << bits) - 1);
    value = static_cast<float>(symbol) * 0.5F;
  }
  return map;
}

std::string hex(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += fmt::format("{:02X}", static_cast<int>(byte));
  return text;
}

ByteVector parseHex(std::string_view text) {
  ByteVector bytes;
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) continue;
    digits += c;
    if (digits.size() < 2) continue;
    bytes.push_back(static_cast<std::byte>(std::stoi(digits, nullptr, 16)));
    digits.clear();
  }
  return bytes;
}

struct Golden {
  CoderKind coder;
  int bits;
  std::string_view frame;
  int level = -1;
};

/// Frames as the first version of the format wrote them. Decoders read them for ever; the libraries
/// are free to find other codes for the same map, so encoders are held to our own alone.
constexpr Golden kGolden[] = {
    {CoderKind::raw, 1, "4E105452290000008F73306E1FFCFF77F01F80FFFF07008E0F00FE3F"},
    {CoderKind::raw, 3,
     "4E1095EB29000000055D6DBCDB3692E4B6B66DDBB66DB98D24F9FFFF7F92244972DBB62D"
     "4992FCFF6DDBB66DDBDE4632490200802449FAFF3FF9FF03"},
    {CoderKind::raw, 8,
     "4E10D16C29000000C637E46D5343434343CCCCCCCCCCA3A3A32D2D2D2D2D2D2D2D2D2D2D"
     "2D2D2D7C6B6B6B1C1C1C1C1C3F3F3F3F3F3F3F3F3F949494949494949494944B4B4B4B4B"
     "4B4B4B494949494949D1E7E7E7E7E7F6F6F6F6F6F6F6F6F6F6F6F6F6F68B8B8BCCCCCC79"
     "79797979E0E0E0E0E0E0727272726A6A6A474747470F0F5959BFBFBFBFBF"},
    {CoderKind::deflate, 1, "4E10C2622900000091CCF0451FFCFF77F01F80FFFF07008E0F00FE3F"},
    {CoderKind::deflate, 3,
     "4E1003DB2900000093845357DB3692E4B6B66DDBB66DB98D24F9FFFF7F92244972DBB62D"
     "4992FCFF6DDBB66DDBDE4632490200802449FAFF3FF9FF03"},
    {CoderKind::deflate, 8,
     "4E11475C29000000582CF4700B767676763E73E6CC99338B172FD6450135D9D9D9323232"
     "3232F63030050EBCA1C0130C2E3E7FFEFCF9F36F28A0BBBBFBCC993395959595950FC0A0"
     "A8A8A8282B2BCBDDDDDD9D9F3F3272FFFEFDFBF70300"},
    {CoderKind::lzma, 1, "4E10783329000000B30DB1391FFCFF77F01F80FFFF07008E0F00FE3F"},
    {CoderKind::lzma, 3,
     "4E10B98A2900000068E861B1DB3692E4B6B66DDBB66DB98D24F9FFFF7F92244972DBB62D"
     "4992FCFF6DDBB66DDBDE4632490200802449FAFF3FF9FF03"},
    {CoderKind::lzma, 8,
     "4E11FD0D290000000260083C002990F0599A50BCB450CDEB438E5C8882255C4347C6CC54"
     "F98D31C8D2C39F7617B1366EA13473B07C841F68F7588810BD769D92"},
    {CoderKind::zstd, 1, "4E10EE0329000000ADB271121FFCFF77F01F80FFFF07008E0F00FE3F"},
    {CoderKind::zstd, 3,
     "4E102FBA29000000FE315F5ADB3692E4B6B66DDBB66DB98D24F9FFFF7F92244972DBB62D"
     "4992FCFF6DDBB66DDBDE4632490200802449FAFF3FF9FF03"},
    {CoderKind::zstd, 8,
     "4E116B3D290000000263076400002D020024035343434343CCA3A3A32D7C6B6B6B1C3F94"
     "4B49D1E7F68B8B8BCCCCCC79E0727272726A6A6A474747470F0F5959BFBFBFBFBF0B1000"
     "2202BB1B78599672C48277392802"},
    {CoderKind::context, 3,
     "4E118C2F29000000E12C1C99F5F90700A3FDC02F03B2F46D5190FF788365C6DCD85B970B"
     "69F71A738DDAA1DDA4D691CB7FAF89FB"},
    {CoderKind::context, 4,
     "4E110F3A29000000776AEA917EBDDA7C8564D82D538D98B0A3D1F8DA523E77A2C4D34EBF"
     "D3EEDD0E220B79AEDD9B709B55B3DD087EC7CFAB1C609D7FFAFF"},
    {CoderKind::context, 8,
     "4E11C8A829000000A08310972D7F5F12F852D85BFED8ACB4B5B0512927990F8D99704828"
     "4FAE5768766985320FE72CCD6FBEA63E989EE27CF93E3E64CECFE241734E09B288662A60"
     "032563F3791C92D9B0326C1A9578759FFB2E976742D2EF2735FD432486837295A780C291"
     "308841CBD1A181602C7168FA"},
    {CoderKind::context, 4,
     "4E110F3A29000000C52A345507682259B0D802E74EB42306D812C1CBAB57D8F7CA81CADA"
     "9D2A72DEF6A353576FC498D99B27E975D212A6958F",
     kMaximumEffort},
    {CoderKind::context, 8,
     "4E11C8A829000000DA33F093057CE33EFAEB1B4070728B0FF5FA652C85126CE4DA60B952"
     "C6B38BD8718B2954200C705C49FE4F3296EE3C32D96C1FC0E08E5572912F2CD866CB70F1"
     "CA96D8B1D38115D13A33646BB6A81FC91635E4C0811DD44D54715768B6A455F313",
     kMaximumEffort}};

TEST(GoldenFrames, DecodeToTheirMap) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(testing::Message() << toString(golden.coder) << ' ' << golden.bits);
    const FeatureInterface interface = goldenInterface(golden.coder, golden.bits, golden.level);
    Tensor decoded(interface.type);
    const Status status =
        decoderFor(interface).decode(parseHex(golden.frame), decoded.mutableView());
    ASSERT_TRUE(status.ok()) << status.error().message;
    expectSameBytes(decoded, goldenMap(golden.bits));
    ByteVector frame;
    ASSERT_TRUE(encoderFor(interface).encode(goldenMap(golden.bits), 41, frame).ok());
    const bool ours = golden.coder == CoderKind::raw || golden.coder == CoderKind::context;
    if (ours) {
      EXPECT_EQ(hex(frame), golden.frame);
    }
    EXPECT_LE(frame.size(), golden.frame.size() / 2 + 8) << hex(frame);
  }
}

TEST(GoldenFrames, GiveAnErrorForEveryTruncationAndBitFlip) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(testing::Message() << toString(golden.coder) << ' ' << golden.bits);
    const FeatureInterface interface = goldenInterface(golden.coder, golden.bits, golden.level);
    FeatureDecoder decoder = decoderFor(interface);
    const ByteVector frame = parseHex(golden.frame);
    Tensor decoded(interface.type);
    for (std::size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(decoder.decode(ByteSpan(frame).first(length), decoded.mutableView()).ok());
    }
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      ByteVector damaged = frame;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT_FALSE(decoder.decode(damaged, decoded.mutableView()).ok()) << bit;
    }
  }
}

/// Damage under a valid checksum, as a broken or hostile sender makes it.
TEST(GoldenFrames, GiveAnErrorOrAMapForEveryDamagedPayload) {
  for (const Golden& golden : kGolden) {
    SCOPED_TRACE(testing::Message() << toString(golden.coder) << ' ' << golden.bits);
    const FeatureInterface interface = goldenInterface(golden.coder, golden.bits, golden.level);
    FeatureDecoder decoder = decoderFor(interface);
    const ByteVector frame = parseHex(golden.frame);
    const PayloadForm form = readFrameHeader(frame)->form;
    const float highest = 0.5F * static_cast<float>((1 << golden.bits) - 1);
    Tensor decoded(interface.type);
    const auto decodeSealed = [&](ByteVector damaged) {
      sealFrame(damaged, form, fingerprint(interface), 1);
      if (!decoder.decode(damaged, decoded.mutableView()).ok()) return;
      for (const float value : decoded.as<float>()) {
        ASSERT_TRUE(value >= 0 && value <= highest && value * 2 == std::floor(value * 2));
      }
    };
    for (std::size_t length = kFrameHeaderBytes; length < frame.size(); ++length) {
      decodeSealed(ByteVector(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)));
    }
    for (std::size_t bit = kFrameHeaderBytes * 8; bit < frame.size() * 8; ++bit) {
      ByteVector damaged = frame;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      decodeSealed(std::move(damaged));
    }
  }
}

FeatureInterface limitedInterface(CoderKind coder, const Tensor& map, int bits, std::size_t limit) {
  return {map.type(),
          calibrated(map, QuantizerKind::uniform, bits, Granularity::channel),
          {coder},
          limit};
}

TEST(FrameLimit, IsKeptWithTheMostBitsThatFit) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  std::mt19937 random(seed);
  for (const double zeros : {0.0, 0.9}) {
    const Tensor map = test::featureMap(Shape{1, 7, 11, 13}, random, zeros);
    for (const CoderKind coder : kCoders) {
      for (const int bits : {1, 2, 4, 8}) {
        const FeatureInterface unlimited = limitedInterface(coder, map, bits, 0);
        ByteVector frame;
        ASSERT_TRUE(encoderFor(unlimited).encode(map, 1, frame).ok());
        const std::size_t free_size = frame.size();
        std::vector<std::uint8_t> symbols(symbolLayout(unlimited).symbols());
        quantize(map, unlimited.quantizer, symbols);
        for (const std::size_t limit : {std::size_t{16}, std::size_t{120}, free_size / 2 + 16,
                                        free_size - 1, free_size, free_size + 1}) {
          FeatureInterface limited = unlimited;
          limited.max_frame_bytes = limit;
          EXPECT_EQ(fingerprint(limited), fingerprint(unlimited));
          SCOPED_TRACE(testing::Message() << toString(coder) << ' ' << bits << " bits, limit "
                                          << limit << " of " << free_size);
          FeatureEncoder encoder = encoderFor(limited);
          const Status status = encoder.encode(map, 1, frame);
          if (!status.ok()) {
            // Nothing fits that would fit packed with one bit.
            EXPECT_TRUE(frame.empty());
            EXPECT_GT(kFrameHeaderBytes + 1 + packedSize(symbols.size(), 1), limit);
            EXPECT_LT(limit, free_size);
            continue;
          }
          ASSERT_LE(frame.size(), limit);
          EXPECT_EQ(encoder.lastBits() == bits, limit >= free_size);
          // More bits would not fit even packed, whatever the coder.
          if (encoder.lastBits() < bits) {
            EXPECT_GT(kFrameHeaderBytes + 1 + packedSize(symbols.size(), encoder.lastBits() + 1),
                      limit);
          }
          // What comes back are the nearest levels of those that are left.
          Tensor decoded(map.type());
          ASSERT_TRUE(decoderFor(unlimited).decode(frame, decoded.mutableView()).ok());
          const double top = std::exp2(bits) - 1;
          const double left = std::exp2(encoder.lastBits()) - 1;
          std::vector<std::uint8_t> expected(symbols.size());
          for (std::size_t i = 0; i < symbols.size(); ++i) {
            const double level = std::floor(symbols[i] * left / top + 0.5);
            expected[i] = static_cast<std::uint8_t>(std::floor(level * top / left + 0.5));
          }
          Tensor levels(map.type());
          dequantize(expected, unlimited.quantizer, levels.mutableView());
          expectSameBytes(decoded, levels);
        }
      }
    }
  }
}

TEST(FrameLimit, RefusesWhatCannotBeNarrowed) {
  std::mt19937 random(3);
  const Tensor map = test::featureMap(Shape{1, 4, 20, 20}, random, 0.0);
  const FeatureInterface unquantized{map.type(), {}, {CoderKind::zstd}, 100};
  const FeatureInterface two_level{
      map.type(),
      calibrated(map, QuantizerKind::two_level, 1, Granularity::tensor),
      {CoderKind::raw},
      100};
  for (const FeatureInterface& interface : {unquantized, two_level}) {
    ByteVector frame(7);
    const Status status = encoderFor(interface).encode(map, 0, frame);
    ASSERT_FALSE(status.ok());
    EXPECT_NE(status.error().message.find("100 bytes"), std::string::npos);
    EXPECT_TRUE(frame.empty());
  }
  FeatureInterface impossible = unquantized;
  impossible.max_frame_bytes = kSmallestFrameLimit - 1;
  EXPECT_FALSE(FeatureEncoder::create(impossible).ok());
}

/// Coarse frames with a valid checksum, as a hostile sender makes them.
TEST(FrameLimit, CoarseFramesOfAnyBytesGiveAnErrorOrAMap) {
  for (const CoderKind coder : kCoders) {
    SCOPED_TRACE(toString(coder));
    FeatureInterface interface = goldenInterface(coder, 8);
    FeatureInterface limited = interface;
    ByteVector frame;
    ASSERT_TRUE(encoderFor(interface).encode(goldenMap(8), 9, frame).ok());
    limited.max_frame_bytes = frame.size() - 1;
    ASSERT_TRUE(encoderFor(limited).encode(goldenMap(8), 9, frame).ok());
    ASSERT_EQ(readFrameHeader(frame)->form, PayloadForm::coarse);
    FeatureDecoder decoder = decoderFor(interface);
    Tensor decoded(interface.type);
    const auto decodes = [&](ByteVector damaged, const FeatureInterface& to) {
      sealFrame(damaged, PayloadForm::coarse, fingerprint(to), 9);
      return decoder.decode(damaged, decoded.mutableView()).ok();
    };
    ASSERT_TRUE(decodes(frame, interface));
    for (std::size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(decoder.decode(ByteSpan(frame).first(length), decoded.mutableView()).ok());
      if (length < kFrameHeaderBytes) continue;
      (void)decodes(ByteVector(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)),
                    interface);
    }
    for (std::size_t bit = kFrameHeaderBytes * 8; bit < frame.size() * 8; ++bit) {
      ByteVector damaged = frame;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      (void)decodes(std::move(damaged), interface);
    }
    // Widths that are none, or not narrower; unknown kinds.
    for (const int description : {0, 8, 9, 15, 16, 0x18, 0x21, 0x41, 0x84}) {
      ByteVector damaged = frame;
      damaged[kFrameHeaderBytes] = static_cast<std::byte>(description);
      EXPECT_FALSE(decodes(std::move(damaged), interface)) << description;
    }
    // One bit has nothing narrower.
    interface = goldenInterface(coder, 1);
    decoder = decoderFor(interface);
    for (const int description : {1, 0x11, 2}) {
      ByteVector one(kFrameHeaderBytes + 1 + packedSize(126, 1));
      one[kFrameHeaderBytes] = static_cast<std::byte>(description);
      EXPECT_FALSE(decodes(std::move(one), interface)) << description;
    }
  }
}

/// The text of the code block that follows `<!-- example: NAME -->` in the format's page.
std::string documentedExample(const std::string& page, const std::string& name) {
  const std::size_t mark = page.find("<!-- example: " + name + " -->\n```\n");
  NARROWS_ASSERT(mark != std::string::npos);
  const std::size_t begin = page.find("```\n", mark) + 4;
  return page.substr(begin, page.find("```", begin) - begin);
}

TEST(DocumentedExample, IsWhatTheCodecWrites) {
  const auto page = readTextFile(NARROWS_SOURCE_DIR "/docs/feature-frame.md");
  ASSERT_TRUE(page.ok()) << page.error().message;
  FeatureInterface interface;
  interface.type = {DType::f32, Shape{1, 2, 2, 3}};
  interface.quantizer.kind = QuantizerKind::uniform;
  interface.quantizer.bits = 2;
  interface.quantizer.granularity = Granularity::channel;
  interface.quantizer.low = {0, 0};
  interface.quantizer.step = {0.5F, 1};

  const ByteVector description = parseHex(documentedExample(*page, "description"));
  EXPECT_EQ(fingerprint(interface), test::plainCrc(description));

  std::istringstream numbers(documentedExample(*page, "map"));
  Tensor map(interface.type);
  for (float& value : map.mutableAs<float>()) ASSERT_TRUE(numbers >> value);
  ByteVector frame;
  ASSERT_TRUE(encoderFor(interface).encode(map, 258, frame).ok());
  EXPECT_EQ(hex(frame), hex(parseHex(documentedExample(*page, "frame"))));
}

TEST(DocumentedExample, OfAStreamIsWhatTheCodecWrites) {
  const auto page = readTextFile(NARROWS_SOURCE_DIR "/docs/feature-frame.md");
  ASSERT_TRUE(page.ok()) << page.error().message;
  FeatureInterface interface;
  interface.type = {DType::f32, Shape{1, 1, 8, 8}};
  interface.quantizer = {QuantizerKind::uniform, 2, Granularity::tensor, {0}, {1}};
  interface.coder.kind = CoderKind::deflate;
  interface.key_interval = 100;
  Tensor map(interface.type);
  const auto values = map.mutableAs<float>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(i / 8 * (i % 8) / 2 % 4);
  }
  auto encoder = FeatureEncoder::create(interface);
  ASSERT_TRUE(encoder.ok());
  ByteVector frame;
  ASSERT_TRUE(encoder->encode(map, 258, frame).ok());
  EXPECT_EQ(hex(frame), hex(parseHex(documentedExample(*page, "key"))));
  encoder->acknowledge(258);
  ASSERT_TRUE(encoder->encode(map, 259, frame).ok());
  EXPECT_EQ(hex(frame), hex(parseHex(documentedExample(*page, "still"))));
}

}  // namespace
}  // namespace narrows
