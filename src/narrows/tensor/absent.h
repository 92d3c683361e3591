#pragma once

#include <memory>

#include "narrows/tensor/tensor.h"

/// Tensors that have a type only: they stand for elements that nobody needs, as when a network is
/// counted and not run. They take no memory, and nothing may read their elements.
namespace narrows {

inline Tensor withoutElements(TensorType type) {
  return Tensor::borrow(type, nullptr, std::shared_ptr<const std::byte>());
}

inline bool hasElements(const Tensor& tensor) {
  return tensor.type().elements() == 0 || tensor.view().bytes().data() != nullptr;
}

}  // namespace narrows
