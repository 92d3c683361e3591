#include "narrows/runtime/group/message_envelope.h"

#include <algorithm>

#include "narrows/pipeline/fnv1a.h"

namespace narrows::envelope {
namespace {

constexpr std::array<std::byte, 4> kMagic = {std::byte{'N'}, std::byte{'W'}, std::byte{'K'},
                                             std::byte{'1'}};
constexpr double kMaxTimeout = 86400;

std::uint64_t digestOf(std::uint8_t kind, ByteSpan fields) {
  Fnv1a hash;
  hash.add(std::uint64_t{kind});
  hash.add(fields);
  return hash.value();
}

}  // namespace

ByteVector seal(std::uint8_t kind, ByteSpan fields, std::size_t bulk) {
  ByteVector bytes;
  bytes.reserve(kHeaderBytes + fields.size() + bulk);
  bytes.insert(bytes.end(), kMagic.begin(), kMagic.end());
  ByteWriter header;
  header.write(kind);
  header.write(std::uint8_t{0});
  header.write(std::uint16_t{0});
  header.write(digestOf(kind, fields));
  header.write(static_cast<std::uint32_t>(fields.size()));
  bytes.insert(bytes.end(), header.view().begin(), header.view().end());
  bytes.insert(bytes.end(), fields.begin(), fields.end());
  return bytes;
}

void append(ByteVector& bytes, ByteSpan more) {
  bytes.insert(bytes.end(), more.begin(), more.end());
}

void writeText(ByteWriter& fields, std::string_view text) {
  fields.write(static_cast<std::uint32_t>(text.size()));
  fields.append(asBytes(text));
}

void writeFlag(ByteWriter& fields, bool flag) {
  fields.write(static_cast<std::uint8_t>(flag ? 1 : 0));
}

std::uint64_t digestOf(ByteSpan bulk) {
  Fnv1a hash;
  hash.add(bulk);
  return hash.value();
}

Result<Opened> open(std::uint8_t kind, ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes) {
    return makeError("a message of {} bytes, expected at least {}", bytes.size(), kHeaderBytes);
  }
  if (!std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) {
    return makeError("offset 0: expected the bytes \"NWK1\"");
  }
  ByteReader reader(bytes.subspan(kMagic.size()));
  NARROWS_TRY(found, reader.read<std::uint8_t>("kind"));
  NARROWS_TRY(zero, reader.take(3, "zeros"));
  NARROWS_TRY(digest, reader.read<std::uint64_t>("digest"));
  NARROWS_TRY(length, reader.read<std::uint32_t>("length of the fields"));
  if (found != kind) return makeError("offset 4: a message of kind {}, expected {}", found, kind);
  for (const std::byte byte : zero) {
    if (byte != std::byte{0}) return makeError("offset 5: expected zeros");
  }
  NARROWS_TRY(fields, reader.take(length, "the fields"));
  if (digestOf(kind, fields) != digest) {
    return makeError("the digest does not fit the fields: the message is damaged");
  }
  return Opened{ByteReader(fields), bytes.subspan(kHeaderBytes + length)};
}

Status expectEnd(const Opened& opened, std::size_t bulk) {
  if (opened.fields.remaining() > 0) {
    return makeError("{} bytes behind the last field", opened.fields.remaining());
  }
  if (opened.bulk.size() != bulk) {
    return makeError("{} bytes behind the fields, which announce {}", opened.bulk.size(), bulk);
  }
  return {};
}

Result<std::string> readText(ByteReader& fields, std::string_view name, std::size_t longest) {
  NARROWS_TRY(length, fields.read<std::uint32_t>(name));
  if (length > longest) return makeError("{}: {} bytes, at most {}", name, length, longest);
  NARROWS_TRY(bytes, fields.take(length, name));
  return std::string(asText(bytes));
}

Result<bool> readFlag(ByteReader& fields, std::string_view name) {
  NARROWS_TRY(flag, fields.read<std::uint8_t>(name));
  if (flag > 1) return makeError("{}: {}, expected 0 or 1", name, flag);
  return flag == 1;
}

Result<std::size_t> readCount(ByteReader& fields, std::string_view name, std::size_t most,
                              std::size_t bytes) {
  NARROWS_TRY(count, fields.read<std::uint32_t>(name));
  if (count > most || count > fields.remaining() / bytes) {
    return makeError("{}: {} of them, at most {} in the {} bytes that are left", name, count, most,
                     fields.remaining());
  }
  return std::size_t{count};
}

Result<Seconds> readSeconds(ByteReader& fields, std::string_view name) {
  NARROWS_TRY(value, fields.read<double>(name));
  if (!(value >= 0) || !(value <= kMaxTimeout)) {
    return makeError("{}: expected 0 to {} s", name, kMaxTimeout);
  }
  return Seconds(value);
}

Result<std::string> readSha256(ByteReader& fields, std::string_view name) {
  NARROWS_TRY(bytes, fields.take(64, name));
  const std::string text(asText(bytes));
  if (text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return makeError("{}: expected 64 lower-case hexadecimal digits", name);
  }
  return text;
}

void writeSha256(ByteWriter& fields, std::string_view sha256) {
  NARROWS_ASSERT(sha256.size() == 64);
  fields.append(asBytes(sha256));
}

}  // namespace narrows::envelope
