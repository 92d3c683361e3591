#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/runtime/group/worker_message.h"

/// What all messages of a group have in common: the header, and fields that bound what they
/// announce. Only for the sources that write and read those messages, and for what tests them.
namespace narrows::envelope {

inline constexpr std::size_t kHeaderBytes = 20;
inline constexpr std::size_t kMaxManifest = std::size_t{16} << 20;
inline constexpr std::size_t kMaxName = 1024;
inline constexpr std::size_t kMaxDevices = 1024;
inline constexpr std::size_t kMaxPaths = 1 << 20;

/// A call and its answer have one number; answers have the high bit set.
template <class Message>
inline constexpr std::uint8_t kKind = 0;
template <>
inline constexpr std::uint8_t kKind<PingRequest> = 1;
template <>
inline constexpr std::uint8_t kKind<PrepareRequest> = 2;
template <>
inline constexpr std::uint8_t kKind<StoreRequest> = 3;
template <>
inline constexpr std::uint8_t kKind<ActivateRequest> = 4;
template <>
inline constexpr std::uint8_t kKind<RunRequest> = 5;
template <>
inline constexpr std::uint8_t kKind<RegionsRequest> = 6;
template <>
inline constexpr std::uint8_t kKind<PingReply> = 0x81;
template <>
inline constexpr std::uint8_t kKind<PrepareReply> = 0x82;
template <>
inline constexpr std::uint8_t kKind<StoreReply> = 0x83;
template <>
inline constexpr std::uint8_t kKind<ActivateReply> = 0x84;
template <>
inline constexpr std::uint8_t kKind<RunReply> = 0x85;
template <>
inline constexpr std::uint8_t kKind<RegionsReply> = 0x86;

/// Header and fields; the bulk, which the fields describe, follows: room is kept for it.
ByteVector seal(std::uint8_t kind, ByteSpan fields, std::size_t bulk);
void append(ByteVector& bytes, ByteSpan more);

struct Opened {
  ByteReader fields;
  ByteSpan bulk;
};
/// Fails on another kind, and on fields that do not fit their digest.
Result<Opened> open(std::uint8_t kind, ByteSpan bytes);
/// Fails unless all fields have been read and the bulk is as long as they say.
Status expectEnd(const Opened& opened, std::size_t bulk);

std::uint64_t digestOf(ByteSpan bulk);

void writeText(ByteWriter& fields, std::string_view text);
Result<std::string> readText(ByteReader& fields, std::string_view name, std::size_t longest);
void writeFlag(ByteWriter& fields, bool flag);
Result<bool> readFlag(ByteReader& fields, std::string_view name);
/// How many entries follow, each of at least `bytes` bytes.
Result<std::size_t> readCount(ByteReader& fields, std::string_view name, std::size_t most,
                              std::size_t bytes);
/// 0 to a day.
Result<Seconds> readSeconds(ByteReader& fields, std::string_view name);
void writeSha256(ByteWriter& fields, std::string_view sha256);
Result<std::string> readSha256(ByteReader& fields, std::string_view name);

}  // namespace narrows::envelope
