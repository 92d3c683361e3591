#include "narrows/formats/onnx_weights.h"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>

namespace narrows {
namespace {

using onnx::TensorProto;

bool aligned(const void* data, DType dtype) {
  return reinterpret_cast<std::uintptr_t>(data) % byteSize(dtype) == 0;
}

Tensor copied(const TensorType& type, const std::byte* data) {
  Tensor tensor(type);
  if (type.bytes() > 0) std::memcpy(tensor.mutableView().bytes().data(), data, type.bytes());
  return tensor;
}

/// A byte other than 0 and 1 is no bool, and reading it as one is undefined.
Status checkBooleans(const TensorType& type, const std::byte* data) {
  if (type.dtype != DType::boolean) return {};
  for (std::size_t i = 0; i < type.bytes(); ++i) {
    if (data[i] > std::byte{1}) return makeError("element {} is no boolean", i);
  }
  return {};
}

template <class Owner>
Result<Tensor> borrowed(const TensorType& type, const std::byte* data,
                        std::shared_ptr<Owner> owner) {
  NARROWS_CHECK(checkBooleans(type, data));
  if (type.bytes() == 0) return Tensor(type);
  if (!aligned(data, type.dtype)) return copied(type, data);
  return Tensor::borrow(type, data, std::move(owner));
}

Result<std::uint64_t> parseCount(const std::string& text, std::string_view key) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, value);
  if (code != std::errc() || stop != end || text.empty()) {
    return makeError("external {} is \"{}\", expected a count of bytes", key, text);
  }
  return value;
}

Result<Tensor> externalTensor(const TensorProto& proto, const TensorType& type,
                              ExternalFiles& files) {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      NARROWS_TRY(value, parseCount(entry.value(), "offset"));
      offset = value;
    }
    if (entry.key() == "length") {
      NARROWS_TRY(value, parseCount(entry.value(), "length"));
      length = value;
    }
  }
  if (location.empty()) return makeError("external data without a location");
  NARROWS_TRY(file, files.open(location));
  const std::uint64_t needed = type.bytes();
  if (length && *length != needed) {
    return makeError("external length is {} bytes, {} {} needs {}", *length, toString(type.dtype),
                     toString(type.shape), needed);
  }
  if (offset > file->bytes().size() || needed > file->bytes().size() - offset) {
    return makeError("{} bytes at offset {} of \"{}\", which has {}", needed, offset, location,
                     file->bytes().size());
  }
  return borrowed(type, file->bytes().data() + offset, file);
}

Result<Tensor> rawTensor(TensorProto& proto, const TensorType& type) {
  if (proto.raw_data().size() != type.bytes()) {
    return makeError("{} bytes of data, {} {} needs {}", proto.raw_data().size(),
                     toString(type.dtype), toString(type.shape), type.bytes());
  }
  if (type.bytes() == 0) return Tensor(type);
  std::shared_ptr<const std::string> raw(proto.release_raw_data());
  const auto* data = reinterpret_cast<const std::byte*>(raw->data());
  return borrowed(type, data, std::move(raw));
}

/// Elements from a typed field, which may be wider than the dtype.
template <class T, class Field>
Result<Tensor> typedTensor(const Field& field, const TensorType& type) {
  if (static_cast<std::int64_t>(field.size()) != type.elements()) {
    return makeError("{} elements of data, {} has {}", field.size(), toString(type.shape),
                     type.elements());
  }
  Tensor tensor(type);
  auto* data = reinterpret_cast<T*>(tensor.mutableView().bytes().data());
  for (int i = 0; i < field.size(); ++i) data[i] = static_cast<T>(field.Get(i));
  return tensor;
}

Result<Tensor> booleanTensor(const TensorProto& proto, const TensorType& type) {
  NARROWS_TRY(tensor, typedTensor<std::uint8_t>(proto.int32_data(), type));
  NARROWS_CHECK(checkBooleans(type, tensor.view().bytes().data()));
  return std::move(tensor);
}

Result<Tensor> typedTensor(const TensorProto& proto, const TensorType& type) {
  switch (type.dtype) {
    case DType::f32:
      return typedTensor<float>(proto.float_data(), type);
    case DType::f64:
      return typedTensor<double>(proto.double_data(), type);
    case DType::f16:
    case DType::u16:
      return typedTensor<std::uint16_t>(proto.int32_data(), type);
    case DType::i8:
      return typedTensor<std::int8_t>(proto.int32_data(), type);
    case DType::u8:
      return typedTensor<std::uint8_t>(proto.int32_data(), type);
    case DType::i16:
      return typedTensor<std::int16_t>(proto.int32_data(), type);
    case DType::i32:
      return typedTensor<std::int32_t>(proto.int32_data(), type);
    case DType::u32:
      return typedTensor<std::uint32_t>(proto.uint64_data(), type);
    case DType::i64:
      return typedTensor<std::int64_t>(proto.int64_data(), type);
    case DType::u64:
      return typedTensor<std::uint64_t>(proto.uint64_data(), type);
    case DType::boolean:
      return booleanTensor(proto, type);
  }
  return makeError("unknown dtype");
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> ExternalFiles::open(const std::string& location) {
  namespace fs = std::filesystem;
  if (const auto found = files_.find(location); found != files_.end()) return found->second;
  if (!directory_) return makeError("external data in \"{}\" of a model in memory", location);
  const fs::path relative(location);
  if (location.find('\0') != std::string::npos || relative.is_absolute()) {
    return makeError("external location \"{}\" is no relative path", location);
  }
  for (const fs::path& part : relative) {
    if (part == "..") return makeError("external location \"{}\" has \"..\"", location);
  }
  std::error_code code;
  const fs::path root = fs::canonical(directory_->empty() ? fs::path(".") : *directory_, code);
  if (code) return makeError("{}: {}", directory_->string(), code.message());
  const fs::path file = fs::canonical(root / relative, code);
  if (code) return makeError("external data \"{}\": {}", location, code.message());
  const fs::path inside = file.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") {
    return makeError("external data \"{}\" lies outside the model's directory", location);
  }
  if (!fs::is_regular_file(file, code)) {
    return makeError("external data \"{}\" is not a regular file", location);
  }
  NARROWS_TRY(mapped, MappedFile::open(file));
  files_.emplace(location, mapped);
  return std::move(mapped);
}

Result<DType> dtypeFromOnnx(std::int64_t code) {
  switch (code) {
    case TensorProto::FLOAT:
      return DType::f32;
    case TensorProto::DOUBLE:
      return DType::f64;
    case TensorProto::FLOAT16:
      return DType::f16;
    case TensorProto::INT8:
      return DType::i8;
    case TensorProto::UINT8:
      return DType::u8;
    case TensorProto::INT16:
      return DType::i16;
    case TensorProto::UINT16:
      return DType::u16;
    case TensorProto::INT32:
      return DType::i32;
    case TensorProto::UINT32:
      return DType::u32;
    case TensorProto::INT64:
      return DType::i64;
    case TensorProto::UINT64:
      return DType::u64;
    case TensorProto::BOOL:
      return DType::boolean;
    default:
      return makeError("ONNX element type {} is not supported", code);
  }
}

Result<Tensor> takeTensor(TensorProto& proto, ExternalFiles& files) {
  if (proto.has_segment()) return makeError("segmented tensors are not supported");
  NARROWS_TRY(dtype, dtypeFromOnnx(proto.data_type()));
  const std::vector<std::int64_t> dims(proto.dims().begin(), proto.dims().end());
  NARROWS_TRY(shape, Shape::create(dims));
  const TensorType type{dtype, shape};
  if (proto.data_location() == TensorProto::EXTERNAL) return externalTensor(proto, type, files);
  if (proto.has_raw_data()) return rawTensor(proto, type);
  return typedTensor(proto, type);
}

}  // namespace narrows
