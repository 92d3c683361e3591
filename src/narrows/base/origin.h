#pragma once

#include <string_view>

namespace narrows {

/// Where a number comes from; printed beside every figure.
enum class Origin { measured, simulated, modelled, published };

constexpr std::string_view toString(Origin origin) {
  switch (origin) {
    case Origin::measured:
      return "measured";
    case Origin::simulated:
      return "simulated";
    case Origin::modelled:
      return "modelled";
    case Origin::published:
      return "published";
  }
  return "unknown";
}

}  // namespace narrows
