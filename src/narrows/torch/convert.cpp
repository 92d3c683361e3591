#include "narrows/torch/convert.h"

#include <cstring>

namespace narrows::torched {
namespace {

/// The type of libtorch with the same bytes; nothing when there is none.
std::optional<at::ScalarType> sameType(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return at::kFloat;
    case DType::f64:
      return at::kDouble;
    case DType::f16:
      return at::kHalf;
    case DType::i8:
      return at::kChar;
    case DType::u8:
      return at::kByte;
    case DType::i16:
      return at::kShort;
    case DType::i32:
      return at::kInt;
    case DType::i64:
      return at::kLong;
    case DType::boolean:
      return at::kBool;
    case DType::u16:
    case DType::u32:
    case DType::u64:
      break;
  }
  return std::nullopt;
}

}  // namespace

at::ScalarType scalarType(bool double_precision) {
  return double_precision ? at::kDouble : at::kFloat;
}

at::IntArrayRef extentsOf(const Shape& shape) {
  return {shape.extents().data(), shape.rank()};
}

at::Tensor column(const std::vector<double>& values, const at::Tensor& like) {
  return at::tensor(values, at::kDouble).to(like.options());
}

at::Tensor indicesInto(const at::Tensor& x, const std::vector<std::int64_t>& indices) {
  return at::tensor(indices, at::kLong).to(x.device());
}

Result<at::Device> findDevice(const std::string& device) {
  const bool cuda = device == "cuda" || device.starts_with("cuda:");
  if (device != "cpu" && !cuda) {
    return makeError("device \"{}\": expected cpu, cuda or cuda:N", device);
  }
  return guarded([&]() -> Result<at::Device> {
    const at::Device found(device);
    if (!cuda) return found;
    if (!at::hasCUDA()) {
      return makeError("device \"{}\": this libtorch finds no CUDA device; use cpu", device);
    }
    // Products of 10 bits would not be f32, and the search for the fastest convolution not
    // repeatable.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
    at::globalContext().setDeterministicCuDNN(true);
    at::globalContext().setBenchmarkCuDNN(false);
    return found;
  });
}

Result<at::Tensor> toAten(TensorView view, const at::TensorOptions& options) {
  const auto type = sameType(view.dtype());
  if (!type) return makeError("libtorch has no elements of type {}", toString(view.dtype()));
  at::Tensor tensor = at::empty(extentsOf(view.shape()), *type);
  const ByteSpan bytes = view.bytes();
  if (!bytes.empty()) std::memcpy(tensor.data_ptr(), bytes.data(), bytes.size());
  return isFloating(view.dtype()) ? tensor.to(options) : tensor.to(options.device());
}

Tensor fromAten(const at::Tensor& tensor, DType dtype) {
  const auto type = sameType(dtype);
  NARROWS_ASSERT(type.has_value());
  const at::Tensor plain = tensor.detach().to(at::kCPU).to(*type).contiguous();
  auto shape = Shape::create({plain.sizes().data(), plain.sizes().size()});
  NARROWS_ASSERT(shape.ok());
  Tensor result(dtype, *shape);
  const auto bytes = result.mutableView().bytes();
  if (!bytes.empty()) std::memcpy(bytes.data(), plain.data_ptr(), bytes.size());
  return result;
}

}  // namespace narrows::torched
