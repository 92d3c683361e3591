#pragma once

#include <string_view>

namespace narrows::test {

/// Appends `{"name", "value", "unit", "origin"}` as one JSON line to the file `$NARROWS_FIGURES`;
/// without that variable it does nothing. `scripts/figures` collects the lines, so that a page
/// quotes what a test has measured. The strings hold no character that JSON escapes; `value` is
/// finite.
void recordFigure(std::string_view name, double value, std::string_view unit,
                  std::string_view origin = "measured");

}  // namespace narrows::test
