#pragma once

#include <array>
#include <cstdint>

namespace narrows {

constexpr int kGlyphColumns = 5;
constexpr int kGlyphRows = 7;

/// Columns of a character, left to right; bit r is set where row r (0 on top) has ink.
using Glyph = std::array<std::uint8_t, kGlyphColumns>;

/// The glyph of a printable ASCII character; that of '?' for any other.
const Glyph& glyphOf(char character);

}  // namespace narrows
