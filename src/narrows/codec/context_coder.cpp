#include "narrows/codec/context_coder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "narrows/codec/context_guess.h"
#include "narrows/codec/context_lanes.h"
#include "narrows/codec/context_loops.h"

namespace narrows {
namespace {

using context::kLowest;
using context::kMaxLanes;
using context::kSlackWords;
using context::kTables;
using context::Range;
using context::States;

/// Code lengths of frequencies in 1/16 bit, by which the sender chooses; those that do not occur
/// are dear.
const std::vector<std::uint8_t>& codeLengths() {
  static const std::vector<std::uint8_t> kTable = [] {
    std::vector<std::uint8_t> table(kContextTotal + 1, 255);
    for (std::uint32_t f = 1; f <= kContextTotal; ++f) {
      table[f] = static_cast<std::uint8_t>(std::lround((kContextPrecision - std::log2(f)) * 16));
    }
    return table;
  }();
  return kTable;
}

bool allZero(std::span<const std::uint8_t> units) {
  unsigned any = 0;
  for (const std::uint8_t unit : units) any |= unit;
  return any == 0;
}

context::Loops loopsFor(UnitSearch search) {
  switch (search) {
    case UnitSearch::scalar:
      return context::scalarLoops();
    case UnitSearch::avx2:
      return context::avx2Loops();
    case UnitSearch::avx512:
      return context::avx512Loops();
    case UnitSearch::neon:
      return context::neonLoops();
    case UnitSearch::vector:
      break;
  }
  return context::fastestLoops();
}

context::DecodeGroup lanesFor(UnitSearch search) {
  switch (search) {
    case UnitSearch::scalar:
      return nullptr;
    case UnitSearch::avx2:
      return context::avx2DecodeGroup();
    case UnitSearch::avx512:
      return context::avx512DecodeGroup();
    case UnitSearch::neon:
      return context::neonDecodeGroup();
    case UnitSearch::vector:
      break;
  }
  return context::fastestDecodeGroup();
}

class ContextCoder final : public LosslessCoder {
 public:
  ContextCoder(const SymbolLayout& layout, const ContextTables& tables, UnitSearch search)
      : LosslessCoder(layout),
        grid_(layout, search == UnitSearch::scalar ? context::scalarPlaneLoops()
                                                   : context::fastestPlaneLoops()),
        parts_(grid_.lowBits() > 0 ? 2 : 1),
        plane_units_(grid_.unitsPerPlane()),
        units_(plane_units_ * parts_),
        loops_(loopsFor(search)),
        decode_lanes_(parts_ > 1 ? nullptr : lanesFor(search)),
        guesser_(grid_, tables.planes(grid_.layout().planes), loops_) {
    copyTables(tables);
    order_ = guesser_.order();
    guesser_.reserveSlots(kMaxLanes);
    units_of_.resize(shape().planes * units_ + 2 * ContextGrid::kRowSlack);
    contexts_.resize(std::max(units_, laneStride() * kMaxLanes));
    masks_.resize(parts_ == 2 ? grid_.columns() * kMaxLanes : 0);
  }

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override;
  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override;

 private:
  /// Planes as the grid has them.
  const SymbolLayout& shape() const { return grid_.layout(); }
  void copyTables(const ContextTables& tables);
  void encodePlane(std::size_t plane, std::uint16_t* entries);
  /// The code of the planes in `live_`, in so many lanes.
  ByteSpan encodePlanes(std::size_t lanes);
  Status decodePlanes(const std::uint16_t* next, const std::uint16_t* end,
                      std::uint32_t first_state, std::size_t bytes,
                      std::span<std::uint8_t> symbols);
  const std::uint16_t* decodeGroup(std::size_t first, std::size_t last, States& states,
                                   const std::uint16_t* next, const std::uint16_t* end);

  std::uint8_t* highOf(std::size_t plane) {
    return units_of_.data() + ContextGrid::kRowSlack + plane * units_;
  }
  std::size_t laneStride() const { return grid_.columns() + ContextGrid::kRowSlack; }
  std::uint8_t* lowOf(std::size_t plane) {
    return parts_ == 2 ? highOf(plane) + plane_units_ : nullptr;
  }
  /// What guesses look at.
  const std::uint8_t* valuesOf(std::size_t plane, std::span<const std::uint8_t> symbols) {
    return parts_ == 2 ? highOf(plane) : symbols.data() + plane * shape().height * shape().width;
  }
  /// Ends of class `c` from 1 on, with one entry in front so that the start of a first unit can be
  /// read as the end before it.
  const std::uint16_t* ends(std::size_t c) const {
    return ends_.data() + 1 + (c - 1) * rows_ * kUnitSymbols;
  }
  const Range* ranges(std::size_t c) const {
    return ranges_.data() + (c - 1) * rows_ * kUnitSymbols;
  }
  const std::uint16_t* classEnds(std::size_t plane) const {
    return class_ends_.data() + 1 + plane * kUnitSymbols;
  }
  Range classRange(std::size_t plane, std::size_t c) const {
    const std::uint16_t* row = classEnds(plane);
    const std::uint32_t start = c == 0 ? 0 : row[c - 1];
    return start | (row[c] - start) << 16;
  }

  ContextGrid grid_;
  std::size_t parts_;
  std::size_t plane_units_;
  std::size_t units_;
  context::Loops loops_;
  /// For planes side by side, or null: then row by row.
  context::DecodeGroup decode_lanes_;

  std::size_t rows_ = 0;
  std::size_t high_rows_ = 0;
  std::vector<std::uint8_t> row_of_;
  std::vector<std::uint8_t> low_row_of_;
  /// Entry of a unit 0 in the row of each context, and of each low one.
  std::vector<std::uint16_t> first_entry_;
  std::vector<std::uint16_t> low_first_entry_;
  std::vector<std::uint16_t> ends_;
  std::vector<Range> ranges_;
  /// Code lengths in 1/16 bit; those of all classes for a unit in a row side by side.
  std::vector<std::uint8_t> lengths_;
  std::vector<std::uint16_t> class_ends_;
  ContextGuesser guesser_;
  /// Planes by stage.
  std::vector<std::size_t> order_;

  std::vector<std::uint8_t> class_of_;
  /// Planes of a map that are not zeros alone, in the order in which they are coded, and where each
  /// group of them ends.
  std::vector<std::size_t> live_;
  std::vector<std::size_t> group_ends_;
  /// The same before they are put into groups, for an encoder that tries again.
  std::vector<std::size_t> ordered_;
  /// Units of all planes of a map: high, then low, of each.
  std::vector<std::uint8_t> units_of_;
  /// Contexts, or parts of them.
  std::vector<std::uint16_t> contexts_;
  std::vector<std::uint16_t> masks_;
  /// Of the live planes' units, in the order in which the decoder takes them; and where those of a
  /// plane begin.
  std::vector<std::uint16_t> entries_;
  std::vector<std::size_t> entries_of_;
  std::vector<std::uint16_t> words_;
  context::RowsToDecode row_task_;
  context::GroupToDecode group_task_;
};

void ContextCoder::copyTables(const ContextTables& tables) {
  rows_ = tables.units(1).size();
  high_rows_ = tables.highRows();
  row_of_.assign(tables.rowOf().begin(), tables.rowOf().end());
  low_row_of_.assign(tables.lowRowOf().begin(), tables.lowRowOf().end());
  for (const std::uint8_t row : row_of_)
    first_entry_.push_back(static_cast<std::uint16_t>(row * kUnitSymbols));
  for (const std::uint8_t row : low_row_of_)
    low_first_entry_.push_back(static_cast<std::uint16_t>((high_rows_ + row) * kUnitSymbols));
  const std::size_t entries = kTables * rows_ * kUnitSymbols;
  ends_.assign(entries + 1, static_cast<std::uint16_t>(kContextTotal));
  ranges_.resize(entries);
  lengths_.resize(entries);
  const std::vector<std::uint8_t>& length_of = codeLengths();
  for (std::size_t c = 1; c < kContextClasses; ++c) {
    for (std::size_t row = 0; row < rows_; ++row) {
      const ContextTables::Row& source = tables.units(c)[row];
      const std::size_t at = ((c - 1) * rows_ + row) * kUnitSymbols;
      for (std::size_t u = 0; u < kUnitSymbols; ++u) {
        const std::uint32_t start = u == 0 ? 0 : source[u - 1];
        const std::uint32_t frequency = source[u] - start;
        ends_[1 + at + u] = source[u];
        ranges_[at + u] = start | frequency << 16;
        lengths_[(row * kUnitSymbols + u) * kTables + c - 1] = length_of[frequency];
      }
    }
  }
  class_ends_.assign(1 + shape().planes * kUnitSymbols, static_cast<std::uint16_t>(kContextTotal));
  for (std::size_t p = 0; p < shape().planes; ++p) {
    const ContextTables::Row& source = tables.planeClasses(p);
    std::copy(source.begin(), source.end(), class_ends_.begin() + 1 + p * kUnitSymbols);
  }
}

/// Lists the entries of a plane in the order in which the decoder takes them, and chooses the class
/// in which it has the shortest code, that of the class included.
void ContextCoder::encodePlane(std::size_t plane, std::uint16_t* entries) {
  const std::uint8_t* high = highOf(plane);
  const std::uint8_t* low = lowOf(plane);
  const std::uint16_t* contexts = contexts_.data();
  const std::uint16_t* low_contexts = contexts + plane_units_;
  grid_.planeContexts(high, low, guesser_.guess(plane, 0), contexts_.data(),
                      parts_ == 2 ? contexts_.data() + plane_units_ : nullptr);
  context::ClassSums sums{};
  std::uint16_t* out = entries;
  const auto list = [&](const std::vector<std::uint16_t>& first_entry,
                        const std::uint16_t* contexts_of, const std::uint8_t* units,
                        std::size_t count) {
    for (std::size_t begin = 0; begin < count; begin += context::kMostListed) {
      const std::size_t some = std::min(context::kMostListed, count - begin);
      loops_.list({first_entry.data(), lengths_.data(), contexts_of + begin, units + begin, some},
                  out, sums);
      out += some;
    }
  };
  if (parts_ == 1) {
    list(first_entry_, contexts, high, plane_units_);
  } else {
    const std::size_t columns = grid_.columns();
    for (std::size_t k = 0; k < plane_units_; k += columns) {
      list(first_entry_, contexts + k, high + k, columns);
      list(low_first_entry_, low_contexts + k, low + k, columns);
    }
  }
  const std::vector<std::uint8_t>& length_of = codeLengths();
  for (std::size_t t = 0; t < kTables; ++t) sums[t] += length_of[classRange(plane, t + 1) >> 16];
  class_of_[plane] =
      static_cast<std::uint8_t>(1 + (std::min_element(sums.begin(), sums.end()) - sums.begin()));
}

Result<bool> ContextCoder::encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                                  ByteVector& out) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) return true;
  const std::size_t planes = shape().planes;
  const std::size_t plane_symbols = shape().height * shape().width;
  class_of_.assign(planes, 0);
  live_.clear();
  for (const std::size_t p : order_) {
    grid_.split(symbols.data() + p * plane_symbols, highOf(p), lowOf(p));
    const bool live = !allZero(std::span(highOf(p), units_));
    if (live) live_.push_back(p);
    guesser_.note(p, live ? valuesOf(p, symbols) : nullptr);
  }
  entries_.resize(live_.size() * units_);
  entries_of_.resize(planes);
  for (std::size_t i = 0; i < live_.size(); ++i) {
    entries_of_[live_[i]] = i * units_;
    encodePlane(live_[i], entries_.data() + i * units_);
  }
  // More lanes never make a code shorter: where its bytes do not pay for them, those for which they
  // do are the most that can be.
  ordered_ = live_;
  std::size_t lanes = context::laneCount(live_.size(), units_);
  ByteSpan code = encodePlanes(lanes);
  const auto paid = [&] { return context::laneCount(live_.size(), units_, code.size()); };
  while (paid() < lanes) {
    lanes = paid();
    live_ = ordered_;
    code = encodePlanes(lanes);
  }
  if (paid() != lanes || code.size() > limit) return false;
  out.insert(out.end(), code.begin(), code.end());
  return true;
}

ByteSpan ContextCoder::encodePlanes(std::size_t lanes) {
  const std::size_t planes = shape().planes;
  guesser_.formGroups(lanes, live_, group_ends_);
  // Every unit gives at most one word; states two each.
  words_.resize(live_.size() * units_ + planes + 2 * kMaxLanes + kSlackWords);
  std::uint16_t* const end = words_.data() + words_.size();
  std::uint16_t* next = end;
  States states;
  states.fill(kLowest);
  for (std::size_t g = group_ends_.size(); g-- > 0;) {
    const std::size_t first = g > 0 ? group_ends_[g - 1] : 0;
    context::UnitsToEncode group;
    group.steps = units_;
    group.lanes = group_ends_[g] - first;
    for (std::size_t l = 0; l < group.lanes; ++l) {
      group.entries[l] = entries_.data() + entries_of_[live_[first + l]];
      group.ranges[l] = ranges(class_of_[live_[first + l]]);
    }
    next = loops_.encode(group, states, next);
  }
  const auto flush = [&](std::uint32_t state) {
    *--next = static_cast<std::uint16_t>(state >> 16);
    *--next = static_cast<std::uint16_t>(state);
  };
  for (std::size_t lane = lanes; lane-- > 1;) flush(states[lane]);
  for (std::size_t p = planes; p-- > 0;) {
    context::putUnit(context::reciprocals().data(), states[0], classRange(p, class_of_[p]), next);
  }
  flush(states[0]);
  return std::as_bytes(std::span<const std::uint16_t>(next, end));
}

Status ContextCoder::decode(ByteSpan code, std::span<std::uint8_t> symbols) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) {
    if (code.empty()) return {};
    return makeError("{} bytes for a map without symbols, expected none", code.size());
  }
  // Errors leave symbols that are below 2^bits.
  std::fill(symbols.begin(), symbols.end(), std::uint8_t{0});
  const std::size_t planes = shape().planes;
  const std::size_t most = (planes * (units_ + 1) + 2 * kMaxLanes) * 2;
  if (code.size() < 4 || code.size() % 2 != 0 || code.size() > most) {
    return makeError("context code of {} bytes, expected an even number from 4 to {}", code.size(),
                     most);
  }
  // Zeros behind the code for as many words as are taken between two checks for its end.
  const std::size_t words = code.size() / 2;
  words_.resize(words + std::max(planes + 2 * kMaxLanes, grid_.columns() * kMaxLanes) +
                kSlackWords);
  std::memcpy(words_.data(), code.data(), code.size());
  std::fill(words_.begin() + static_cast<std::ptrdiff_t>(words), words_.end(), std::uint16_t{0});
  const std::uint16_t* next = words_.data();
  const std::uint16_t* end = next + words;

  std::uint32_t state = next[0] | static_cast<std::uint32_t>(next[1]) << 16;
  next += 2;
  class_of_.resize(planes);
  for (std::size_t p = 0; p < planes; ++p) {
    const std::uint32_t c = context::takeUnit(state, classEnds(p), next);
    if (c >= kContextClasses) {
      return makeError("plane {} of class {}, there are {}", p, c, kContextClasses);
    }
    class_of_[p] = static_cast<std::uint8_t>(c);
  }
  if (next > end) return makeError("the context code ends early, in its classes");
  return decodePlanes(next, end, state, code.size(), symbols);
}

Status ContextCoder::decodePlanes(const std::uint16_t* next, const std::uint16_t* end,
                                  std::uint32_t first_state, std::size_t bytes,
                                  std::span<std::uint8_t> symbols) {
  const std::size_t plane_symbols = shape().height * shape().width;
  live_.clear();
  for (const std::size_t p : order_) {
    if (class_of_[p] != 0) {
      live_.push_back(p);
    } else {
      std::fill_n(highOf(p), units_, std::uint8_t{0});
      guesser_.note(p, nullptr);
    }
  }
  const std::size_t lanes = context::laneCount(live_.size(), units_, bytes);
  States states;
  states.fill(kLowest);
  states[0] = first_state;
  for (std::size_t lane = 1; lane < lanes; ++lane) {
    states[lane] = next[0] | static_cast<std::uint32_t>(next[1]) << 16;
    next += 2;
  }
  guesser_.formGroups(lanes, live_, group_ends_);
  std::size_t first = 0;
  for (const std::size_t last : group_ends_) {
    next = decodeGroup(first, last, states, next, end);
    if (next > end) return makeError("the context code ends early");
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t p = live_[i];
      if (!grid_.fillIsZero(highOf(p))) return makeError("plane {} has symbols in its fill", p);
      grid_.join(highOf(p), lowOf(p), symbols.data() + p * plane_symbols);
      guesser_.note(p, valuesOf(p, symbols));
    }
    first = last;
  }
  if (next != end) {
    return makeError("{} bytes follow the context code", static_cast<std::size_t>(end - next) * 2);
  }
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (states[lane] != kLowest) return makeError("the context code is damaged");
  }
  return {};
}

const std::uint16_t* ContextCoder::decodeGroup(std::size_t first, std::size_t last, States& states,
                                               const std::uint16_t* next,
                                               const std::uint16_t* end) {
  const std::size_t columns = grid_.columns();
  row_task_.columns = columns;
  row_task_.lanes = last - first;
  std::array<const std::uint8_t*, kMaxLanes> guesses{};
  for (std::size_t i = first; i < last; ++i) {
    guesses[i - first] = guesser_.guess(live_[i], i - first);
  }
  if (decode_lanes_ != nullptr && last - first >= context::kFewestGroupLanes) {
    group_task_.numbers = grid_.partNumbers();
    group_task_.columns = columns;
    group_task_.height = shape().height;
    group_task_.row_of = row_of_.data();
    group_task_.lanes = last - first;
    group_task_.guess = guesses;
    for (std::size_t i = first; i < last; ++i) {
      group_task_.ends[i - first] = ends(class_of_[live_[i]]);
      group_task_.units[i - first] = highOf(live_[i]);
    }
    return decode_lanes_(group_task_, states, next, end);
  }
  for (std::size_t y = 0; y < shape().height && next <= end; ++y) {
    const std::size_t begin = y * columns;
    row_task_.row_of = row_of_.data();
    row_task_.left_parts = grid_.leftIsPart() ? nullptr : grid_.leftParts().data();
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t p = live_[i];
      context::LaneRow& lane = row_task_.lane[i - first];
      std::uint16_t* parts = contexts_.data() + (i - first) * laneStride();
      std::uint8_t* line = highOf(p) + begin;
      const std::uint8_t* above = y > 0 ? line - columns : nullptr;
      const std::uint8_t* guess = guesses[i - first];
      grid_.parts(y, above, guess == nullptr ? nullptr : guess + begin, parts);
      lane = {ends(class_of_[p]), parts, nullptr, line, grid_.leftOfFirst(y, above)};
    }
    next = loops_.decode(row_task_, states, next);
    if (parts_ == 1 || next > end) continue;
    row_task_.row_of = low_row_of_.data();
    row_task_.left_parts = grid_.lowLeftParts().data();
    for (std::size_t i = first; i < last; ++i) {
      const std::size_t p = live_[i];
      context::LaneRow& lane = row_task_.lane[i - first];
      std::uint16_t* parts = contexts_.data() + (i - first) * laneStride();
      std::uint16_t* masks = masks_.data() + (i - first) * columns;
      const std::uint8_t* high = highOf(p) + begin;
      std::uint8_t* line = lowOf(p) + begin;
      grid_.lowParts(y, high, y > 0 ? high - columns : nullptr, y > 0 ? line - columns : nullptr,
                     parts, masks);
      lane = {ends(class_of_[p]) + high_rows_ * kUnitSymbols, parts, masks, line, 0};
    }
    next = loops_.decode(row_task_, states, next);
  }
  return next;
}

}  // namespace

std::vector<UnitSearch> unitSearches() {
  std::vector<UnitSearch> searches = {UnitSearch::scalar};
  if (context::hasAvx2()) searches.push_back(UnitSearch::avx2);
  if (context::hasAvx512()) searches.push_back(UnitSearch::avx512);
  if (context::hasNeon()) searches.push_back(UnitSearch::neon);
  return searches;
}

std::unique_ptr<LosslessCoder> makeContextCoder(const SymbolLayout& layout,
                                                const ContextTables& tables, UnitSearch search) {
  return std::make_unique<ContextCoder>(layout, tables, search);
}

}  // namespace narrows
