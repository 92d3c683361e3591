#include "narrows/codec/temporal.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "narrows/codec/feature_codec.h"
#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

constexpr CoderKind kCoders[] = {CoderKind::raw, CoderKind::deflate, CoderKind::lzma,
                                 CoderKind::zstd, CoderKind::context};

FeatureInterface streamInterface(CoderKind coder, int bits, std::uint32_t key_interval = 100,
                                 int level = -1) {
  FeatureInterface interface;
  interface.type = {DType::f32, Shape{1, 6, 12, 14}};
  interface.quantizer = {QuantizerKind::uniform, bits, Granularity::tensor, {0}, {1}};
  interface.coder = {coder, level};
  interface.key_interval = key_interval;
  return interface;
}

/// A stream in which a few symbols change from map to map.
class Scene {
 public:
  Scene(const FeatureInterface& interface, std::uint32_t seed)
      : random_(seed), top_((1U << interface.quantizer.bits) - 1), map_(interface.type) {
    for (float& value : map_.mutableAs<float>()) value = static_cast<float>(random_() % (top_ + 1));
  }
  const Tensor& map() const { return map_; }
  void change(int places) {
    const auto values = map_.mutableAs<float>();
    for (int i = 0; i < places; ++i) {
      values[random_() % values.size()] = static_cast<float>(random_() % (top_ + 1));
    }
  }

 private:
  std::mt19937 random_;
  unsigned top_;
  Tensor map_;
};

struct Ends {
  FeatureEncoder encoder;
  FeatureDecoder decoder;
  Tensor map;
};

Ends makeEnds(const FeatureInterface& interface) {
  auto encoder = FeatureEncoder::create(interface);
  auto decoder = FeatureDecoder::create(interface);
  NARROWS_ASSERT(encoder.ok() && decoder.ok());
  return {std::move(*encoder), std::move(*decoder), Tensor(interface.type)};
}

bool sameMap(const Tensor& a, const Tensor& b) {
  return std::ranges::equal(a.view().bytes(), b.view().bytes());
}

ByteVector send(FeatureEncoder& encoder, const Tensor& map, std::uint32_t sequence) {
  ByteVector frame;
  const Status status = encoder.encode(map, sequence, frame);
  NARROWS_ASSERT(status.ok());
  return frame;
}

PayloadForm formOf(const ByteVector& frame) {
  return readFrameHeader(frame)->form;
}

TEST(FoldedDifferences, GiveEverySymbolBackAndStayInRange) {
  for (int bits = 1; bits <= 8; ++bits) {
    const unsigned count = 1U << bits;
    for (unsigned reference = 0; reference < count; ++reference) {
      std::vector<std::uint8_t> symbols(count);
      for (unsigned s = 0; s < count; ++s) symbols[s] = static_cast<std::uint8_t>(s);
      const std::vector<std::uint8_t> references(count, static_cast<std::uint8_t>(reference));
      std::vector<std::uint8_t> folded(count);
      foldDifferences(symbols, references, bits, folded);
      EXPECT_EQ(folded[reference], 0);
      std::vector<bool> seen(count, false);
      for (const std::uint8_t value : folded) {
        ASSERT_LT(value, count);
        EXPECT_FALSE(seen[value]);
        seen[value] = true;
      }
      unfoldDifferences(folded, references, bits, folded);
      EXPECT_EQ(folded, symbols);
    }
  }
}

TEST(Stream, AStillSceneTakesSixteenBytesAFrame) {
  for (const CoderKind coder : kCoders) {
    if (coder == CoderKind::raw) continue;
    const FeatureInterface interface = streamInterface(coder, 4);
    Ends ends = makeEnds(interface);
    const Scene scene(interface, 1);
    for (std::uint32_t sequence = 0; sequence < 20; ++sequence) {
      const ByteVector frame = send(ends.encoder, scene.map(), sequence);
      ASSERT_TRUE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
      EXPECT_TRUE(sameMap(ends.map, scene.map()));
      if (sequence > 0) {
        EXPECT_EQ(frame.size(), kFrameHeaderBytes + 4);
      }
      ends.encoder.acknowledge(sequence);
    }
  }
}

TEST(Stream, FewChangesTakeFewBytesAtEveryWidthAndLevel) {
  for (const int level : {0, kMaximumEffort}) {
    for (int bits = 1; bits <= 8; ++bits) {
      const FeatureInterface interface = streamInterface(CoderKind::context, bits, 100, level);
      Ends ends = makeEnds(interface);
      Scene scene(interface, 2);
      std::size_t alone = 0;
      for (std::uint32_t sequence = 0; sequence < 6; ++sequence) {
        const ByteVector frame = send(ends.encoder, scene.map(), sequence);
        ASSERT_TRUE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
        EXPECT_TRUE(sameMap(ends.map, scene.map()));
        if (sequence == 0) alone = frame.size();
        if (sequence > 0) {
          EXPECT_EQ(formOf(frame), PayloadForm::temporal);
          EXPECT_LT(frame.size(), alone * 3 / 4);
        }
        ends.encoder.acknowledge(sequence);
        scene.change(10);
      }
    }
  }
}

/// Frames and answers are lost, late and doubled, the receiver forgets and restarts: every frame
/// that decodes gives its map, and the stream goes on.
TEST(Stream, LossesReorderingAndRestartsAreNeverFatal) {
  const std::uint32_t seed = test::propertySeed();
  SCOPED_TRACE(test::seedTrace(seed));
  for (const CoderKind coder : kCoders) {
    SCOPED_TRACE(toString(coder));
    std::mt19937 random(seed);
    const FeatureInterface interface = streamInterface(coder, 3, 20);
    Ends ends = makeEnds(interface);
    Scene scene(interface, seed);
    std::vector<std::pair<ByteVector, Tensor>> late;
    std::size_t decoded = 0;
    std::size_t lacking = 0;
    std::size_t temporal = 0;
    std::uint32_t first = 0xFFFFFFF0U;
    for (std::uint32_t i = 0; i < 400; ++i) {
      const std::uint32_t sequence = first + i;
      scene.change(static_cast<int>(random() % 8));
      const ByteVector frame = send(ends.encoder, scene.map(), sequence);
      temporal += formOf(frame) == PayloadForm::temporal ? 1U : 0U;
      const auto deliver = [&](const ByteVector& bytes, const Tensor& map, std::uint32_t number) {
        const bool good = ends.decoder.decode(bytes, ends.map.mutableView()).ok();
        if (good) {
          ++decoded;
          ASSERT_TRUE(sameMap(ends.map, map));
          if (random() % 4 != 0) ends.encoder.acknowledge(number);
        } else {
          ASSERT_TRUE(ends.decoder.lacksReference());
          ++lacking;
          ends.encoder.startAnew();
        }
      };
      switch (random() % 8) {
        case 0:  // lost
          break;
        case 1: {  // later
          Tensor copy(interface.type);
          std::ranges::copy(scene.map().view().bytes(), copy.mutableView().bytes().begin());
          late.emplace_back(frame, std::move(copy));
          break;
        }
        case 2:  // twice
          deliver(frame, scene.map(), sequence);
          deliver(frame, scene.map(), sequence);
          break;
        default:
          deliver(frame, scene.map(), sequence);
      }
      if (!late.empty() && random() % 3 == 0) {
        const std::uint32_t number = readFrameHeader(late.back().first)->sequence;
        deliver(late.back().first, late.back().second, number);
        late.pop_back();
      }
      if (random() % 50 == 0) ends.decoder = std::move(*FeatureDecoder::create(interface));
      if (random() % 50 == 0) {
        // The sender restarts, with numbers that were in use before.
        ends.encoder = std::move(*FeatureEncoder::create(interface));
        first -= 3;
      }
    }
    EXPECT_GT(decoded, 250U);
    EXPECT_LT(lacking, 60U);
    EXPECT_EQ(temporal > 100, coder != CoderKind::raw) << temporal;
  }
}

TEST(Stream, FramesThatStandAloneComeAtLeastAsOftenAsAsked) {
  const FeatureInterface interface = streamInterface(CoderKind::context, 2, 7);
  Ends ends = makeEnds(interface);
  const Scene scene(interface, 3);
  for (std::uint32_t sequence = 0; sequence < 40; ++sequence) {
    const ByteVector frame = send(ends.encoder, scene.map(), sequence);
    EXPECT_EQ(formOf(frame) == PayloadForm::temporal, sequence % 7 != 0) << sequence;
    ends.encoder.acknowledge(sequence);
  }
}

TEST(Stream, NothingRefersToAFrameThatWasNotAcknowledgedOrIsFarBack) {
  const FeatureInterface interface = streamInterface(CoderKind::context, 2);
  Ends ends = makeEnds(interface);
  const Scene scene(interface, 4);
  for (std::uint32_t sequence = 0; sequence < 3; ++sequence) {
    EXPECT_NE(formOf(send(ends.encoder, scene.map(), sequence)), PayloadForm::temporal);
  }
  ends.encoder.acknowledge(77);
  EXPECT_NE(formOf(send(ends.encoder, scene.map(), 3)), PayloadForm::temporal);
  ends.encoder.acknowledge(3);
  EXPECT_EQ(formOf(send(ends.encoder, scene.map(), 3 + kTemporalReach)), PayloadForm::temporal);
  EXPECT_NE(formOf(send(ends.encoder, scene.map(), 4 + kTemporalReach)), PayloadForm::temporal);
  // Without a stream an acknowledgement changes nothing.
  FeatureInterface alone = interface;
  alone.key_interval = 0;
  Ends plain = makeEnds(alone);
  for (std::uint32_t sequence = 0; sequence < 3; ++sequence) {
    EXPECT_NE(formOf(send(plain.encoder, scene.map(), sequence)), PayloadForm::temporal);
    plain.encoder.acknowledge(sequence);
  }
}

TEST(Stream, KeepsTheLimitOfAFrame) {
  FeatureInterface interface = streamInterface(CoderKind::context, 4);
  interface.max_frame_bytes = 400;
  Ends ends = makeEnds(interface);
  Scene scene(interface, 5);
  bool referred = false;
  for (std::uint32_t sequence = 0; sequence < 30; ++sequence) {
    const ByteVector frame = send(ends.encoder, scene.map(), sequence);
    EXPECT_LE(frame.size(), 400U);
    ASSERT_TRUE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
    if (formOf(frame) != PayloadForm::coarse) {
      EXPECT_TRUE(sameMap(ends.map, scene.map()));
    }
    referred = referred || formOf(frame) == PayloadForm::temporal;
    ends.encoder.acknowledge(sequence);
  }
  EXPECT_FALSE(referred) << "nothing refers to a coarse frame";
}

TEST(Stream, HasEveryFrameThatRefersToAnotherStandingAloneToo) {
  for (const CoderKind coder : kCoders) {
    const FeatureInterface interface = streamInterface(coder, 3);
    Ends ends = makeEnds(interface);
    Scene scene(interface, 6);
    ByteVector frame;
    ByteVector alone(7);
    ASSERT_TRUE(ends.encoder.encode(scene.map(), 0, frame, &alone).ok());
    EXPECT_TRUE(alone.empty());
    ASSERT_TRUE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
    ends.encoder.acknowledge(0);
    scene.change(20);
    ASSERT_TRUE(ends.encoder.encode(scene.map(), 1, frame, &alone).ok());
    ASSERT_EQ(alone.empty(), coder == CoderKind::raw);
    if (alone.empty()) continue;
    EXPECT_EQ(formOf(frame), PayloadForm::temporal);
    EXPECT_LT(frame.size(), alone.size());
    EXPECT_EQ(readFrameHeader(alone)->sequence, 1U);
    Ends other = makeEnds(interface);
    EXPECT_FALSE(other.decoder.decode(frame, other.map.mutableView()).ok());
    EXPECT_TRUE(other.decoder.lacksReference());
    ASSERT_TRUE(other.decoder.decode(alone, other.map.mutableView()).ok());
    EXPECT_TRUE(sameMap(other.map, scene.map()));
    ASSERT_TRUE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
    EXPECT_TRUE(sameMap(ends.map, scene.map()));
    // It is what an encoder without a stream sends.
    FeatureInterface without = interface;
    without.key_interval = 0;
    Ends plain = makeEnds(without);
    EXPECT_EQ(alone, send(plain.encoder, scene.map(), 1));
  }
}

TEST(Stream, AloneAFrameKeepsTheLimitToo) {
  // The first map has few bits of information, the second many, in few places.
  FeatureInterface interface = streamInterface(CoderKind::context, 4);
  Tensor map(interface.type);
  Ends plain = makeEnds(interface);
  interface.max_frame_bytes = send(plain.encoder, map, 0).size() + 40;
  Ends ends = makeEnds(interface);
  ByteVector frame;
  ByteVector alone;
  std::mt19937 random(8);
  bool coarse = false;
  for (std::uint32_t sequence = 0; sequence < 40; ++sequence) {
    ASSERT_TRUE(ends.encoder.encode(map, sequence, frame, &alone).ok());
    EXPECT_LE(frame.size(), interface.max_frame_bytes);
    EXPECT_LE(alone.size(), interface.max_frame_bytes);
    if (!alone.empty()) {
      Ends other = makeEnds(interface);
      EXPECT_TRUE(other.decoder.decode(alone, other.map.mutableView()).ok());
      coarse = coarse || formOf(alone) == PayloadForm::coarse;
    }
    ends.encoder.acknowledge(sequence);
    map.mutableAs<float>()[random() % 1008] = static_cast<float>(random() % 16);
  }
  EXPECT_TRUE(coarse);
}

TEST(Stream, OneDecoderTakesSeveralStreams) {
  const FeatureInterface interface = streamInterface(CoderKind::context, 2);
  Ends first = makeEnds(interface);
  Ends second = makeEnds(interface);
  FrameHistory of_first;
  FrameHistory of_second;
  Scene scene(interface, 9);
  Scene other_scene(interface, 10);
  Tensor map(interface.type);
  for (std::uint32_t sequence = 0; sequence < 20; ++sequence) {
    const ByteVector frame = send(first.encoder, scene.map(), sequence);
    const ByteVector other = send(second.encoder, other_scene.map(), sequence);
    EXPECT_EQ(formOf(frame) == PayloadForm::temporal, sequence > 0);
    ASSERT_TRUE(first.decoder.decode(frame, map.mutableView(), &of_first).ok());
    EXPECT_TRUE(sameMap(map, scene.map()));
    ASSERT_TRUE(first.decoder.decode(other, map.mutableView(), &of_second).ok());
    EXPECT_TRUE(sameMap(map, other_scene.map()));
    if (sequence > 0) {
      EXPECT_FALSE(first.decoder.decode(frame, map.mutableView(), &of_second).ok());
      EXPECT_TRUE(first.decoder.lacksReference());
    }
    first.encoder.acknowledge(sequence);
    second.encoder.acknowledge(sequence);
    scene.change(9);
    other_scene.change(9);
  }
}

constexpr std::uint32_t kSequence = 41;

std::string hex(ByteSpan bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    text += fmt::format("{:02X}", std::to_integer<unsigned>(byte));
  }
  return text;
}

/// A frame of the map i mod 5 mod 2^bits and the one after it, in which every fortieth symbol is 1.
struct GoldenPair {
  int level;
  int bits;
  std::string_view frame;
};
constexpr GoldenPair kGolden[] = {{0, 2,
                                   "4E14E8982A000000C765F7BB01CB27B7F09D0C118A5A89E6949A98350ED50A5"
                                   "4DB745A54D80999F72FD4A9663798A761459A8A615688"},
                                  {0, 4,
                                   "4E14AB522A00000069B16B1701FF6F63695830003799108A82CAC6611609095"
                                   "4E10F028157083DC8D0D08ED038B0918DF18AD5D6B40A8AB52010"},
                                  {kMaximumEffort, 4,
                                   "4E14AB522A000000C5E3BEBA0190BE9599FF74953CF7A9FA06FA46453965AC7"
                                   "E37E57B6FA82C226178B2A53846CC36"}};

TEST(GoldenStreams, DecodeToTheirMaps) {
  for (const GoldenPair& golden : kGolden) {
    const FeatureInterface interface =
        streamInterface(CoderKind::context, golden.bits, 100, golden.level);
    Ends ends = makeEnds(interface);
    Tensor map(interface.type);
    const auto values = map.mutableAs<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(i % 5 % (std::size_t{1} << golden.bits));
    }
    const ByteVector key = send(ends.encoder, map, kSequence);
    ends.encoder.acknowledge(kSequence);
    for (std::size_t i = 0; i < values.size(); i += 40) values[i] = 1;
    EXPECT_EQ(hex(send(ends.encoder, map, kSequence + 1)), golden.frame);
    ByteVector stored;
    for (std::size_t i = 0; i + 1 < golden.frame.size(); i += 2) {
      stored.push_back(
          static_cast<std::byte>(std::stoul(std::string(golden.frame.substr(i, 2)), nullptr, 16)));
    }
    ASSERT_TRUE(ends.decoder.decode(key, ends.map.mutableView()).ok());
    EXPECT_TRUE(ends.decoder.decode(stored, ends.map.mutableView()).ok());
    EXPECT_TRUE(sameMap(ends.map, map));
  }
}

TEST(Stream, DamagedAndHostileFramesGiveAnErrorOrAMap) {
  for (const CoderKind coder : kCoders) {
    if (coder == CoderKind::raw) continue;
    SCOPED_TRACE(toString(coder));
    const FeatureInterface interface = streamInterface(coder, 3);
    Ends ends = makeEnds(interface);
    Scene scene(interface, 6);
    const ByteVector key = send(ends.encoder, scene.map(), kSequence);
    ends.encoder.acknowledge(kSequence);
    scene.change(20);
    const ByteVector frame = send(ends.encoder, scene.map(), kSequence + 1);
    ASSERT_EQ(formOf(frame), PayloadForm::temporal);

    const auto damagedDecodes = [&](ByteVector damaged) {
      EXPECT_TRUE(ends.decoder.decode(key, ends.map.mutableView()).ok());
      sealFrame(damaged, PayloadForm::temporal, fingerprint(interface), kSequence + 1);
      const bool good = ends.decoder.decode(damaged, ends.map.mutableView()).ok();
      for (const float value : std::as_const(ends.map).as<float>()) {
        EXPECT_TRUE(value >= 0 && value <= 7);
      }
      return good;
    };
    // Without its reference it is refused, and says why.
    EXPECT_FALSE(ends.decoder.decode(frame, ends.map.mutableView()).ok());
    EXPECT_TRUE(ends.decoder.lacksReference());
    ASSERT_TRUE(damagedDecodes(frame));
    EXPECT_TRUE(sameMap(ends.map, scene.map()));
    for (std::size_t length = 0; length < frame.size(); ++length) {
      EXPECT_FALSE(ends.decoder.decode(ByteSpan(frame).first(length), ends.map.mutableView()).ok());
      if (length < kFrameHeaderBytes) continue;
      (void)damagedDecodes(
          ByteVector(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length)));
    }
    for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
      ByteVector damaged = frame;
      damaged[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT_FALSE(ends.decoder.decode(damaged, ends.map.mutableView()).ok()) << bit;
      const bool in_name = bit / 8 >= kFrameHeaderBytes && bit / 8 < kFrameHeaderBytes + 4;
      const bool good = damagedDecodes(std::move(damaged));
      EXPECT_FALSE(good && in_name) << bit;
    }
    // An interface without a stream knows no such frames.
    FeatureInterface alone = interface;
    alone.key_interval = 0;
    FeatureDecoder plain = std::move(*FeatureDecoder::create(alone));
    EXPECT_EQ(fingerprint(alone), fingerprint(interface));
    EXPECT_TRUE(plain.decode(key, ends.map.mutableView()).ok());
    EXPECT_FALSE(plain.decode(frame, ends.map.mutableView()).ok());
  }
}

}  // namespace
}  // namespace narrows
