#include "narrows/formats/onnx_wire.h"

#include <cstdint>
#include <string_view>

namespace narrows {
namespace {

// The largest public models have some 10^5 nodes.
constexpr std::size_t kMaxFields = std::size_t{1} << 21;
constexpr int kMaxDepth = 32;

/// Kind of message that a byte range holds. `guess` may be text as well.
enum class Kind { model, training, function, graph, node, attribute, tensor, guess, leaf };

/// Kind of a length-delimited field, by the field numbers of onnx.proto.
Kind childKind(Kind parent, std::uint32_t field) {
  switch (parent) {
    case Kind::model:
      if (field == 7) return Kind::graph;
      if (field == 20) return Kind::training;
      if (field == 25) return Kind::function;
      return field == 8 || field == 14 ? Kind::guess : Kind::leaf;
    case Kind::training:
      return field == 1 || field == 2 ? Kind::graph : Kind::guess;
    case Kind::function:
      return field == 7 ? Kind::node : Kind::guess;
    case Kind::graph:
      if (field == 1) return Kind::node;
      if (field == 5) return Kind::tensor;
      return field >= 11 ? Kind::guess : Kind::leaf;
    case Kind::node:
      return field == 5 ? Kind::attribute : Kind::leaf;
    case Kind::attribute:
      if (field == 5 || field == 10) return Kind::tensor;
      if (field == 6 || field == 11) return Kind::graph;
      return field >= 14 ? Kind::guess : Kind::leaf;
    case Kind::tensor:
      return field == 13 ? Kind::guess : Kind::leaf;
    case Kind::guess:
      return Kind::guess;
    case Kind::leaf:
      return Kind::leaf;
  }
  return Kind::leaf;
}

class WireWalk {
 public:
  explicit WireWalk(ByteSpan bytes) : bytes_(bytes) {}

  /// Walks the message in [begin, end).
  Status walk(Kind kind, std::size_t begin, std::size_t end, int depth) {
    if (depth > kMaxDepth) return makeError("offset {}: nested deeper than {}", begin, kMaxDepth);
    std::size_t at = begin;
    while (at < end) {
      const std::size_t start = at;
      NARROWS_TRY(tag, varint(at, end));
      const auto field = static_cast<std::uint32_t>(tag >> 3);
      if (field == 0 || tag >> 32 != 0) return makeError("offset {}: no ONNX field", start);
      NARROWS_TRY(length, payload(tag & 7, at, end, start));
      if ((tag & 7) != 2) continue;
      if (++fields_ > kMaxFields) return makeError("more than {} fields", kMaxFields);
      const Kind child = childKind(kind, field);
      if (child == Kind::leaf) continue;
      Status inner = walk(child, at - length, at, depth + 1);
      if (!inner.ok() && (child != Kind::guess || fields_ > kMaxFields)) return inner;
    }
    return {};
  }

 private:
  Result<std::uint64_t> varint(std::size_t& at, std::size_t end) const {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (at == end) return makeError("offset {}: the file ends inside a field", at);
      const auto byte = static_cast<std::uint64_t>(bytes_[at++]);
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
    return makeError("offset {}: no ONNX field", at);
  }

  /// Moves `at` behind the payload; returns the length of a length-delimited one, 0 otherwise.
  Result<std::size_t> payload(std::uint64_t wire_type, std::size_t& at, std::size_t end,
                              std::size_t start) const {
    std::uint64_t length = 0;
    switch (wire_type) {
      case 0: {
        NARROWS_CHECK(varint(at, end));
        return std::size_t{0};
      }
      case 1:
        length = 8;
        break;
      case 5:
        length = 4;
        break;
      case 2: {
        NARROWS_TRY(value, varint(at, end));
        length = value;
        break;
      }
      default:
        return makeError("offset {}: no ONNX field", start);
    }
    if (length > end - at) {
      return makeError("offset {}: a field of {} bytes, {} are left", start, length, end - at);
    }
    at += static_cast<std::size_t>(length);
    return wire_type == 2 ? static_cast<std::size_t>(length) : std::size_t{0};
  }

  ByteSpan bytes_;
  std::size_t fields_ = 0;
};

}  // namespace

Status checkModelWire(ByteSpan bytes) {
  return WireWalk(bytes).walk(Kind::model, 0, bytes.size(), 0);
}

Status checkTensorWire(ByteSpan bytes) {
  return WireWalk(bytes).walk(Kind::tensor, 0, bytes.size(), 0);
}

}  // namespace narrows
