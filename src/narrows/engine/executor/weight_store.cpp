#include "narrows/engine/executor/weight_store.h"

#include <cstring>
#include <random>

namespace narrows::executor {
namespace {

/// Both halves of a product, folded (Wang Yi, wyhash, 2019).
std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

WeightStore::WeightStore() {
  std::random_device device;
  for (std::uint64_t& secret : secrets_) secret = (std::uint64_t{device()} << 32 | device()) | 1;
}

WeightStore::Digest WeightStore::digest(std::span<const ByteSpan> constants) const {
  Digest sums{secrets_[0], secrets_[1]};
  const auto add = [&](std::uint64_t x, std::uint64_t y) {
    sums[0] = fold(x ^ sums[0], y ^ secrets_[2]);
    sums[1] = fold(x ^ secrets_[3], y ^ sums[1]);
  };
  for (const ByteSpan constant : constants) {
    constexpr std::size_t kBlock = 16;
    std::size_t at = 0;
    std::array<std::uint64_t, 2> block{};
    for (; at + kBlock <= constant.size(); at += kBlock) {
      std::memcpy(block.data(), constant.data() + at, kBlock);
      add(block[0], block[1]);
    }
    block = {};
    if (at < constant.size()) std::memcpy(block.data(), constant.data() + at, constant.size() - at);
    add(block[0], block[1]);
    add(constant.size(), sums[0]);
  }
  return sums;
}

std::shared_ptr<const WeightStore::Item> WeightStore::held(const Key& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = items_.find(key);
  return found == items_.end() ? nullptr : found->second.lock();
}

void WeightStore::keep(const Key& key, const std::shared_ptr<const Item>& item) {
  const std::lock_guard lock(mutex_);
  std::erase_if(items_, [](const auto& entry) { return entry.second.expired(); });
  items_[key] = item;
}

std::size_t WeightStore::size() const {
  const std::lock_guard lock(mutex_);
  std::size_t count = 0;
  for (const auto& entry : items_) count += entry.second.expired() ? 0 : 1;
  return count;
}

}  // namespace narrows::executor
