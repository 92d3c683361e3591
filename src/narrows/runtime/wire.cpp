#include "narrows/runtime/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "inference.pb.h"

namespace narrows {
namespace {

using google::protobuf::io::CodedInputStream;
using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

constexpr std::string_view kBytesType = "BYTES";
constexpr std::string_view kModelVersion = "1";

struct TypeName {
  DType dtype;
  std::string_view name;
};
/// Data types of the protocol that are tensors here.
constexpr std::array<TypeName, 12> kTypeNames = {{{DType::f32, "FP32"},
                                                  {DType::f64, "FP64"},
                                                  {DType::f16, "FP16"},
                                                  {DType::i8, "INT8"},
                                                  {DType::u8, "UINT8"},
                                                  {DType::i16, "INT16"},
                                                  {DType::u16, "UINT16"},
                                                  {DType::i32, "INT32"},
                                                  {DType::u32, "UINT32"},
                                                  {DType::i64, "INT64"},
                                                  {DType::u64, "UINT64"},
                                                  {DType::boolean, "BOOL"}}};

std::optional<DType> parseTypeName(std::string_view name) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

ByteSpan bytesOf(const std::string& text) {
  return asBytes(text);
}

CallStatus invalid(std::string message) {
  return {CallCode::invalid_argument, std::move(message)};
}

/// Walks the fields of the outermost message and counts what a parser would have to build, so that
/// a small message cannot unfold into a large one.
class WireCensus {
 public:
  std::size_t tensors = 0;
  std::size_t raw_contents = 0;
  std::size_t other_bytes = 0;

  Status walk(ByteSpan bytes, int tensor_field, int raw_field) {
    CodedInputStream stream(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                            static_cast<int>(bytes.size()));
    for (;;) {
      const int begin = stream.CurrentPosition();
      const std::uint32_t tag = stream.ReadTag();
      if (tag == 0) {
        if (static_cast<std::size_t>(begin) == bytes.size()) return {};
        return makeError("offset {}: expected a field", begin);
      }
      const int field = static_cast<int>(tag >> 3U);
      const std::uint32_t wire_type = tag & 7U;
      NARROWS_CHECK(skip(stream, wire_type, begin));
      const auto length = static_cast<std::size_t>(stream.CurrentPosition() - begin);
      if (field == raw_field && wire_type == 2) {
        ++raw_contents;
      } else {
        other_bytes += length;
        if (field == tensor_field) ++tensors;
      }
    }
  }

 private:
  static Status skip(CodedInputStream& stream, std::uint32_t wire_type, int begin) {
    bool whole = false;
    if (wire_type == 0) {
      std::uint64_t value = 0;
      whole = stream.ReadVarint64(&value);
    } else if (wire_type == 1) {
      whole = stream.Skip(8);
    } else if (wire_type == 2) {
      std::uint32_t length = 0;
      whole = stream.ReadVarint32(&length) &&
              length <= static_cast<std::uint32_t>(std::numeric_limits<int>::max()) &&
              stream.Skip(static_cast<int>(length));
    } else if (wire_type == 5) {
      whole = stream.Skip(4);
    } else {
      return makeError("offset {}: wire type {} is not one of 0, 1, 2, 5", begin, wire_type);
    }
    if (!whole) return makeError("offset {}: a field ends beyond the message", begin);
    return {};
  }
};

template <class Message>
CallStatus parseMessage(ByteSpan bytes, const WireLimits& limits, int tensor_field, int raw_field,
                        Message& message) {
  if (bytes.size() > limits.message_bytes) {
    return {CallCode::resource_exhausted,
            fmt::format("the message has {} bytes, at most {} are taken", bytes.size(),
                        limits.message_bytes)};
  }
  WireCensus census;
  const Status walked = census.walk(bytes, tensor_field, raw_field);
  if (!walked.ok()) return invalid(walked.error().message);
  if (census.tensors > limits.tensors || census.raw_contents > limits.tensors) {
    return invalid(fmt::format("the message has {} tensors, at most {} are taken",
                               std::max(census.tensors, census.raw_contents), limits.tensors));
  }
  if (census.other_bytes > limits.other_bytes) {
    return invalid(fmt::format("the message has {} bytes beside raw contents, at most {} are taken",
                               census.other_bytes, limits.other_bytes));
  }
  // What is wrong with the bytes goes back to whoever sent them, not to our stderr.
  const google::protobuf::LogSilencer silent;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return invalid("the message does not parse");
  }
  return {};
}

void setParameter(Parameters& parameters, const char* name, std::int64_t value) {
  parameters[name].set_int64_param(value);
}

std::optional<std::int64_t> parameter(const Parameters& parameters, const char* name) {
  const auto found = parameters.find(name);
  if (found == parameters.end() ||
      found->second.parameter_choice_case() != inference::InferParameter::kInt64Param) {
    return std::nullopt;
  }
  return found->second.int64_param();
}

/// The tensor fields that requests and replies share; contents go to `raw`.
template <class TensorMessage>
void writeFrame(const NamedFrame& frame, TensorMessage& tensor, std::string& raw) {
  tensor.set_name(frame.name);
  tensor.set_datatype(std::string(kBytesType));
  tensor.add_shape(1);
  const auto length = static_cast<std::uint32_t>(frame.bytes.size());
  raw.reserve(frame.bytes.size() + sizeof(length));
  raw.append(reinterpret_cast<const char*>(&length), sizeof(length));
  raw.append(asText(frame.bytes));
}

template <class TensorMessage>
void writeTensor(const NamedTensor& named, TensorMessage& tensor, std::string& raw) {
  tensor.set_name(named.name);
  tensor.set_datatype(std::string(protocolType(named.tensor.dtype())));
  for (const std::int64_t extent : named.tensor.shape().extents()) tensor.add_shape(extent);
  raw.assign(asText(named.tensor.view().bytes()));
}

/// The one element of a BYTES tensor: raw contents with a length in front, or typed contents.
template <class TensorMessage>
Status readFrame(const TensorMessage& tensor, const std::string* raw, NamedFrame& frame) {
  if (tensor.shape_size() != 1 || tensor.shape(0) != 1) {
    return makeError("a frame is a BYTES tensor of shape [1]");
  }
  ByteSpan contents;
  if (raw != nullptr) {
    ByteReader reader(bytesOf(*raw));
    NARROWS_TRY(length, reader.read<std::uint32_t>("the frame's length"));
    if (length != reader.remaining()) {
      return makeError("the frame's length is given as {}, {} bytes follow", length,
                       reader.remaining());
    }
    NARROWS_TRY(taken, reader.take(length, "the frame"));
    contents = taken;
  } else {
    if (tensor.contents().bytes_contents_size() != 1) {
      return makeError("bytes_contents has {} elements, expected 1",
                       tensor.contents().bytes_contents_size());
    }
    contents = bytesOf(tensor.contents().bytes_contents(0));
  }
  frame.bytes.assign(contents.begin(), contents.end());
  return {};
}

template <class TensorMessage>
Status readTensor(const TensorMessage& tensor, const std::string* raw, NamedTensor& named) {
  const auto dtype = parseTypeName(tensor.datatype());
  if (!dtype) return makeError("data type \"{}\" is not known", tensor.datatype());
  const std::vector<std::int64_t> extents(tensor.shape().begin(), tensor.shape().end());
  NARROWS_TRY(shape, Shape::create(extents));
  const TensorType type{*dtype, shape};
  if (raw != nullptr) {
    // Compared before the tensor is made: the shape alone may claim anything.
    if (raw->size() != type.bytes()) {
      return makeError("{} {} takes {} bytes, the contents have {}", toString(type.dtype),
                       toString(type.shape), type.bytes(), raw->size());
    }
    named.tensor = Tensor(type);
    std::ranges::copy(bytesOf(*raw), named.tensor.mutableView().bytes().begin());
    return {};
  }
  if (*dtype != DType::f32) return makeError("typed contents are taken as FP32 only");
  const auto& values = tensor.contents().fp32_contents();
  if (values.size() != type.elements()) {
    return makeError("fp32_contents has {} elements, the shape {}", values.size(), type.elements());
  }
  named.tensor = Tensor(type);
  std::ranges::copy(values, named.tensor.template mutableAs<float>().begin());
  return {};
}

/// All tensors of a message with their contents, by kind.
template <class TensorMessages, class RawContents>
Status readTensors(const TensorMessages& tensors, const RawContents& raw,
                   std::vector<NamedFrame>& frames, std::vector<NamedTensor>& others) {
  if (raw.size() != 0 && raw.size() != tensors.size()) {
    return makeError("{} tensors come with {} raw contents", tensors.size(), raw.size());
  }
  for (int i = 0; i < tensors.size(); ++i) {
    const auto& tensor = tensors.Get(i);
    const std::string* contents = raw.size() == 0 ? nullptr : &raw.Get(i);
    if (tensor.datatype() == kBytesType) {
      NamedFrame frame;
      frame.name = tensor.name();
      NARROWS_CHECK(readFrame(tensor, contents, frame).within(tensor.name()));
      frames.push_back(std::move(frame));
    } else {
      NamedTensor named;
      named.name = tensor.name();
      NARROWS_CHECK(readTensor(tensor, contents, named).within(tensor.name()));
      others.push_back(std::move(named));
    }
  }
  return {};
}

/// Parameters are written in the order of their names: left to itself, protobuf writes a map in an
/// order that differs from one call to the next.
template <class Message>
ByteVector serialize(const Message& message) {
  ByteVector bytes(message.ByteSizeLong());
  google::protobuf::io::ArrayOutputStream array(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&stream);
  return bytes;
}

/// A node's requests prove with their digest that they arrived as they were sent. It cannot be left
/// to the sender: damage that hits the digest's own name makes it absent. Tensors alone come from
/// clients that know the Open Inference Protocol and nothing more.
bool needsDigest(const InferRequest& request) {
  return !request.frames.empty() || request.tensors.empty();
}

std::optional<ImageSize> pictureSize(const Parameters& parameters) {
  const auto width = parameter(parameters, "picture_width");
  const auto height = parameter(parameters, "picture_height");
  if (!width || !height) return std::nullopt;
  return ImageSize{*width, *height};
}

Seconds microsecondsOf(const Parameters& parameters, const char* name) {
  return microseconds(static_cast<double>(parameter(parameters, name).value_or(0)));
}

inference::ModelInferResponse responseOf(const InferReply& reply) {
  inference::ModelInferResponse message;
  message.set_model_name(reply.model);
  message.set_model_version(std::string(kModelVersion));
  message.set_id(reply.id);
  Parameters& parameters = *message.mutable_parameters();
  setParameter(parameters, "queue_us", std::llround(reply.queued.value() * 1e6));
  setParameter(parameters, "compute_us", std::llround(reply.computed.value() * 1e6));
  setParameter(parameters, "request", static_cast<std::int64_t>(reply.request));
  setParameter(parameters, "digest", static_cast<std::int64_t>(digest(reply)));
  for (const NamedFrame& frame : reply.frames) {
    writeFrame(frame, *message.add_outputs(), *message.add_raw_output_contents());
  }
  for (const NamedTensor& tensor : reply.tensors) {
    writeTensor(tensor, *message.add_outputs(), *message.add_raw_output_contents());
  }
  return message;
}

}  // namespace

std::string_view protocolType(DType dtype) {
  for (const TypeName& entry : kTypeNames) {
    if (entry.dtype == dtype) return entry.name;
  }
  return "";
}

ByteVector writeRequest(const InferRequest& request) {
  inference::ModelInferRequest message;
  message.set_model_name(request.model);
  message.set_id(request.id);
  Parameters& parameters = *message.mutable_parameters();
  setParameter(parameters, "sequence", request.sequence);
  setParameter(parameters, "digest", static_cast<std::int64_t>(digest(request)));
  if (request.bundle != 0) {
    setParameter(parameters, "bundle", static_cast<std::int64_t>(request.bundle));
  }
  if (request.picture) {
    setParameter(parameters, "picture_width", request.picture->width);
    setParameter(parameters, "picture_height", request.picture->height);
  }
  for (const NamedFrame& frame : request.frames) {
    writeFrame(frame, *message.add_inputs(), *message.add_raw_input_contents());
  }
  for (const NamedTensor& tensor : request.tensors) {
    writeTensor(tensor, *message.add_inputs(), *message.add_raw_input_contents());
  }
  return serialize(message);
}

CallStatus readRequest(ByteSpan bytes, const WireLimits& limits, InferRequest& request) {
  using Message = inference::ModelInferRequest;
  Message message;
  CallStatus parsed = parseMessage(bytes, limits, Message::kInputsFieldNumber,
                                   Message::kRawInputContentsFieldNumber, message);
  if (!parsed.ok()) return parsed;
  request = {};
  request.model = message.model_name();
  request.id = message.id();
  const Parameters& parameters = message.parameters();
  const std::int64_t sequence = parameter(parameters, "sequence").value_or(0);
  if (sequence < 0 || sequence > std::numeric_limits<std::uint32_t>::max()) {
    return invalid(fmt::format("parameter sequence is {}, expected 0 to 2^32 - 1", sequence));
  }
  request.sequence = static_cast<std::uint32_t>(sequence);
  request.bundle = static_cast<std::uint64_t>(parameter(parameters, "bundle").value_or(0));
  request.picture = pictureSize(parameters);
  const Status read =
      readTensors(message.inputs(), message.raw_input_contents(), request.frames, request.tensors);
  if (!read.ok()) return invalid(read.error().message);
  const auto sent = parameter(parameters, "digest");
  if (!sent && needsDigest(request)) {
    return invalid("parameter digest is missing: only a tensor may come without it");
  }
  if (sent && static_cast<std::uint64_t>(*sent) != digest(request)) {
    return {CallCode::data_loss, "the request does not match its digest"};
  }
  constexpr std::int64_t kMaxExtent = 1 << 20;
  if (request.picture && (request.picture->width < 1 || request.picture->width > kMaxExtent ||
                          request.picture->height < 1 || request.picture->height > kMaxExtent)) {
    return invalid(fmt::format("a picture of {}x{}; expected 1 to {} pixels each way",
                               request.picture->width, request.picture->height, kMaxExtent));
  }
  return {};
}

ByteVector writeReply(const InferReply& reply) {
  return serialize(responseOf(reply));
}

ByteVector writeStreamReply(const InferReply& reply) {
  inference::ModelStreamInferResponse message;
  if (reply.status.ok()) {
    *message.mutable_infer_response() = responseOf(reply);
  } else {
    message.set_error_message(toString(reply.status));
    message.mutable_infer_response()->set_id(reply.id);
  }
  return serialize(message);
}

CallStatus readReply(ByteSpan bytes, const WireLimits& limits, InferReply& reply) {
  using Message = inference::ModelInferResponse;
  Message message;
  CallStatus parsed = parseMessage(bytes, limits, Message::kOutputsFieldNumber,
                                   Message::kRawOutputContentsFieldNumber, message);
  if (!parsed.ok()) return parsed;
  reply = {};
  reply.model = message.model_name();
  reply.id = message.id();
  reply.request =
      static_cast<std::uint64_t>(parameter(message.parameters(), "request").value_or(0));
  reply.queued = microsecondsOf(message.parameters(), "queue_us");
  reply.computed = microsecondsOf(message.parameters(), "compute_us");
  const Status read =
      readTensors(message.outputs(), message.raw_output_contents(), reply.frames, reply.tensors);
  if (!read.ok()) return invalid(read.error().message);
  const auto sent = parameter(message.parameters(), "digest");
  if (!sent || static_cast<std::uint64_t>(*sent) != digest(reply)) {
    return {CallCode::data_loss, "the answer does not match its digest"};
  }
  return {};
}

std::size_t framedBytes(std::size_t message_bytes) {
  constexpr std::size_t kPrefix = 5;
  constexpr std::size_t kFrameHeader = 9;
  constexpr std::size_t kFramePayload = 16384;
  constexpr std::size_t kHeaders = 64;
  const std::size_t body = message_bytes + kPrefix;
  return body + kFrameHeader * ((body + kFramePayload - 1) / kFramePayload) + kHeaders;
}

std::size_t requestEnvelope() {
  const std::string name(16, 'x');
  const ByteVector frame(1);
  InferRequest request;
  request.model = name;
  request.id = "node-0123456789abcdef/1000";
  request.sequence = 1000;
  // A digest takes as many bytes as any 64-bit number but the smallest.
  request.bundle = ~std::uint64_t{0};
  request.picture = ImageSize{640, 480};
  request.frames = {{name, frame}};
  return framedBytes(writeRequest(request).size()) - frame.size();
}

}  // namespace narrows
