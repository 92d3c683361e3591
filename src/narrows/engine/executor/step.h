#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/id.h"
#include "narrows/base/result.h"
#include "narrows/engine/executor/layout.h"
#include "narrows/tensor/dtype.h"

namespace narrows::executor {

using BufferId = Id<struct BufferTag>;

/// A tensor as steps see it: some elements of a buffer.
struct Operand {
  BufferId buffer;
  DType dtype = DType::f32;
  Layout layout;

  const Shape& shape() const { return layout.shape; }
};

/// Where the buffers are during a run.
class Memory {
 public:
  explicit Memory(std::size_t buffers) : bases_(buffers) {}

  void bindRead(BufferId id, const std::byte* data) { bases_[id.index()] = {data, nullptr}; }
  void bind(BufferId id, std::byte* data) { bases_[id.index()] = {data, data}; }
  void bindScratch(std::span<std::byte> scratch) { scratch_ = scratch; }

  /// Start of a buffer.
  const std::byte* base(BufferId id) const { return bases_[id.index()].read; }
  std::byte* mutableBase(BufferId id) const { return bases_[id.index()].write; }
  /// First element of an operand.
  template <class T>
  const T* read(const Operand& operand) const {
    return reinterpret_cast<const T*>(base(operand.buffer)) + operand.layout.offset;
  }
  template <class T>
  T* write(const Operand& operand) const {
    return reinterpret_cast<T*>(mutableBase(operand.buffer)) + operand.layout.offset;
  }
  /// Work space, as large as the largest `Step::scratchBytes` and aligned to 64 bytes.
  std::span<std::byte> scratch() const { return scratch_; }

 private:
  struct Base {
    const std::byte* read = nullptr;
    std::byte* write = nullptr;
  };
  std::vector<Base> bases_;
  std::span<std::byte> scratch_;
};

/// One call of a kernel. Everything that does not depend on data is settled when it is made.
class Step {
 public:
  virtual ~Step() = default;
  virtual Status run(const Memory& memory) = 0;
  /// Constants the step holds in its own form.
  virtual std::size_t weightBytes() const { return 0; }
  /// Of them, those that another step had packed.
  virtual std::size_t sharedBytes() const { return 0; }
  virtual std::size_t scratchBytes() const { return 0; }
  /// Adds the blocks of constants that a run packs, in this order.
  virtual void listStreamed(std::vector<ByteSpan>&) const {}
  /// Memory beyond that which a run takes and gives back.
  virtual std::size_t passingBytes() const { return 0; }
};

}  // namespace narrows::executor
