#pragma once

#include <exception>
#include <type_traits>
#include <utility>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/tensor/tensor.h"
#include "narrows/torch/aten.h"

namespace narrows::torched {

/// Arithmetic of floating-point values: single is how networks are trained, double how gradients
/// are checked.
at::ScalarType scalarType(bool double_precision);

/// Where `device` computes: "cpu", "cuda" or "cuda:N". An error that says why where it cannot. From
/// then on CUDA multiplies in f32 and its convolutions repeat bit for bit, in the whole process.
Result<at::Device> findDevice(const std::string& device);

/// The elements as a tensor of libtorch, copied to the device of `options`. Floating-point ones get
/// its type; unsigned types of more than 8 bits, which libtorch lacks, are an error.
Result<at::Tensor> toAten(TensorView view, const at::TensorOptions& options);
/// The elements, copied, as `dtype`.
Tensor fromAten(const at::Tensor& tensor, DType dtype);

/// Values as a tensor of rank 1, of the type and on the device of `like`.
at::Tensor column(const std::vector<double>& values, const at::Tensor& like);
/// Indices into `x`, on its device.
at::Tensor indicesInto(const at::Tensor& x, const std::vector<std::int64_t>& indices);

at::IntArrayRef extentsOf(const Shape& shape);

/// What `body` returns; an exception of libtorch becomes an error. Everything that calls libtorch
/// from outside this folder passes here.
template <class Body>
auto guarded(Body&& body) -> std::invoke_result_t<Body> {
  try {
    return body();
  } catch (const c10::Error& error) {
    return makeError("libtorch: {}", error.what_without_backtrace());
  } catch (const std::exception& error) {
    return makeError("libtorch: {}", error.what());
  }
}

}  // namespace narrows::torched
