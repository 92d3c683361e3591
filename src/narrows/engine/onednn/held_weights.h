#pragma once

#include <oneapi/dnnl/dnnl.hpp>

#include <memory>
#include <vector>

#include "narrows/engine/executor/weight_store.h"
#include "narrows/engine/onednn/adapter.h"

namespace narrows::onednn {

/// The packed weights of a kernel, each form once for all pieces that read it.
class HeldWeights {
 public:
  /// `plain`, made of `constants`, in the form of `desc`. What `store` (may be null) has of the
  /// same constants is taken from there.
  dnnl::memory pack(executor::WeightStore* store, ByteSpan constants, const dnnl::memory& plain,
                    const dnnl::memory::desc& desc);

  /// With the code that oneDNN generates for them, once.
  std::size_t bytes() const { return items_.empty() ? 0 : kCodeBytes + bytes_; }
  /// Of them, those that another kernel had packed. oneDNN keeps what it generates for equal
  /// convolutions in a cache of its own.
  std::size_t sharedBytes() const {
    return shared_bytes_ + (!items_.empty() && shared_bytes_ == bytes_ ? kCodeBytes : 0);
  }

 private:
  struct Packed final : executor::WeightStore::Item {
    dnnl::memory memory;
  };
  struct Held {
    ByteSpan constants;  // compared by place, while they are there
    std::shared_ptr<const Packed> item;
  };

  std::vector<Held> items_;
  std::size_t bytes_ = 0;
  std::size_t shared_bytes_ = 0;
};

}  // namespace narrows::onednn
