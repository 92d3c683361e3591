#include "bench/codec/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>

#include "narrows/base/median.h"
#include "narrows/codec/frame.h"

namespace narrows::bench {
namespace {

double total(const std::vector<std::size_t>& bytes) {
  return static_cast<double>(std::accumulate(bytes.begin(), bytes.end(), std::size_t{0}));
}
/// Time for all maps, each in its fastest turn: of runs that others disturb the fastest is the
/// least disturbed.
double total(const std::vector<std::vector<double>>& seconds) {
  double sum = 0;
  for (const std::vector<double>& rounds : seconds) {
    sum += *std::min_element(rounds.begin(), rounds.end());
  }
  return sum;
}

double geometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

double greatest(const std::vector<double>& values) {
  return *std::max_element(values.begin(), values.end());
}

double packedMegabytes(const CaseFigures& figures) {
  return static_cast<double>(figures.layout.packedBytes() * figures.maps) * 1e-6;
}

bool isGeneral(Role role) {
  return role == Role::general || role == Role::lzma || role == Role::lzma_small;
}

/// Bytes of the best general coder, chosen for each map anew.
std::optional<std::vector<std::size_t>> bestOfGeneral(const CaseFigures& figures) {
  std::vector<std::size_t> best;
  for (const CoderFigures& coder : figures.coders) {
    if (!isGeneral(coder.role)) continue;
    if (best.empty()) best = coder.bytes;
    for (std::size_t i = 0; i < best.size(); ++i) best[i] = std::min(best[i], coder.bytes[i]);
  }
  if (best.empty()) return std::nullopt;
  return best;
}

/// How many times faster than the other one a coder encodes: median over the maps of the ratio of
/// median turns, which the same others disturb.
double speedRatio(const CoderFigures& coder, const CoderFigures& other) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < coder.bytes.size(); ++i) {
    ratios.push_back(median(other.encode_seconds[i]) / median(coder.encode_seconds[i]));
  }
  return median(std::move(ratios));
}

struct Row {
  double bytes = 0;
  double of_packed = 0;
  std::optional<double> of_lzma;
  double encode_mb_s = 0;
  double decode_mb_s = 0;
  std::optional<double> speed_vs_lzma;
};

Row rowOf(const CaseFigures& figures, const CoderFigures& coder) {
  const double megabytes = packedMegabytes(figures);
  const double bytes = total(coder.bytes);
  Row row;
  row.bytes = bytes / static_cast<double>(figures.maps);
  row.of_packed = bytes / (megabytes * 1e6);
  row.encode_mb_s = megabytes / total(coder.encode_seconds);
  row.decode_mb_s = megabytes / total(coder.decode_seconds);
  if (const CoderFigures* lzma = figures.find(Role::lzma)) {
    row.of_lzma = bytes / total(lzma->bytes);
    row.speed_vs_lzma = speedRatio(coder, *lzma);
  }
  return row;
}

std::string numberOrDash(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "-";
}

/// Whose frame headers are counted: everybody's, as on the wire; ours alone, against bare streams;
/// nobody's.
enum class Framing { all, ours, none };

/// Ratios of our bytes to those of other coders, one for each case.
struct Ratios {
  std::vector<double> lzma;
  std::vector<double> best;
  std::vector<double> adaptive;
  std::vector<double> max_effort;
};

Ratios ratios(const std::vector<CaseFigures>& cases, int lowest, int highest, Framing framing) {
  Ratios result;
  for (const CaseFigures& figures : cases) {
    if (figures.layout.bits < lowest || figures.layout.bits > highest) continue;
    const auto headers = static_cast<double>(figures.framing_bytes * figures.maps);
    const double code = total(figures.find(Role::ours)->bytes);
    const double ours = code + (framing == Framing::none ? 0 : headers);
    const double theirs = framing == Framing::all ? headers : 0;
    if (const CoderFigures* lzma = figures.find(Role::lzma)) {
      result.lzma.push_back(ours / (total(lzma->bytes) + theirs));
    }
    if (const auto best = bestOfGeneral(figures)) {
      result.best.push_back(ours / (total(*best) + theirs));
    }
    if (const CoderFigures* adaptive = figures.find(Role::adaptive)) {
      result.adaptive.push_back(code / total(adaptive->bytes));
    }
    if (const CoderFigures* slower = figures.find(Role::ours_max)) {
      result.max_effort.push_back(total(slower->bytes) / code);
    }
  }
  return result;
}

/// Medians over the cases of 1 to 4 bits.
struct Speeds {
  std::vector<double> encode;
  std::vector<double> decode;
  std::vector<double> scalar;
  std::vector<double> against_lzma;
  std::vector<double> against_small_lzma;
};

Speeds speeds(const std::vector<CaseFigures>& cases) {
  Speeds result;
  for (const CaseFigures& figures : cases) {
    if (figures.layout.bits > 4) continue;
    const CoderFigures& ours = *figures.find(Role::ours);
    const double megabytes = packedMegabytes(figures);
    result.encode.push_back(megabytes / total(ours.encode_seconds));
    result.decode.push_back(megabytes / total(ours.decode_seconds));
    if (const CoderFigures* scalar = figures.find(Role::ours_scalar)) {
      result.scalar.push_back(megabytes / total(scalar->encode_seconds));
    }
    if (const CoderFigures* lzma = figures.find(Role::lzma)) {
      result.against_lzma.push_back(speedRatio(ours, *lzma));
    }
    if (const CoderFigures* lzma = figures.find(Role::lzma_small)) {
      result.against_small_lzma.push_back(speedRatio(ours, *lzma));
    }
  }
  return result;
}

/// Bytes of LZMA's preset as it is by those with a small dictionary, over all maps.
double lzmaBytes(const std::vector<CaseFigures>& cases) {
  double preset = 0;
  double small = 0;
  for (const CaseFigures& figures : cases) {
    if (const CoderFigures* lzma = figures.find(Role::lzma)) preset += total(lzma->bytes);
    if (const CoderFigures* lzma = figures.find(Role::lzma_small)) small += total(lzma->bytes);
  }
  return preset / small;
}

/// Share of the frames under 500 bytes, framing included, that are shorter than the shortest code
/// of the general coders.
std::string smallFrames(const std::vector<CaseFigures>& cases) {
  constexpr std::size_t kSmall = 500;
  std::size_t small = 0;
  std::size_t won = 0;
  for (const CaseFigures& figures : cases) {
    const auto best = bestOfGeneral(figures);
    if (!best) continue;
    const CoderFigures& ours = *figures.find(Role::ours);
    for (std::size_t i = 0; i < ours.bytes.size(); ++i) {
      if (ours.bytes[i] + figures.framing_bytes >= kSmall) continue;
      ++small;
      won += ours.bytes[i] + figures.framing_bytes < (*best)[i] + kFrameHeaderBytes ? 1 : 0;
    }
  }
  return fmt::format(", \"frames_under_500_bytes\": {}, \"of_them_smallest\": {}", small, won);
}

/// The same geometric mean for each group of cases, as more keys of a figure's line.
template <class Choose>
std::string byGroup(const std::vector<CaseFigures>& cases, const Choose& choose) {
  std::map<std::string, std::vector<CaseFigures>> groups;
  for (const CaseFigures& figures : cases) groups[figures.group].push_back(figures);
  std::string text;
  for (const auto& [group, members] : groups) {
    const std::vector<double> values = choose(ratios(members, 1, 4, Framing::all));
    if (!values.empty()) text += fmt::format(", \"{}\": {:.4f}", group, geometricMean(values));
  }
  return text;
}

class FigureLines {
 public:
  void add(std::string_view name, double value, int digits, std::string_view unit,
           std::string_view more = "") {
    text_ += fmt::format(
        "{{\"name\": \"{}\", \"value\": {:.{}f}, \"unit\": \"{}\", \"origin\": "
        "\"measured\"{}}}\n",
        name, value, digits, unit, more);
  }
  std::string take() && { return std::move(text_); }

 private:
  std::string text_;
};

}  // namespace

std::string tableHeading() {
  return fmt::format("{:<54} {:>4} {:>14} {:>4}  {:<20} {:>9} {:>8} {:>7} {:>9} {:>9} {:>8}\n",
                     "maps", "bits", "shape", "n", "coder", "bytes", "/packed", "/lzma", "enc MB/s",
                     "dec MB/s", "x lzma");
}

std::string tableRows(const CaseFigures& figures) {
  const SymbolLayout& layout = figures.layout;
  std::string text;
  for (const CoderFigures& coder : figures.coders) {
    const Row row = rowOf(figures, coder);
    text += fmt::format(
        "{:<54} {:>4} {:>14} {:>4}  {:<20} {:>9.0f} {:>8.3f} {:>7} {:>9.2f} {:>9.2f} {:>8}\n",
        figures.name, layout.bits,
        fmt::format("{}x{}x{}", layout.planes, layout.height, layout.width), figures.maps,
        coder.name, row.bytes, row.of_packed, numberOrDash(row.of_lzma, 3), row.encode_mb_s,
        row.decode_mb_s, numberOrDash(row.speed_vs_lzma, 1));
  }
  return text;
}

std::string jsonRows(const CaseFigures& figures) {
  const SymbolLayout& layout = figures.layout;
  std::string text;
  for (const CoderFigures& coder : figures.coders) {
    const Row row = rowOf(figures, coder);
    text += fmt::format(
        "{{\"maps\": \"{}\", \"bits\": {}, \"planes\": {}, \"height\": {}, \"width\": {}, "
        "\"frames\": {}, \"calibration_frames\": {}, \"coder\": \"{}\", \"bytes\": {:.1f}, "
        "\"ratio_packed\": {:.5f}, \"ratio_lzma\": {}, \"encode_mb_s\": {:.2f}, \"decode_mb_s\": "
        "{:.2f}, \"encode_speed_vs_lzma\": {}, \"framing_bytes\": {}, \"table_bytes\": {}, "
        "\"origin\": \"measured\"}}\n",
        figures.name, layout.bits, layout.planes, layout.height, layout.width, figures.maps,
        figures.calibration_maps, coder.name, row.bytes, row.of_packed,
        row.of_lzma ? fmt::format("{:.5f}", *row.of_lzma) : "null", row.encode_mb_s,
        row.decode_mb_s, row.speed_vs_lzma ? fmt::format("{:.2f}", *row.speed_vs_lzma) : "null",
        figures.framing_bytes, figures.table_bytes);
  }
  return text;
}

std::string summary(const std::vector<CaseFigures>& cases) {
  std::string text = fmt::format(
      "\nAll maps of 1 to 4 bits: geometric mean of bytes, median of speeds\n{:<22} "
      "{:>8} {:>8} {:>9} {:>9}\n",
      "coder", "/packed", "/lzma", "enc MB/s", "dec MB/s");
  if (cases.empty()) return "";
  for (std::size_t c = 0; c < cases[0].coders.size(); ++c) {
    std::vector<double> packed;
    std::vector<double> lzma;
    std::vector<double> encode;
    std::vector<double> decode;
    for (const CaseFigures& figures : cases) {
      if (figures.layout.bits > 4) continue;
      const Row row = rowOf(figures, figures.coders[c]);
      packed.push_back(row.of_packed);
      if (row.of_lzma) lzma.push_back(*row.of_lzma);
      encode.push_back(row.encode_mb_s);
      decode.push_back(row.decode_mb_s);
    }
    if (packed.empty()) return "";
    text += fmt::format("{:<22} {:>8.3f} {:>8} {:>9.2f} {:>9.2f}\n", cases[0].coders[c].name,
                        geometricMean(packed),
                        lzma.empty() ? "-" : fmt::format("{:.3f}", geometricMean(lzma)),
                        median(encode), median(decode));
  }
  return text;
}

std::string figureLines(const std::vector<CaseFigures>& cases) {
  FigureLines lines;
  const Ratios wire = ratios(cases, 1, 4, Framing::all);
  const Ratios bare = ratios(cases, 1, 4, Framing::none);
  const Ratios strict = ratios(cases, 1, 4, Framing::ours);
  // Frames against frames; and how it looks without any header, and with ours alone.
  const auto more = [](double none, double ours) {
    return fmt::format(", \"code_alone\": {:.4f}, \"against_bare_streams\": {:.4f}", none, ours);
  };
  if (!wire.lzma.empty()) {
    const std::string maps = fmt::format(", \"maps\": {}", wire.lzma.size());
    lines.add("bytes_ratio_lzma_geomean", geometricMean(wire.lzma), 4, "ratio",
              more(geometricMean(bare.lzma), geometricMean(strict.lzma)) + maps +
                  byGroup(cases, [](const Ratios& group) { return group.lzma; }));
    lines.add("bytes_ratio_best_geomean", geometricMean(wire.best), 4, "ratio",
              more(geometricMean(bare.best), geometricMean(strict.best)) + maps +
                  byGroup(cases, [](const Ratios& group) { return group.best; }));
    lines.add("bytes_ratio_best_max", greatest(wire.best), 4, "ratio",
              more(greatest(bare.best), greatest(strict.best)));
  }
  if (!bare.adaptive.empty()) {
    lines.add("bytes_over_adaptive_percent", 100 * (geometricMean(bare.adaptive) - 1), 2, "%");
  }
  const Ratios eight = ratios(cases, 8, 8, Framing::all);
  if (!eight.best.empty()) {
    lines.add("bytes_ratio_8bit", geometricMean(eight.best), 4, "ratio",
              fmt::format(", \"max\": {:.4f}, \"ratio_lzma\": {:.4f}", greatest(eight.best),
                          geometricMean(eight.lzma)));
  }
  if (!bare.max_effort.empty()) {
    lines.add("max_effort_gain_percent", 100 * (1 - geometricMean(bare.max_effort)), 2, "%");
  }
  const Speeds measured = speeds(cases);
  if (!measured.encode.empty()) {
    lines.add("encode_mb_s_median", median(measured.encode), 1, "MB/s");
    lines.add("decode_mb_s_median", median(measured.decode), 1, "MB/s");
  }
  if (!measured.against_lzma.empty()) {
    lines.add("encode_speed_vs_lzma", median(measured.against_lzma), 1, "ratio",
              fmt::format(", \"bytes_by_those_of_small_dictionary\": {:.5f}", lzmaBytes(cases)));
    lines.add("encode_speed_vs_lzma_small_dictionary", median(measured.against_small_lzma), 1,
              "ratio");
  }
  if (!measured.scalar.empty()) {
    lines.add("scalar_encode_mb_s", median(measured.scalar), 1, "MB/s");
  }
  std::size_t framing = 0;
  for (const CaseFigures& figures : cases) framing = std::max(framing, figures.framing_bytes);
  lines.add("framing_bytes_max", static_cast<double>(framing), 0, "B", smallFrames(cases));
  std::vector<double> errors;
  for (const CaseFigures& figures : cases) {
    errors.push_back(100 * std::abs(figures.expected_bytes / figures.coded_bytes - 1));
  }
  if (!errors.empty()) {
    lines.add("rate_prediction_error_percent", greatest(errors), 3, "%",
              fmt::format(", \"median\": {:.3f}", median(errors)));
  }
  return std::move(lines).take();
}

}  // namespace narrows::bench
