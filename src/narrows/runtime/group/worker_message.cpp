#include "narrows/runtime/group/worker_message.h"

#include <array>
#include <cmath>

#include "narrows/pipeline/fnv1a.h"
#include "narrows/pipeline/picture.h"

namespace narrows {
namespace {

constexpr std::array<std::byte, 4> kMagic = {std::byte{'N'}, std::byte{'W'}, std::byte{'K'},
                                             std::byte{'1'}};
constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kMaxManifest = std::size_t{16} << 20;
constexpr std::size_t kMaxName = 1024;
constexpr std::size_t kMaxError = 4096;
constexpr std::size_t kMaxDevices = 1024;
constexpr std::size_t kMaxPaths = 1 << 20;
constexpr std::size_t kMaxDetections = 1 << 20;
constexpr double kMaxTimeout = 86400;

/// A call and its answer have one number; answers have the high bit set.
template <class Message>
constexpr std::uint8_t kKind = 0;
template <>
constexpr std::uint8_t kKind<PingRequest> = 1;
template <>
constexpr std::uint8_t kKind<PrepareRequest> = 2;
template <>
constexpr std::uint8_t kKind<StoreRequest> = 3;
template <>
constexpr std::uint8_t kKind<ActivateRequest> = 4;
template <>
constexpr std::uint8_t kKind<RunRequest> = 5;
template <>
constexpr std::uint8_t kKind<RegionsRequest> = 6;
template <>
constexpr std::uint8_t kKind<PingReply> = 0x81;
template <>
constexpr std::uint8_t kKind<PrepareReply> = 0x82;
template <>
constexpr std::uint8_t kKind<StoreReply> = 0x83;
template <>
constexpr std::uint8_t kKind<ActivateReply> = 0x84;
template <>
constexpr std::uint8_t kKind<RunReply> = 0x85;
template <>
constexpr std::uint8_t kKind<RegionsReply> = 0x86;

std::uint64_t digestOf(std::uint8_t kind, ByteSpan fields) {
  Fnv1a hash;
  hash.add(std::uint64_t{kind});
  hash.add(fields);
  return hash.value();
}

/// Header and fields; the bulk, which the fields describe, follows.
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

struct Opened {
  ByteReader fields;
  ByteSpan bulk;
};

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

/// How many entries follow, each of at least `bytes` bytes.
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

void writePrediction(ByteWriter& fields, const Prediction& prediction) {
  fields.write(static_cast<std::uint32_t>(prediction.detections.size()));
  for (const Detection& detection : prediction.detections) {
    fields.write(std::int32_t{detection.label});
    fields.write(detection.score);
    fields.write(detection.box.x1);
    fields.write(detection.box.y1);
    fields.write(detection.box.x2);
    fields.write(detection.box.y2);
  }
  fields.write(static_cast<std::uint32_t>(prediction.classes.size()));
  for (const ClassScore& entry : prediction.classes) {
    fields.write(std::int32_t{entry.label});
    fields.write(entry.score);
  }
}

Result<Prediction> readPrediction(ByteReader& fields) {
  Prediction prediction;
  NARROWS_TRY(detections, readCount(fields, "detections", kMaxDetections, 24));
  for (std::size_t i = 0; i < detections; ++i) {
    Detection detection;
    NARROWS_TRY(label, fields.read<std::int32_t>("label"));
    NARROWS_TRY(score, fields.read<float>("score"));
    detection.label = label;
    detection.score = score;
    for (float* side :
         {&detection.box.x1, &detection.box.y1, &detection.box.x2, &detection.box.y2}) {
      NARROWS_TRY(value, fields.read<float>("box"));
      *side = value;
    }
    prediction.detections.push_back(detection);
  }
  NARROWS_TRY(classes, readCount(fields, "classes", kMaxDetections, 8));
  for (std::size_t i = 0; i < classes; ++i) {
    NARROWS_TRY(label, fields.read<std::int32_t>("label"));
    NARROWS_TRY(score, fields.read<float>("score"));
    prediction.classes.push_back({label, score});
  }
  return prediction;
}

}  // namespace

std::string_view methodOf(WorkerCall call) {
  switch (call) {
    case WorkerCall::ping:
      return "Ping";
    case WorkerCall::prepare:
      return "Prepare";
    case WorkerCall::store:
      return "Store";
    case WorkerCall::activate:
      return "Activate";
    case WorkerCall::run:
      return "Run";
    case WorkerCall::regions:
      return "Regions";
  }
  return "Ping";
}

std::optional<RegionsOrigin> originOfRegions(ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes || bytes[4] != std::byte{kKind<RegionsRequest>}) return {};
  ByteReader fields(bytes.subspan(kHeaderBytes));
  const auto session = fields.read<std::uint64_t>("session");
  const auto epoch = fields.read<std::uint32_t>("epoch");
  const auto from = fields.read<std::uint32_t>("from");
  if (!session.ok() || !epoch.ok() || !from.ok()) return {};
  return RegionsOrigin{*session, *epoch, *from};
}

ByteVector writeMessage(const PingRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  return seal(kKind<PingRequest>, fields.view(), 0);
}

template <>
Result<PingRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<PingRequest>, bytes));
  PingRequest message;
  NARROWS_TRY(session, opened.fields.read<std::uint64_t>("session"));
  message.session = session;
  NARROWS_CHECK(expectEnd(opened, 0));
  return message;
}

ByteVector writeMessage(const PingReply& message) {
  ByteWriter fields;
  fields.write(message.instance);
  fields.write(message.session);
  fields.write(message.epoch);
  fields.write(message.leader);
  return seal(kKind<PingReply>, fields.view(), 0);
}

template <>
Result<PingReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<PingReply>, bytes));
  PingReply message;
  NARROWS_TRY(instance, opened.fields.read<std::uint64_t>("instance"));
  NARROWS_TRY(session, opened.fields.read<std::uint64_t>("session"));
  NARROWS_TRY(epoch, opened.fields.read<std::uint32_t>("epoch"));
  NARROWS_TRY(leader, opened.fields.read<std::uint64_t>("leader"));
  message = {instance, session, epoch, leader};
  NARROWS_CHECK(expectEnd(opened, 0));
  return message;
}

ByteVector writeMessage(const PrepareRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  writeText(fields, message.manifest);
  fields.write(static_cast<std::uint32_t>(message.paths.size()));
  for (const std::string& path : message.paths) writeText(fields, path);
  return seal(kKind<PrepareRequest>, fields.view(), 0);
}

template <>
Result<PrepareRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<PrepareRequest>, bytes));
  PrepareRequest message;
  NARROWS_TRY(session, opened.fields.read<std::uint64_t>("session"));
  message.session = session;
  NARROWS_TRY(manifest, readText(opened.fields, "manifest", kMaxManifest));
  message.manifest = std::move(manifest);
  NARROWS_TRY(count, readCount(opened.fields, "paths", kMaxPaths, 4));
  for (std::size_t i = 0; i < count; ++i) {
    NARROWS_TRY(path, readText(opened.fields, "path", kMaxName));
    message.paths.push_back(std::move(path));
  }
  NARROWS_CHECK(expectEnd(opened, 0));
  return message;
}

ByteVector writeMessage(const PrepareReply& message) {
  ByteWriter fields;
  fields.write(static_cast<std::uint32_t>(message.missing.size()));
  for (const std::string& sha256 : message.missing) writeSha256(fields, sha256);
  return seal(kKind<PrepareReply>, fields.view(), 0);
}

template <>
Result<PrepareReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<PrepareReply>, bytes));
  PrepareReply message;
  NARROWS_TRY(count, readCount(opened.fields, "missing", kMaxPaths, 64));
  for (std::size_t i = 0; i < count; ++i) {
    NARROWS_TRY(sha256, readSha256(opened.fields, "missing"));
    message.missing.push_back(std::move(sha256));
  }
  NARROWS_CHECK(expectEnd(opened, 0));
  return message;
}

ByteVector writeMessage(const StoreRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  writeSha256(fields, message.sha256);
  fields.write(message.size);
  fields.write(message.offset);
  fields.write(static_cast<std::uint32_t>(message.bytes.size()));
  ByteVector bytes = seal(kKind<StoreRequest>, fields.view(), message.bytes.size());
  append(bytes, message.bytes);
  return bytes;
}

template <>
Result<StoreRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<StoreRequest>, bytes));
  StoreRequest message;
  NARROWS_TRY(session, opened.fields.read<std::uint64_t>("session"));
  NARROWS_TRY(sha256, readSha256(opened.fields, "sha256"));
  NARROWS_TRY(size, opened.fields.read<std::uint64_t>("size"));
  NARROWS_TRY(offset, opened.fields.read<std::uint64_t>("offset"));
  NARROWS_TRY(length, opened.fields.read<std::uint32_t>("length"));
  if (offset > size || length > size - offset) {
    return makeError("bytes [{}, {} + {}) of a file of {}", offset, offset, length, size);
  }
  NARROWS_CHECK(expectEnd(opened, length));
  message = {session, std::move(sha256), size, offset, opened.bulk};
  return message;
}

ByteVector writeMessage(const StoreReply&) {
  return seal(kKind<StoreReply>, {}, 0);
}

template <>
Result<StoreReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<StoreReply>, bytes));
  NARROWS_CHECK(expectEnd(opened, 0));
  return StoreReply();
}

ByteVector writeMessage(const ActivateRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  fields.write(message.epoch);
  writeText(fields, message.device);
  writeText(fields, message.manifest);
  fields.write(static_cast<std::uint32_t>(message.peers.size()));
  for (const PeerAddress& peer : message.peers) {
    fields.write(peer.device);
    writeText(fields, peer.address);
  }
  fields.write(message.slots);
  return seal(kKind<ActivateRequest>, fields.view(), 0);
}

template <>
Result<ActivateRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<ActivateRequest>, bytes));
  ActivateRequest message;
  NARROWS_TRY(session, opened.fields.read<std::uint64_t>("session"));
  NARROWS_TRY(epoch, opened.fields.read<std::uint32_t>("epoch"));
  NARROWS_TRY(device, readText(opened.fields, "device", kMaxName));
  NARROWS_TRY(manifest, readText(opened.fields, "manifest", kMaxManifest));
  message.session = session;
  message.epoch = epoch;
  message.device = std::move(device);
  message.manifest = std::move(manifest);
  NARROWS_TRY(count, readCount(opened.fields, "peers", kMaxDevices, 8));
  for (std::size_t i = 0; i < count; ++i) {
    PeerAddress peer;
    NARROWS_TRY(index, opened.fields.read<std::uint32_t>("peer"));
    NARROWS_TRY(address, readText(opened.fields, "address", kMaxName));
    peer.device = index;
    peer.address = std::move(address);
    message.peers.push_back(std::move(peer));
  }
  NARROWS_TRY(slots, opened.fields.read<std::uint32_t>("slots"));
  if (slots < 1 || slots > 64) return makeError("slots: {}, expected 1 to 64", slots);
  message.slots = slots;
  NARROWS_CHECK(expectEnd(opened, 0));
  return message;
}

ByteVector writeMessage(const ActivateReply& message) {
  ByteWriter fields;
  fields.write(message.weights);
  fields.write(message.arena);
  fields.write(message.scratch);
  return seal(kKind<ActivateReply>, fields.view(), 0);
}

template <>
Result<ActivateReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<ActivateReply>, bytes));
  NARROWS_TRY(weights, opened.fields.read<std::uint64_t>("weights"));
  NARROWS_TRY(arena, opened.fields.read<std::uint64_t>("arena"));
  NARROWS_TRY(scratch, opened.fields.read<std::uint64_t>("scratch"));
  NARROWS_CHECK(expectEnd(opened, 0));
  return ActivateReply{weights, arena, scratch};
}

ByteVector writeMessage(const RunRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  fields.write(message.epoch);
  fields.write(message.frame);
  fields.write(message.timeout.value());
  writeFlag(fields, message.size.has_value());
  fields.write(std::int64_t{message.size ? message.size->width : 0});
  fields.write(std::int64_t{message.size ? message.size->height : 0});
  writeFlag(fields, message.outputs);
  fields.write(static_cast<std::uint8_t>(message.input));
  fields.write(static_cast<std::uint32_t>(message.payload.size()));
  fields.write(digestOf(message.payload));
  ByteVector bytes = seal(kKind<RunRequest>, fields.view(), message.payload.size());
  append(bytes, message.payload);
  return bytes;
}

template <>
Result<RunRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<RunRequest>, bytes));
  RunRequest message;
  ByteReader& fields = opened.fields;
  NARROWS_TRY(session, fields.read<std::uint64_t>("session"));
  NARROWS_TRY(epoch, fields.read<std::uint32_t>("epoch"));
  NARROWS_TRY(frame, fields.read<std::uint64_t>("frame"));
  NARROWS_TRY(timeout, readSeconds(fields, "timeout"));
  NARROWS_TRY(sized, readFlag(fields, "has a size"));
  NARROWS_TRY(width, fields.read<std::int64_t>("width"));
  NARROWS_TRY(height, fields.read<std::int64_t>("height"));
  constexpr std::int64_t kMostSide = 1 << 20;
  if (sized && (width < 1 || height < 1 || width > kMostSide || height > kMostSide)) {
    return makeError("a picture of {} x {} pixels", width, height);
  }
  NARROWS_TRY(outputs, readFlag(fields, "outputs"));
  NARROWS_TRY(input, fields.read<std::uint8_t>("input"));
  if (input > static_cast<std::uint8_t>(RunInput::tensors)) {
    return makeError("input: {}, expected 0 to 2", input);
  }
  NARROWS_TRY(length, fields.read<std::uint32_t>("length"));
  NARROWS_TRY(digest, fields.read<std::uint64_t>("digest"));
  NARROWS_CHECK(expectEnd(opened, length));
  if (digestOf(opened.bulk) != digest) return makeError("the input is damaged");
  message.session = session;
  message.epoch = epoch;
  message.frame = frame;
  message.timeout = timeout;
  if (sized) message.size = ImageSize{width, height};
  message.outputs = outputs;
  message.input = static_cast<RunInput>(input);
  message.payload = opened.bulk;
  if (message.input == RunInput::picture && length > kMaxPictureFileBytes) {
    return makeError("a picture of {} bytes, at most {}", length, kMaxPictureFileBytes);
  }
  return message;
}

ByteVector writeMessage(const RunReply& message) {
  ByteWriter fields;
  fields.write(static_cast<std::uint8_t>(message.end));
  writeText(fields, std::string_view(message.error).substr(0, kMaxError));
  writeFlag(fields, message.blamed.has_value());
  fields.write(message.blamed.value_or(0));
  fields.write(message.compute.value());
  fields.write(message.coding.value());
  fields.write(static_cast<std::uint32_t>(message.sent.size()));
  for (const SentTo& sent : message.sent) {
    fields.write(sent.device);
    fields.write(sent.messages);
    fields.write(sent.frame_bytes);
    fields.write(sent.message_bytes);
  }
  writeFlag(fields, message.answered);
  writePrediction(fields, message.prediction);
  fields.write(static_cast<std::uint32_t>(message.outputs.size()));
  fields.write(digestOf(message.outputs));
  ByteVector bytes = seal(kKind<RunReply>, fields.view(), message.outputs.size());
  append(bytes, message.outputs);
  return bytes;
}

template <>
Result<RunReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<RunReply>, bytes));
  RunReply message;
  ByteReader& fields = opened.fields;
  NARROWS_TRY(end, fields.read<std::uint8_t>("end"));
  if (end > static_cast<std::uint8_t>(RunEnd::expired)) {
    return makeError("end: {}, expected 0 to {}", end, static_cast<int>(RunEnd::expired));
  }
  message.end = static_cast<RunEnd>(end);
  NARROWS_TRY(error, readText(fields, "error", kMaxError));
  message.error = std::move(error);
  NARROWS_TRY(blames, readFlag(fields, "blames"));
  NARROWS_TRY(blamed, fields.read<std::uint32_t>("blamed"));
  if (blames) message.blamed = blamed;
  NARROWS_TRY(compute, readSeconds(fields, "compute"));
  NARROWS_TRY(coding, readSeconds(fields, "coding"));
  message.compute = compute;
  message.coding = coding;
  NARROWS_TRY(count, readCount(fields, "sent", kMaxDevices, 24));
  for (std::size_t i = 0; i < count; ++i) {
    NARROWS_TRY(device, fields.read<std::uint32_t>("device"));
    NARROWS_TRY(messages, fields.read<std::uint32_t>("messages"));
    NARROWS_TRY(frame_bytes, fields.read<std::uint64_t>("frame bytes"));
    NARROWS_TRY(message_bytes, fields.read<std::uint64_t>("message bytes"));
    message.sent.push_back({device, messages, frame_bytes, message_bytes});
  }
  NARROWS_TRY(answered, readFlag(fields, "answered"));
  message.answered = answered;
  NARROWS_TRY(prediction, readPrediction(fields));
  message.prediction = std::move(prediction);
  NARROWS_TRY(length, fields.read<std::uint32_t>("length"));
  NARROWS_TRY(digest, fields.read<std::uint64_t>("digest"));
  NARROWS_CHECK(expectEnd(opened, length));
  if (digestOf(opened.bulk) != digest) return makeError("the outputs are damaged");
  message.outputs = opened.bulk;
  return message;
}

ByteVector writeMessage(const RegionsRequest& message) {
  ByteWriter fields;
  fields.write(message.session);
  fields.write(message.epoch);
  fields.write(message.from);
  fields.write(message.frame);
  fields.write(static_cast<std::uint32_t>(message.frames.size()));
  std::size_t bulk = 0;
  for (const RegionFrame& frame : message.frames) {
    fields.write(frame.channel);
    fields.write(static_cast<std::uint32_t>(frame.bytes.size()));
    bulk += frame.bytes.size();
  }
  ByteVector bytes = seal(kKind<RegionsRequest>, fields.view(), bulk);
  for (const RegionFrame& frame : message.frames) append(bytes, frame.bytes);
  return bytes;
}

template <>
Result<RegionsRequest> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<RegionsRequest>, bytes));
  RegionsRequest message;
  ByteReader& fields = opened.fields;
  NARROWS_TRY(session, fields.read<std::uint64_t>("session"));
  NARROWS_TRY(epoch, fields.read<std::uint32_t>("epoch"));
  NARROWS_TRY(from, fields.read<std::uint32_t>("from"));
  NARROWS_TRY(frame, fields.read<std::uint64_t>("frame"));
  message.session = session;
  message.epoch = epoch;
  message.from = from;
  message.frame = frame;
  NARROWS_TRY(count, readCount(fields, "frames", kMaxPaths, 8));
  std::size_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    NARROWS_TRY(channel, fields.read<std::uint32_t>("channel"));
    NARROWS_TRY(length, fields.read<std::uint32_t>("length"));
    if (length > opened.bulk.size() - offset) {
      return makeError("frame {}: {} bytes, {} are left", i, length, opened.bulk.size() - offset);
    }
    message.frames.push_back({channel, opened.bulk.subspan(offset, length)});
    offset += length;
  }
  NARROWS_CHECK(expectEnd(opened, offset));
  return message;
}

ByteVector writeMessage(const RegionsReply&) {
  return seal(kKind<RegionsReply>, {}, 0);
}

template <>
Result<RegionsReply> readMessage(ByteSpan bytes) {
  NARROWS_TRY(opened, open(kKind<RegionsReply>, bytes));
  NARROWS_CHECK(expectEnd(opened, 0));
  return RegionsReply();
}

}  // namespace narrows
