#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>

#include "fuzz/frame_decoder_input.h"
#include "narrows/base/file.h"
#include "narrows/codec/feature_codec.h"

// narrows_frame_decoder_seeds DIRECTORY: one valid frame and one valid payload of each interface.
namespace narrows {
namespace {

/// Half zeros, the rest in small runs, so that every coder has something to find.
Tensor seedMap(const TensorType& type) {
  Tensor map(type);
  std::uint32_t state = 1;
  float level = 0;
  if (type.dtype != DType::f32) {
    for (std::byte& byte : map.mutableView().bytes()) {
      state = state * 1664525U + 1013904223U;
      byte = static_cast<std::byte>(state >> 31);
    }
    return map;
  }
  for (float& value : map.mutableAs<float>()) {
    state = state * 1664525U + 1013904223U;
    if (state >> 30 == 0) level = static_cast<float>(state >> 27 & 7) * 0.25F;
    if (state >> 30 == 1) level = 0;
    value = level;
  }
  return map;
}

Status writeSeeds(const std::filesystem::path& directory,
                  std::span<const FeatureInterface> interfaces) {
  std::filesystem::create_directories(directory);
  for (std::size_t i = 0; i < interfaces.size(); ++i) {
    NARROWS_TRY(encoder, FeatureEncoder::create(interfaces[i]));
    const Tensor map = seedMap(interfaces[i].type);
    ByteVector frame;
    NARROWS_CHECK(encoder.encode(map, static_cast<std::uint32_t>(i), frame));
    NARROWS_TRY(header, readFrameHeader(frame));
    const std::string_view coder = toString(interfaces[i].coder.kind);

    ByteVector whole = {static_cast<std::byte>(i), static_cast<std::byte>(fuzz::kWholeFrame)};
    whole.insert(whole.end(), frame.begin(), frame.end());
    NARROWS_CHECK(writeFileAtomically(directory / fmt::format("{:02}_{}_frame", i, coder), whole));

    ByteVector payload = {static_cast<std::byte>(i), static_cast<std::byte>(header.form)};
    payload.insert(payload.end(), frame.begin() + kFrameHeaderBytes, frame.end());
    NARROWS_CHECK(
        writeFileAtomically(directory / fmt::format("{:02}_{}_payload", i, coder), payload));

    // Differences from a map of zeros are coded like a map.
    if (header.form != PayloadForm::coded) continue;
    payload[1] = static_cast<std::byte>(fuzz::kNamedTemporal);
    NARROWS_CHECK(
        writeFileAtomically(directory / fmt::format("{:02}_{}_differences", i, coder), payload));
  }
  return {};
}

}  // namespace
}  // namespace narrows

// NOLINTNEXTLINE(bugprone-exception-escape): whoever makes seeds may read what was thrown.
int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: {} CORPUS\n", argv[0]);
    return 2;
  }
  const std::filesystem::path corpus = argv[1];
  for (const narrows::Status& status :
       {narrows::writeSeeds(corpus / "frame_decoder", narrows::fuzz::frameDecoderInterfaces()),
        narrows::writeSeeds(corpus / "maximum_effort", narrows::fuzz::maximumEffortInterfaces())}) {
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", status.error().message);
      return 1;
    }
  }
  return 0;
}
