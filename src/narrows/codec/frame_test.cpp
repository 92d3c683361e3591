#include "narrows/codec/frame.h"

#include <gtest/gtest.h>

#include "narrows/codec/test_maps.h"

namespace narrows {
namespace {

ByteVector bytesOf(std::string_view text) {
  const ByteSpan span = asBytes(text);
  return {span.begin(), span.end()};
}

FeatureInterface interfaceWith(float step) {
  FeatureInterface interface;
  interface.type = {DType::f32, Shape{1, 2, 2}};
  interface.quantizer.kind = QuantizerKind::uniform;
  interface.quantizer.bits = 3;
  interface.quantizer.low = {0};
  interface.quantizer.step = {step};
  return interface;
}

ByteVector sealed(ByteSpan payload, std::uint32_t interface_fingerprint, std::uint32_t sequence) {
  ByteVector frame;
  beginFrame(frame);
  frame.insert(frame.end(), payload.begin(), payload.end());
  sealFrame(frame, PayloadForm::coded, interface_fingerprint, sequence);
  return frame;
}

TEST(Frame, ChecksumIsTheCrcOfZlib) {
  // The check value of CRC-32/ISO-HDLC.
  EXPECT_EQ(test::plainCrc(asBytes("123456789")), 0xCBF43926U);
  const ByteVector payload = bytesOf("payload");
  const std::uint32_t interface_fingerprint = 0xA1B2C3D4U;
  const ByteVector frame = sealed(payload, interface_fingerprint, 77);
  ByteWriter covered;
  covered.write(interface_fingerprint);
  covered.append(ByteSpan(frame).first(8));
  covered.append(payload);
  const auto header = readFrameHeader(frame);
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->checksum, test::plainCrc(covered.view()));
}

TEST(Frame, OpensWhatWasSealed) {
  const ByteVector payload = bytesOf("some bytes");
  const ByteVector frame = sealed(payload, 0x12345678, 0xFFFFFFFF);
  EXPECT_EQ(frame.size(), payload.size() + kFrameHeaderBytes);
  const auto opened = openFrame(frame, 0x12345678);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(opened->header.sequence, 0xFFFFFFFFU);
  EXPECT_EQ(opened->header.form, PayloadForm::coded);
  EXPECT_EQ(asText(opened->payload), "some bytes");
}

TEST(Frame, RefusesEveryTruncationExtensionAndBitFlip) {
  const std::uint32_t interface_fingerprint = 0x12345678;
  const ByteVector frame = sealed(bytesOf("some bytes"), interface_fingerprint, 9);
  for (std::size_t length = 0; length < frame.size(); ++length) {
    EXPECT_FALSE(openFrame(ByteSpan(frame).first(length), interface_fingerprint).ok()) << length;
  }
  ByteVector longer = frame;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(openFrame(longer, interface_fingerprint).ok());
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    ByteVector damaged = frame;
    damaged[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(openFrame(damaged, interface_fingerprint).ok()) << bit;
  }
}

TEST(Frame, ErrorsSayWhatWasExpected) {
  const ByteVector frame = sealed(bytesOf("x"), 0x12345678, 9);
  const auto messageFor = [&](std::size_t offset, int value) {
    ByteVector damaged = frame;
    damaged[offset] = static_cast<std::byte>(value);
    const auto opened = openFrame(damaged, 0x12345678);
    return opened.ok() ? std::string() : opened.error().message;
  };
  EXPECT_EQ(messageFor(0, 'M'), "frame starts with byte 77, expected 78");
  EXPECT_EQ(messageFor(1, 0x21), "frame of version 2, expected 1");
  EXPECT_EQ(messageFor(1, 0x15), "frame with payload form 5, expected 0 to 4");
  EXPECT_EQ(messageFor(2, 0x00), "frame of another interface: fingerprint 0x5600, expected 0x5678");
  EXPECT_TRUE(messageFor(12, 'y').starts_with("frame 9 is damaged: its checksum is 0x"));
  EXPECT_EQ(openFrame({}, 1).error().message, "frame of 0 bytes, expected at least 12");
}

TEST(Frame, TellsInterfacesWithEqualLowHalvesApart) {
  const ByteVector frame = sealed(bytesOf("x"), 0x0001AAAA, 0);
  EXPECT_TRUE(openFrame(frame, 0x0001AAAA).ok());
  EXPECT_FALSE(openFrame(frame, 0x0002AAAA).ok());
}

TEST(Fingerprint, CoversWhatTheDecoderNeedsAndNothingElse) {
  const FeatureInterface base = interfaceWith(0.5F);
  const std::uint32_t expected = fingerprint(base);
  FeatureInterface other = base;
  other.coder.level = 9;
  EXPECT_EQ(fingerprint(other), expected);
  std::vector<FeatureInterface> changed(6, base);
  changed[0].quantizer.step[0] = 0.25F;
  changed[1].quantizer.low[0] = 0.1F;
  changed[2].quantizer.bits = 4;
  changed[3].type.shape = Shape{2, 1, 2};
  changed[4].coder.kind = CoderKind::zstd;
  changed[5].quantizer.kind = QuantizerKind::none;
  for (const FeatureInterface& interface : changed) EXPECT_NE(fingerprint(interface), expected);
  EXPECT_EQ(fingerprint(ImageInterface{ImageCoding::jpeg, 50}),
            fingerprint(ImageInterface{ImageCoding::jpeg, 95}));
  EXPECT_NE(fingerprint(ImageInterface{ImageCoding::jpeg, 50}),
            fingerprint(ImageInterface{ImageCoding::original, 50}));
}

TEST(Payload, WrapsAndUnwraps) {
  const ImageInterface interface { ImageCoding::jpeg, 90 };
  ByteVector frame;
  wrapPayload(asBytes("picture"), interface, 5, frame);
  const auto opened = unwrapPayload(frame, interface);
  ASSERT_TRUE(opened.ok()) << opened.error().message;
  EXPECT_EQ(asText(opened->payload), "picture");
  EXPECT_EQ(opened->header.sequence, 5U);
  EXPECT_FALSE(unwrapPayload(frame, ImageInterface{ImageCoding::raw, 90}).ok());
  EXPECT_FALSE(unwrapPayload(sealed(asBytes("x"), fingerprint(interface), 0), interface).ok());
}

}  // namespace
}  // namespace narrows
