#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "narrows/base/origin.h"

namespace narrows {

/// What a figure of a profile rests on.
enum class Ground : std::uint8_t {
  measured,
  /// Printed or plotted in the source.
  published,
  /// Computed from published figures; the source says how.
  derived,
  /// Not found; the source says why this value.
  assumed,
};

std::string_view toString(Ground ground);

/// A figure of the ground: derived and assumed ones count as modelled.
constexpr Origin originOf(Ground ground) {
  return ground == Ground::measured    ? Origin::measured
         : ground == Ground::published ? Origin::published
                                       : Origin::modelled;
}

/// Origin of what is computed from two figures: theirs when they agree, else modelled.
constexpr Origin combine(Origin a, Origin b) {
  return a == b ? a : Origin::modelled;
}

/// One figure of a profile as its file states it, for lists.
struct ProfileFigure {
  /// Table and key, such as "power.transmit_mw".
  std::string key;
  double value = 0;
  std::string unit;
  Ground ground = Ground::assumed;
  std::string source;
};

}  // namespace narrows
