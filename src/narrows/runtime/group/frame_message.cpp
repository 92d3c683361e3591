#include "narrows/pipeline/picture.h"
#include "narrows/runtime/group/message_envelope.h"
#include "narrows/runtime/group/worker_message.h"

// The messages of `worker_message.h` that belong to a frame.
namespace narrows {

using namespace envelope;

namespace {

constexpr std::size_t kMaxError = 4096;
constexpr std::size_t kMaxDetections = 1 << 20;

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

std::optional<RegionsOrigin> originOfRegions(ByteSpan bytes) {
  if (bytes.size() < kHeaderBytes || bytes[4] != std::byte{kKind<RegionsRequest>}) return {};
  ByteReader fields(bytes.subspan(kHeaderBytes));
  const auto session = fields.read<std::uint64_t>("session");
  const auto epoch = fields.read<std::uint32_t>("epoch");
  const auto from = fields.read<std::uint32_t>("from");
  if (!session.ok() || !epoch.ok() || !from.ok()) return {};
  return RegionsOrigin{*session, *epoch, *from};
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
