#pragma once

#include <string>
#include <string_view>

#include "narrows/base/result.h"

namespace narrows {

/// JavaScript that a page carries with it.
struct PageLibraries {
  std::string vega;
  std::string vega_lite;
  std::string vega_embed;
};

/// One HTML page with everything in it: `shell` (web/report.html) with the document and the
/// libraries at their marks @DOCUMENT@, @VEGA@, @VEGA_LITE@ and @VEGA_EMBED@. `document` is JSON.
/// Nothing in it can end its script element. Fails on text that is no JSON object, on a shell that
/// lacks a mark and on a library that would end its element.
Result<std::string> makePage(std::string_view shell, std::string_view document,
                             const PageLibraries& libraries);

}  // namespace narrows
