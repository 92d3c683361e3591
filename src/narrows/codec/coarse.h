#pragma once

#include <cstdint>
#include <span>

/// Symbols of fewer bits for maps whose frame would be too long: as many levels as the narrower
/// width has, spread evenly over those of the wider one, so that the lowest and the highest level
/// stay exactly what they are. Integers alone: the same on every machine.
namespace narrows {

/// coarse = round(symbol (2^kept - 1) / (2^bits - 1)), halves upwards; 1 <= kept < bits <= 8. Both
/// spans have one entry a symbol; asserted.
void coarsenSymbols(std::span<const std::uint8_t> symbols, int bits, int kept,
                    std::span<std::uint8_t> coarse);

/// symbol = round(coarse (2^bits - 1) / (2^kept - 1)), halves upwards, in place.
void refineSymbols(std::span<std::uint8_t> symbols, int kept, int bits);

}  // namespace narrows
