#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace narrows {

/// An index that cannot be mixed up with an index of another kind. A default one is invalid.
template <class Tag>
class Id {
 public:
  constexpr Id() = default;
  constexpr explicit Id(std::size_t index) : index_(static_cast<std::uint32_t>(index)) {}

  constexpr bool valid() const { return index_ != kInvalid; }
  constexpr std::size_t index() const { return index_; }
  friend constexpr auto operator<=>(Id, Id) = default;

 private:
  static constexpr std::uint32_t kInvalid = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t index_ = kInvalid;
};

}  // namespace narrows

template <class Tag>
struct std::hash<narrows::Id<Tag>> {
  std::size_t operator()(narrows::Id<Tag> id) const noexcept { return id.index(); }
};
