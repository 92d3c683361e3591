#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "narrows/engine/executor/layout.h"
#include "narrows/engine/executor/team.h"

namespace narrows::executor {

/// A nest of loops over several tensors of one shape, with as few and as long loops as their
/// strides allow. Operand 0 decides the order: its smallest stride is innermost.
template <std::size_t kOperands>
class LoopNest {
 public:
  using Offsets = std::array<std::int64_t, kOperands>;

  LoopNest() = default;
  explicit LoopNest(const std::array<Layout, kOperands>& operands);

  /// Elements of an innermost loop and its strides.
  std::int64_t innerCount() const { return inner_.count; }
  const Offsets& innerStrides() const { return inner_.strides; }

  /// Calls `body(offsets, count)` for every innermost loop (or a piece of one), with the offset of
  /// its first element in each operand, relative to the operand's first. Work is spread over
  /// `parts`.
  template <class Body>
  void run(Team& team, const Body& body) const;

 private:
  struct Loop {
    std::int64_t count = 1;
    Offsets strides{};
  };

  template <class Body>
  void runPart(std::int64_t begin, std::int64_t end, const Body& body) const;

  std::vector<Loop> outer_;  // outermost first
  std::int64_t outer_count_ = 1;
  Loop inner_;
};

template <std::size_t kOperands>
LoopNest<kOperands>::LoopNest(const std::array<Layout, kOperands>& operands) {
  const Shape& shape = operands[0].shape;
  std::vector<Loop> loops;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    Loop loop{shape[axis], {}};
    for (std::size_t k = 0; k < kOperands; ++k) loop.strides[k] = operands[k].strides[axis];
    loops.push_back(loop);
  }
  const auto magnitude = [](std::int64_t v) { return v < 0 ? -v : v; };
  std::stable_sort(loops.begin(), loops.end(), [&](const Loop& a, const Loop& b) {
    return magnitude(a.strides[0]) > magnitude(b.strides[0]);
  });
  std::vector<Loop> merged;
  for (const Loop& loop : loops) {
    bool joins = !merged.empty();
    for (std::size_t k = 0; joins && k < kOperands; ++k)
      joins = merged.back().strides[k] == loop.strides[k] * loop.count;
    if (joins) {
      merged.back().count *= loop.count;
      merged.back().strides = loop.strides;
    } else {
      merged.push_back(loop);
    }
  }
  if (!merged.empty()) {
    inner_ = merged.back();
    merged.pop_back();
  }
  outer_ = std::move(merged);
  for (const Loop& loop : outer_) outer_count_ *= loop.count;
}

template <std::size_t kOperands>
template <class Body>
void LoopNest<kOperands>::runPart(std::int64_t begin, std::int64_t end, const Body& body) const {
  std::array<std::int64_t, Shape::kMaxRank> index{};
  Offsets offsets{};
  std::int64_t rest = begin;
  for (std::size_t i = outer_.size(); i-- > 0;) {
    index[i] = rest % outer_[i].count;
    rest /= outer_[i].count;
    for (std::size_t k = 0; k < kOperands; ++k) offsets[k] += index[i] * outer_[i].strides[k];
  }
  for (std::int64_t n = begin; n < end; ++n) {
    body(offsets, inner_.count);
    for (std::size_t i = outer_.size(); i-- > 0;) {
      for (std::size_t k = 0; k < kOperands; ++k) offsets[k] += outer_[i].strides[k];
      if (++index[i] < outer_[i].count) break;
      index[i] = 0;
      for (std::size_t k = 0; k < kOperands; ++k)
        offsets[k] -= outer_[i].strides[k] * outer_[i].count;
    }
  }
}

template <std::size_t kOperands>
template <class Body>
void LoopNest<kOperands>::run(Team& team, const Body& body) const {
  constexpr std::int64_t kSmall = 8192;  // below this a second thread costs more than it brings
  const std::size_t parts = outer_count_ * inner_.count < kSmall ? 1 : team.size();
  if (outer_count_ >= static_cast<std::int64_t>(parts)) {
    team.run(parts, [&](std::size_t part) {
      const Share range = share(outer_count_, part, parts);
      runPart(range.begin, range.end, body);
    });
    return;
  }
  team.run(parts, [&](std::size_t part) {
    const Share range = share(inner_.count, part, parts);
    runPart(0, outer_count_, [&](Offsets offsets, std::int64_t) {
      for (std::size_t k = 0; k < kOperands; ++k) offsets[k] += range.begin * inner_.strides[k];
      body(offsets, range.end - range.begin);
    });
  });
}

}  // namespace narrows::executor
