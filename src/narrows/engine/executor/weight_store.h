#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "narrows/base/byte_io.h"

namespace narrows::executor {

/// Weights in the forms that kernels read, shared by the programs of an engine: as long as one of
/// them holds packed weights, kernels of the same constants find them. Safe for use by several
/// threads.
class WeightStore {
 public:
  /// Something packed. Nothing changes it.
  class Item {
   public:
    virtual ~Item() = default;
  };

  WeightStore();
  WeightStore(const WeightStore&) = delete;
  WeightStore& operator=(const WeightStore&) = delete;

  template <class T>
  struct Found {
    std::shared_ptr<const T> item;
    bool shared = false;  // somebody else had packed it
  };
  /// What was made of the same bytes in the form that `form` names, or what `make()` returns, a
  /// std::shared_ptr<const T>. A form stands for one type T alone.
  template <class T, class Make>
  Found<T> find(std::span<const ByteSpan> constants, std::string form, const Make& make) {
    const Key key{digest(constants), std::move(form)};
    if (auto known = held(key)) return {std::static_pointer_cast<const T>(std::move(known)), true};
    std::shared_ptr<const T> made = make();
    keep(key, made);
    return {std::move(made), false};
  }

  /// Items that some program holds.
  std::size_t size() const;

 private:
  using Digest = std::array<std::uint64_t, 2>;
  using Key = std::pair<Digest, std::string>;

  /// 128 bits of all that the bytes are, and of how many there are in each constant.
  Digest digest(std::span<const ByteSpan> constants) const;
  std::shared_ptr<const Item> held(const Key& key) const;
  void keep(const Key& key, const std::shared_ptr<const Item>& item);

  /// Drawn for each store, so that nobody can prepare constants that are taken for others.
  std::array<std::uint64_t, 4> secrets_{};
  mutable std::mutex mutex_;
  std::map<Key, std::weak_ptr<const Item>> items_;
};

}  // namespace narrows::executor
