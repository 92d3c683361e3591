#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "narrows/codec/context_grid.h"
#include "narrows/codec/context_loops.h"
#include "narrows/codec/context_tables.h"

namespace narrows {

/// Guesses planes from planes coded before them. A guess is a plane of units: where a unit has
/// several symbols each of them is guessed, else it is a level, the number of thresholds that the
/// weighted sum of what the terms see lies above. Values are symbols, from 5 bits on their top
/// four bits; beyond a plane's ends, in the order of the symbols, they are 0.
class ContextGuesser {
 public:
  ContextGuesser(const ContextGrid& grid, std::vector<ContextPlane> planes, context::Loops loops);

  const ContextPlane& plane(std::size_t index) const { return planes_[index]; }
  bool hasGuess(std::size_t index) const { return !planes_[index].terms.empty(); }

  /// Planes by stage.
  std::vector<std::size_t> order() const;
  /// Orders `live`, planes not of zeros alone by stage, in groups of at most a lane each: every
  /// group takes the first ones whose guesses look at planes before the group alone. `ends` is
  /// where each group ends.
  void formGroups(std::size_t lanes, std::vector<std::size_t>& live,
                  std::vector<std::size_t>& ends);

  /// Takes the values of a plane that guesses may look at; null for zeros alone. Planes that no
  /// guess names are not kept.
  void note(std::size_t index, const std::uint8_t* values);
  /// The guess of a plane, all of whose terms were noted: units, with room for kRowSlack more on
  /// either side. Valid until the next one for the same slot; null without terms.
  const std::uint8_t* guess(std::size_t index, std::size_t slot);

  /// Slots hold guesses side by side.
  void reserveSlots(std::size_t count);

 private:
  /// Values of a plane that guesses name: in place, right + below, left + above.
  struct Seen {
    bool used = false;
    bool live = false;
    /// Filled up with zeros to whole blocks of the loops.
    std::vector<std::uint8_t> here;
    std::vector<std::uint8_t> ahead;
    std::vector<std::uint8_t> behind;
  };

  const ContextGrid& grid_;
  std::vector<ContextPlane> planes_;
  std::vector<Seen> seen_;
  context::Loops loops_;
  /// Planes that guesses may look at.
  std::vector<bool> known_;
  std::vector<std::uint8_t> levels_;
  std::vector<std::vector<std::uint8_t>> slots_;
};

}  // namespace narrows
