#include "narrows/cli/interface_options.h"

#include <algorithm>
#include <charconv>
#include <ranges>
#include <set>

namespace narrows {
namespace {

Result<int> parseInteger(std::string_view text, std::string_view what) {
  int value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc() || end != text.data() + text.size())
    return makeError("{}: \"{}\" is no number", what, text);
  return value;
}

Result<int> parseWidth(std::string_view text) {
  NARROWS_TRY(width, parseInteger(text, "--bits"));
  if (width < 1 || width > 8) return makeError("--bits: {} is not in 1 to 8", width);
  return width;
}

}  // namespace

Result<std::vector<int>> parseBits(const std::string& text) {
  std::set<int> widths;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    const std::size_t dash = part.find('-');
    NARROWS_TRY(first, parseWidth(part.substr(0, dash)));
    int last = first;
    if (dash != std::string_view::npos) {
      NARROWS_TRY(end, parseWidth(part.substr(dash + 1)));
      last = end;
    }
    if (last < first) return makeError("--bits: {} is empty", part);
    for (int width = first; width <= last; ++width) widths.insert(width);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  return std::vector<int>(widths.begin(), widths.end());
}

Result<CoderParams> parseCoder(const std::string& text) {
  const std::size_t colon = text.find(':');
  CoderParams coder;
  NARROWS_TRY(kind, parseCoderKind(text.substr(0, colon)).within("--coder"));
  coder.kind = kind;
  if (colon != std::string::npos) {
    const std::string_view level_text = std::string_view(text).substr(colon + 1);
    if (level_text == "max") {
      coder.level = levelRange(kind).highest;
      return coder;
    }
    NARROWS_TRY(level, parseInteger(level_text, "--coder"));
    coder.level = level;
  }
  return coder;
}

std::string coderName(const CoderParams& coder) {
  return coder.level < 0 ? std::string(toString(coder.kind))
                         : fmt::format("{}:{}", toString(coder.kind), coder.level);
}

Result<std::vector<QuantizerSpec>> makeQuantizers(const std::string& kind_name,
                                                  const std::string& bits,
                                                  const std::string& granularity_name) {
  NARROWS_TRY(kind, parseQuantizerKind(kind_name).within("--quantizer"));
  NARROWS_TRY(granularity, parseGranularity(granularity_name).within("--granularity"));
  if (kind == QuantizerKind::none)
    return std::vector<QuantizerSpec>{{kind, 8, Granularity::tensor}};
  if (kind == QuantizerKind::two_level) return std::vector<QuantizerSpec>{{kind, 1, granularity}};
  NARROWS_TRY(widths, parseBits(bits));
  // One table serves the tensor.
  if (kind == QuantizerKind::levels) granularity = Granularity::tensor;
  std::vector<QuantizerSpec> specs;
  // Widest first: the order in which one narrows a cut.
  for (const int width : std::views::reverse(widths)) specs.push_back({kind, width, granularity});
  return specs;
}

void addInterfaceOptions(CLI::App& app, InterfaceOptions& options) {
  app.add_option("--bits", options.bits, "Widths: 4, 1-8 or 1,2,4")->capture_default_str();
  app.add_option("--quantizer", options.quantizers,
                 "uniform, two_level, levels or none; may be repeated")
      ->capture_default_str();
  app.add_option("--granularity", options.granularity,
                 "One range for the tensor or for each channel")
      ->capture_default_str();
  app.add_option(
         "--coder", options.coders,
         "raw, deflate, lzma, zstd or context, with :LEVEL or :max if wanted; may be repeated")
      ->capture_default_str();
  app.add_option("--jpeg-quality", options.jpeg_quality, "Of the picture sent as JPEG")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
}

Result<std::vector<QuantizerChoice>> chooseQuantizers(const InterfaceOptions& options) {
  std::vector<QuantizerChoice> choices;
  for (const std::string& kind : options.quantizers) {
    NARROWS_TRY(specs, makeQuantizers(kind, options.bits, options.granularity));
    for (const QuantizerSpec& spec : specs) choices.push_back({kind, spec});
  }
  return choices;
}

Result<std::vector<CoderParams>> chooseCoders(const InterfaceOptions& options) {
  std::vector<CoderParams> coders;
  for (const std::string& name : options.coders) {
    NARROWS_TRY(coder, parseCoder(name));
    coders.push_back(coder);
  }
  return coders;
}

}  // namespace narrows
