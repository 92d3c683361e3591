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
  const auto addBytes = grid_.loops().addBytes;
  addBytes(values + 1, values + width, inside, ahead);
  for (std::size_t i = inside; i + 1 < count; ++i) ahead[i] = values[i + 1];
  ahead[count - 1] = 0;
  behind[0] = 0;
  for (std::size_t i = 1; i < std::min(width, count); ++i) behind[i] = values[i - 1];
  if (width < count) addBytes(values + width - 1, values, inside, behind + width);
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
