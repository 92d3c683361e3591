#include "narrows/tensor/tensor.h"

#include <cstdlib>
#include <cstring>

namespace narrows {

Tensor::Tensor() : Tensor(TensorType{}) {}

Tensor::Tensor(TensorType type) : type_(type) {
  const std::size_t bytes = type.bytes();
  const std::size_t rounded =
      std::max(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  NARROWS_ASSERT(data != nullptr);
  std::memset(data, 0, rounded);
  data_ = std::shared_ptr<const std::byte>(
      data, [](const std::byte* p) { std::free(const_cast<std::byte*>(p)); });
}

Tensor Tensor::clone() const {
  Tensor copy(type_);
  if (type_.bytes() > 0) std::memcpy(copy.mutableView().bytes().data(), data_.get(), type_.bytes());
  return copy;
}

Tensor Tensor::reshaped(Shape shape) && {
  NARROWS_ASSERT(shape.elements() == type_.shape.elements());
  type_.shape = shape;
  return std::move(*this);
}

MutableTensorView Tensor::mutableView() {
  NARROWS_ASSERT(writable_);
  return {type_, const_cast<std::byte*>(data_.get())};
}

}  // namespace narrows
