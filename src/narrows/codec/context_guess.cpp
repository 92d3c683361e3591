#include "narrows/codec/context_guess.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace narrows {

ContextGuesser::ContextGuesser(const ContextGrid& grid, std::vector<ContextPlane> planes,
                               context::Loops loops)
    : grid_(grid), planes_(std::move(planes)), seen_(planes_.size()), loops_(loops) {
  const std::size_t count =
      (grid.layout().height * grid.layout().width + context::kGuessBlock - 1) /
      context::kGuessBlock * context::kGuessBlock;
  bool any = false;
  for (const ContextPlane& plane : planes_) {
    for (const GuessTerm& term : plane.terms) {
      any = true;
      Seen& seen = seen_[term.plane];
      seen.used = true;
      seen.here.resize(count);
      seen.ahead.resize(count);
      seen.behind.resize(count);
    }
  }
  if (any) levels_.resize(count);
}

std::vector<std::size_t> ContextGuesser::order() const {
  std::vector<std::size_t> order;
  order.reserve(planes_.size());
  for (std::size_t stage = 0; stage < ContextTables::kStages; ++stage) {
    for (std::size_t p = 0; p < planes_.size(); ++p) {
      if (planes_[p].stage == stage) order.push_back(p);
    }
  }
  return order;
}

void ContextGuesser::formGroups(std::size_t lanes, std::vector<std::size_t>& live,
                                std::vector<std::size_t>& ends) {
  const auto ready = [&](std::size_t plane) {
    const std::vector<GuessTerm>& terms = planes_[plane].terms;
    return std::all_of(terms.begin(), terms.end(),
                       [&](const GuessTerm& term) { return known_[term.plane]; });
  };
  known_.assign(planes_.size(), true);
  for (const std::size_t p : live) known_[p] = false;
  ends.clear();
  for (std::size_t first = 0; first < live.size();) {
    std::size_t last = first;
    for (std::size_t i = first; i < live.size() && last - first < lanes; ++i) {
      if (!ready(live[i])) continue;
      const auto at = live.begin() + static_cast<std::ptrdiff_t>(i);
      std::rotate(live.begin() + static_cast<std::ptrdiff_t>(last), at, at + 1);
      ++last;
    }
    for (std::size_t i = first; i < last; ++i) known_[live[i]] = true;
    ends.push_back(last);
    first = last;
  }
}

void ContextGuesser::reserveSlots(std::size_t count) {
  slots_.resize(count);
  for (auto& slot : slots_) slot.resize(grid_.unitsPerPlane() + 2 * ContextGrid::kRowSlack);
}

void ContextGuesser::note(std::size_t index, const std::uint8_t* values) {
  Seen& seen = seen_[index];
  if (!seen.used) return;
  seen.live = values != nullptr;
  if (!seen.live) return;
  const std::size_t count = grid_.layout().height * grid_.layout().width;
  const std::size_t width = grid_.layout().width;
  std::memcpy(seen.here.data(), values, count);
  std::uint8_t* ahead = seen.ahead.data();
  std::uint8_t* behind = seen.behind.data();
  const std::size_t inside = count - width;
  const auto add = grid_.loops().add_bytes;
  add(values + 1, values + width, inside, ahead);
  for (std::size_t i = inside; i + 1 < count; ++i) ahead[i] = values[i + 1];
  ahead[count - 1] = 0;
  behind[0] = 0;
  for (std::size_t i = 1; i < std::min(width, count); ++i) behind[i] = values[i - 1];
  if (width < count) add(values + width - 1, values, inside, behind + width);
}

const std::uint8_t* ContextGuesser::guess(std::size_t index, std::size_t slot) {
  const ContextPlane& plane = planes_[index];
  if (plane.terms.empty()) return nullptr;
  context::GuessTask task;
  task.count = levels_.size();
  task.thresholds = plane.thresholds;
  for (const GuessTerm& term : plane.terms) {
    const Seen& seen = seen_[term.plane];
    if (!seen.live) continue;
    task.input[task.inputs++] = {seen.here.data(), seen.ahead.data(), seen.behind.data(),
                                 term.here,        term.ahead,        term.behind};
  }
  loops_.guess(task, levels_.data());
  std::uint8_t* units = slots_[slot].data() + ContextGrid::kRowSlack;
  grid_.splitHigh(levels_.data(), units);
  return units;
}

}  // namespace narrows
