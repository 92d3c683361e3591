#include "narrows/runtime/group/worker_message.h"

#include "narrows/runtime/group/message_envelope.h"

namespace narrows {

using namespace envelope;

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

}  // namespace narrows
