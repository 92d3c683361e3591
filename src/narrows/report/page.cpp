#include "narrows/report/page.h"

#include <array>
#include <nlohmann/json.hpp>

namespace narrows {
namespace {

/// JSON without a character that HTML could read as markup.
std::string forScript(const nlohmann::ordered_json& document) {
  const std::string text = document.dump();
  std::string safe;
  safe.reserve(text.size());
  for (char c : text) {
    if (c == '<') {
      safe += "\\u003c";
    } else if (c == '>') {
      safe += "\\u003e";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

Result<std::string> makePage(std::string_view shell, std::string_view document,
                             const PageLibraries& libraries) {
  const auto parsed = nlohmann::ordered_json::parse(document, nullptr, false);
  if (!parsed.is_object()) return makeError("expected a JSON object, as explore --json prints it");
  const std::array<std::pair<std::string_view, std::string>, 4> parts{
      {{"@DOCUMENT@", forScript(parsed)},
       {"@VEGA@", libraries.vega},
       {"@VEGA_LITE@", libraries.vega_lite},
       {"@VEGA_EMBED@", libraries.vega_embed}}};
  std::string page;
  for (const auto& [mark, content] : parts) {
    const std::size_t at = shell.find(mark);
    if (at == std::string_view::npos) return makeError("the page's shell lacks {}", mark);
    if (content.find("</script") != std::string::npos)
      return makeError("what belongs at {} would end its script element", mark);
    page += shell.substr(0, at);
    page += content;
    shell.remove_prefix(at + mark.size());
  }
  page += shell;
  return page;
}

}  // namespace narrows
