#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "narrows/base/byte_io.h"
#include "narrows/tensor/dtype.h"
#include "narrows/tensor/shape.h"

namespace narrows {

/// Type of a tensor without its elements.
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;

  std::int64_t elements() const { return shape.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(shape.elements()) * byteSize(dtype); }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// Read access to elements that somebody else owns; row-major, without gaps.
class TensorView {
 public:
  TensorView() = default;
  TensorView(TensorType type, const std::byte* data) : type_(type), data_(data) {}

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  ByteSpan bytes() const { return {data_, type_.bytes()}; }
  template <class T>
  std::span<const T> as() const {
    NARROWS_ASSERT(type_.dtype == dtypeOf<T>());
    return {reinterpret_cast<const T*>(data_), static_cast<std::size_t>(type_.elements())};
  }

 private:
  TensorType type_;
  const std::byte* data_ = nullptr;
};

/// Write access to elements that somebody else owns; row-major, without gaps.
class MutableTensorView {
 public:
  MutableTensorView() = default;
  MutableTensorView(TensorType type, std::byte* data) : type_(type), data_(data) {}

  operator TensorView() const { return {type_, data_}; }
  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  std::span<std::byte> bytes() const { return {data_, type_.bytes()}; }
  template <class T>
  std::span<T> as() const {
    NARROWS_ASSERT(type_.dtype == dtypeOf<T>());
    return {reinterpret_cast<T*>(data_), static_cast<std::size_t>(type_.elements())};
  }

 private:
  TensorType type_;
  std::byte* data_ = nullptr;
};

/// Owns its elements, aligned to kAlignment bytes; or borrows them, read-only, from a shared owner
/// such as a mapped file. Moves; copies only by `clone`.
class Tensor {
 public:
  static constexpr std::size_t kAlignment = 64;

  /// Rank 0, f32, the value 0.
  Tensor();
  /// Elements are zero. Ends the process when memory is exhausted: bound sizes from outside first.
  explicit Tensor(TensorType type);
  Tensor(DType dtype, Shape shape) : Tensor(TensorType{dtype, shape}) {}

  template <class T>
  static Tensor from(Shape shape, std::span<const T> values);
  template <class T>
  static Tensor from(Shape shape, std::initializer_list<T> values) {
    return from<T>(shape, std::span<const T>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor scalar(T value) {
    return from<T>(Shape{}, {value});
  }
  /// Read-only elements that stay valid while `owner` lives. `data` is aligned for the dtype.
  template <class Owner>
  static Tensor borrow(TensorType type, const std::byte* data, std::shared_ptr<Owner> owner) {
    return Tensor(type, std::shared_ptr<const std::byte>(std::move(owner), data), false);
  }

  Tensor(Tensor&&) = default;
  Tensor& operator=(Tensor&&) = default;
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  Tensor clone() const;
  /// The same elements under another shape with as many elements.
  Tensor reshaped(Shape shape) &&;

  const TensorType& type() const { return type_; }
  const Shape& shape() const { return type_.shape; }
  DType dtype() const { return type_.dtype; }
  bool writable() const { return writable_; }
  TensorView view() const { return {type_, data_.get()}; }
  /// Asserts `writable()`.
  MutableTensorView mutableView();
  operator TensorView() const { return view(); }
  template <class T>
  std::span<const T> as() const {
    return view().as<T>();
  }
  template <class T>
  std::span<T> mutableAs() {
    return mutableView().as<T>();
  }

 private:
  Tensor(TensorType type, std::shared_ptr<const std::byte> data, bool writable)
      : type_(type), data_(std::move(data)), writable_(writable) {}

  TensorType type_;
  std::shared_ptr<const std::byte> data_;
  bool writable_ = true;
};

template <class T>
Tensor Tensor::from(Shape shape, std::span<const T> values) {
  Tensor tensor(dtypeOf<T>(), shape);
  NARROWS_ASSERT(values.size() == static_cast<std::size_t>(shape.elements()));
  std::copy(values.begin(), values.end(), tensor.mutableAs<T>().begin());
  return tensor;
}

}  // namespace narrows
