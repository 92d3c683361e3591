#include "narrows/codec/context_coder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace narrows {
namespace {

/// States lie in [kLowest, 2^32) between units; below it 16 bits are shifted in.
constexpr std::uint32_t kLowest = 1U << 16;
constexpr std::size_t kMaxLanes = 16;
/// Units that pay for a lane: its state costs two bytes beyond its information.
constexpr std::size_t kUnitsPerLane = 1024;
/// Classes with tables.
constexpr std::size_t kTables = kContextClasses - 1;
static_assert(kTables == 8, "one load takes the lengths of all classes");
constexpr std::size_t kLengthsPerSum = 256;

std::size_t laneCount(std::size_t live_planes, std::size_t units_per_plane) {
  const std::size_t wanted = live_planes * units_per_plane / kUnitsPerLane;
  return std::bit_floor(std::clamp<std::size_t>(std::min(wanted, live_planes), 1, kMaxLanes));
}

/// Range of a unit: start in the low half, frequency in the high half.
using Range = std::uint32_t;
constexpr std::uint32_t startOf(Range range) {
  return range & 0xFFFF;
}
constexpr std::uint32_t frequencyOf(Range range) {
  return range >> 16;
}

/// Exact quotients of 32-bit numbers by frequencies: x / f = x * ceil(2^64 / f) >> 64.
const std::vector<std::uint64_t>& reciprocals() {
  static const std::vector<std::uint64_t> kTable = [] {
    std::vector<std::uint64_t> table(kContextTotal + 1, 0);
    for (std::uint64_t f = 2; f <= kContextTotal; ++f) table[f] = ~std::uint64_t{0} / f + 1;
    return table;
  }();
  return kTable;
}

/// Code lengths of frequencies in 1/16 bit, by which the sender chooses; those that do not occur
/// are dear.
const std::vector<std::uint8_t>& codeLengths() {
  static const std::vector<std::uint8_t> kTable = [] {
    std::vector<std::uint8_t> table(kContextTotal + 1, 255);
    for (std::uint32_t f = 1; f <= kContextTotal; ++f) {
      table[f] = static_cast<std::uint8_t>((kContextPrecision - std::log2(f)) * 16 + 0.5);
    }
    return table;
  }();
  return kTable;
}

std::uint32_t quotient(std::uint32_t x, std::uint64_t reciprocal) {
  return static_cast<std::uint32_t>(static_cast<unsigned __int128>(x) * reciprocal >> 64);
}

bool allZero(std::span<const std::uint8_t> units) {
  unsigned any = 0;
  for (const std::uint8_t unit : units) any |= unit;
  return any == 0;
}

/// Adds the lengths of all classes for each unit. At most kLengthsPerSum units, so that 16 bits
/// hold their sums.
#if defined(__SSE2__)
void addLengths(const std::uint8_t* lengths, const std::uint16_t* rows, const std::uint8_t* units,
                std::size_t count, std::array<std::uint32_t, kTables>& sums) {
  const __m128i zero = _mm_setzero_si128();
  __m128i total = zero;
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t entry = static_cast<std::size_t>(rows[k]) * kUnitSymbols + units[k];
    const __m128i eight =
        _mm_loadl_epi64(reinterpret_cast<const __m128i*>(lengths + entry * kTables));
    total = _mm_add_epi16(total, _mm_unpacklo_epi8(eight, zero));
  }
  std::array<std::uint16_t, kTables> part;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(part.data()), total);
  for (std::size_t t = 0; t < kTables; ++t) sums[t] += part[t];
}
#else
void addLengths(const std::uint8_t* lengths, const std::uint16_t* rows, const std::uint8_t* units,
                std::size_t count, std::array<std::uint32_t, kTables>& sums) {
  for (std::size_t k = 0; k < count; ++k) {
    const std::size_t entry = static_cast<std::size_t>(rows[k]) * kUnitSymbols + units[k];
    for (std::size_t t = 0; t < kTables; ++t) sums[t] += lengths[entry * kTables + t];
  }
}
#endif

class RansWriter {
 public:
  RansWriter(const std::vector<std::uint64_t>& reciprocal, std::uint16_t* end)
      : reciprocal_(reciprocal.data()), next_(end) {}

  void put(std::uint32_t& state, Range range) {
    const std::uint32_t frequency = frequencyOf(range);
    std::uint32_t x = state;
    const std::uint64_t limit = static_cast<std::uint64_t>(frequency) << (32 - kContextPrecision);
    const bool full = x >= limit;
    next_[-1] = static_cast<std::uint16_t>(x);
    next_ -= static_cast<std::ptrdiff_t>(full);
    x >>= static_cast<unsigned>(full) * 16;
    // The reciprocal of 1 has no room in 64 bits: its entry is 0.
    const std::uint32_t q = quotient(x, reciprocal_[frequency]) + (frequency == 1 ? x : 0);
    state = (q << kContextPrecision) + (x - q * frequency) + startOf(range);
  }
  void flush(std::uint32_t state) {
    *--next_ = static_cast<std::uint16_t>(state >> 16);
    *--next_ = static_cast<std::uint16_t>(state);
  }
  const std::uint16_t* begin() const { return next_; }

 private:
  const std::uint64_t* reciprocal_;
  std::uint16_t* next_;
};

/// Number of ends of a row that are at most `slot`, thus the unit whose range holds it.
struct ScalarSearch {
  static std::uint32_t find(const std::uint16_t* row, std::uint32_t slot) {
    std::uint32_t unit = 0;
    while (row[unit] <= slot) ++unit;
    return unit;
  }
};

#if defined(__SSE2__)
struct VectorSearch {
  static std::uint32_t find(const std::uint16_t* row, std::uint32_t slot) {
    const __m128i wanted = _mm_set1_epi16(static_cast<short>(slot));
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(row + 8));
    const __m128i above =
        _mm_packs_epi16(_mm_cmpgt_epi16(low, wanted), _mm_cmpgt_epi16(high, wanted));
    return static_cast<std::uint32_t>(
        std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(above))));
  }
};
#else
using VectorSearch = ScalarSearch;
#endif

class ContextCoder final : public LosslessCoder {
 public:
  ContextCoder(const SymbolLayout& layout, const ContextTables& tables, UnitSearch search)
      : LosslessCoder(layout),
        grid_(layout),
        parts_(grid_.lowBits() > 0 ? 2 : 1),
        units_(grid_.unitsPerPlane() * parts_),
        rows_(grid_.rows()),
        search_(search),
        reciprocal_(reciprocals()) {
    copyTables(tables);
  }

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override;
  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override;

 private:
  /// Planes as the grid has them.
  const SymbolLayout& shape() const { return grid_.layout(); }
  void copyTables(const ContextTables& tables);
  std::size_t bestClass(const std::uint16_t* rows, const std::uint8_t* units) const;
  template <class Search>
  Status decodeWith(ByteSpan code, std::span<std::uint8_t> symbols);
  template <class Search>
  Status decodePlanes(const std::uint16_t* next, const std::uint16_t* end,
                      std::uint32_t first_state, std::span<std::uint8_t> symbols);

  /// Class `c` from 1 on, its row `row`, with one entry in front so that the start of a first unit
  /// can be read as the end before it.
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
  std::size_t units_;
  std::size_t rows_;
  UnitSearch search_;
  const std::vector<std::uint64_t>& reciprocal_;
  std::vector<std::uint16_t> ends_;
  std::vector<Range> ranges_;
  /// Code lengths in 1/16 bit; those of all classes for a unit in a context side by side.
  std::vector<std::uint8_t> lengths_;
  std::vector<std::uint16_t> class_ends_;

  std::vector<std::uint8_t> class_of_;
  std::vector<std::size_t> live_;
  std::vector<std::uint8_t> plane_units_;
  std::vector<std::uint16_t> plane_rows_;
  std::vector<Range> pending_;
  std::vector<std::uint16_t> words_;
  std::vector<std::uint16_t> above_;
};

void ContextCoder::copyTables(const ContextTables& tables) {
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

std::size_t ContextCoder::bestClass(const std::uint16_t* rows, const std::uint8_t* units) const {
  std::array<std::uint32_t, kTables> sums{};
  for (std::size_t begin = 0; begin < units_; begin += kLengthsPerSum) {
    const std::size_t count = std::min(kLengthsPerSum, units_ - begin);
    addLengths(lengths_.data(), rows + begin, units + begin, count, sums);
  }
  return 1 + static_cast<std::size_t>(std::min_element(sums.begin(), sums.end()) - sums.begin());
}

Result<bool> ContextCoder::encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                                  ByteVector& out) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) return true;
  const std::size_t planes = shape().planes;
  const std::size_t plane_symbols = shape().height * shape().width;
  const std::size_t plane_units = grid_.unitsPerPlane();
  class_of_.assign(planes, 0);
  live_.clear();
  plane_units_.resize(units_);
  plane_rows_.resize(units_);
  pending_.resize(planes * units_);
  std::uint8_t* high = plane_units_.data();
  std::uint8_t* low = parts_ == 2 ? high + plane_units : nullptr;
  for (std::size_t p = 0; p < planes; ++p) {
    const std::uint8_t* plane = symbols.data() + p * plane_symbols;
    grid_.split(plane, high, low);
    if (allZero(plane_units_)) continue;
    grid_.contexts(high, low, plane_rows_.data(),
                   parts_ == 2 ? plane_rows_.data() + plane_units : nullptr);
    const std::size_t c = bestClass(plane_rows_.data(), high);
    class_of_[p] = static_cast<std::uint8_t>(c);
    const Range* table = ranges(c);
    Range* pending = pending_.data() + live_.size() * units_;
    for (std::size_t part = 0; part < parts_; ++part) {
      for (std::size_t k = 0; k < plane_units; ++k) {
        const std::size_t at = part * plane_units + k;
        pending[k * parts_ + part] =
            table[static_cast<std::size_t>(plane_rows_[at]) * kUnitSymbols + plane_units_[at]];
      }
    }
    live_.push_back(p);
  }

  // Every unit gives at most one word; states two each.
  words_.resize(live_.size() * units_ + planes + 2 * kMaxLanes + 1);
  RansWriter writer(reciprocal_, words_.data() + words_.size());
  const std::size_t lanes = laneCount(live_.size(), units_);
  std::array<std::uint32_t, kMaxLanes> states;
  states.fill(kLowest);
  const std::size_t groups = (live_.size() + lanes - 1) / lanes;
  for (std::size_t g = groups; g-- > 0;) {
    const std::size_t active = std::min(lanes, live_.size() - g * lanes);
    const Range* pending = pending_.data() + g * lanes * units_;
    for (std::size_t k = units_; k-- > 0;) {
      for (std::size_t lane = active; lane-- > 0;) {
        writer.put(states[lane], pending[lane * units_ + k]);
      }
    }
  }
  for (std::size_t lane = lanes; lane-- > 1;) writer.flush(states[lane]);
  for (std::size_t p = planes; p-- > 0;) writer.put(states[0], classRange(p, class_of_[p]));
  writer.flush(states[0]);

  const std::uint16_t* begin = writer.begin();
  const auto bytes = static_cast<std::size_t>(words_.data() + words_.size() - begin) * 2;
  if (bytes > limit) return false;
  const std::size_t at = out.size();
  out.resize(at + bytes);
  std::memcpy(out.data() + at, begin, bytes);
  return true;
}

/// One step of a decoder. Reading past the end gives zeros, which the check of the final states
/// finds.
template <class Search>
std::uint32_t takeUnit(std::uint32_t& state, const std::uint16_t* row, const std::uint16_t*& next) {
  const std::uint32_t slot = state & (kContextTotal - 1);
  const std::uint32_t unit = Search::find(row, slot);
  const std::uint32_t start = row[static_cast<std::ptrdiff_t>(unit) - 1] & (kContextTotal - 1);
  const std::uint32_t frequency = row[unit] - start;
  std::uint32_t x = frequency * (state >> kContextPrecision) + slot - start;
  const bool low = x < kLowest;
  const std::uint32_t refilled = x << 16 | *next;
  next += low ? 1 : 0;
  state = low ? refilled : x;
  return unit;
}

template <class Search>
Status ContextCoder::decodeWith(ByteSpan code, std::span<std::uint8_t> symbols) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) {
    if (code.empty()) return {};
    return makeError("{} bytes for a map without symbols, expected none", code.size());
  }
  const std::size_t planes = shape().planes;
  const std::size_t most = (planes * (units_ + 1) + 2 * kMaxLanes) * 2;
  if (code.size() < 4 || code.size() % 2 != 0 || code.size() > most) {
    return makeError("context code of {} bytes, expected an even number from 4 to {}", code.size(),
                     most);
  }
  // Zeros behind the code for as many words as units could take, so that no step checks for its
  // end.
  const std::size_t words = code.size() / 2;
  words_.resize(words + std::max(planes + 2 * kMaxLanes, grid_.columns() * parts_ * kMaxLanes) + 1);
  std::memcpy(words_.data(), code.data(), code.size());
  std::fill(words_.begin() + static_cast<std::ptrdiff_t>(words), words_.end(), std::uint16_t{0});
  const std::uint16_t* next = words_.data();
  const std::uint16_t* end = next + words;

  std::uint32_t state = next[0] | static_cast<std::uint32_t>(next[1]) << 16;
  next += 2;
  class_of_.resize(planes);
  live_.clear();
  for (std::size_t p = 0; p < planes; ++p) {
    class_of_[p] = static_cast<std::uint8_t>(takeUnit<ScalarSearch>(state, classEnds(p), next));
    if (class_of_[p] >= kContextClasses) {
      return makeError("plane {} of class {}, there are {}", p, class_of_[p], kContextClasses);
    }
    if (class_of_[p] != 0) live_.push_back(p);
  }
  if (next > end) return makeError("the context code ends early, in its classes");
  return decodePlanes<Search>(next, end, state, symbols);
}

template <class Search>
Status ContextCoder::decodePlanes(const std::uint16_t* next, const std::uint16_t* end,
                                  std::uint32_t first_state, std::span<std::uint8_t> symbols) {
  const std::size_t planes = shape().planes;
  const std::size_t plane_symbols = shape().height * shape().width;
  const std::size_t columns = grid_.columns();
  const std::size_t plane_units = grid_.unitsPerPlane();
  const std::size_t lanes = laneCount(live_.size(), units_);
  std::array<std::uint32_t, kMaxLanes> states;
  states.fill(kLowest);
  states[0] = first_state;
  for (std::size_t lane = 1; lane < lanes; ++lane) {
    states[lane] = next[0] | static_cast<std::uint32_t>(next[1]) << 16;
    next += 2;
  }

  for (std::size_t p = 0; p < planes; ++p) {
    if (class_of_[p] != 0) continue;
    std::fill_n(symbols.data() + p * plane_symbols, plane_symbols, std::uint8_t{0});
  }

  plane_units_.resize(units_ * lanes);
  above_.resize(columns * lanes);
  struct Lane {
    const std::uint16_t* table;
    std::uint8_t* high;
    std::uint8_t* low;
    const std::uint16_t* above;
  };
  std::array<Lane, kMaxLanes> lane_of;
  for (std::size_t first = 0; first < live_.size(); first += lanes) {
    const std::size_t active = std::min(lanes, live_.size() - first);
    for (std::size_t i = 0; i < active; ++i) {
      std::uint8_t* high = plane_units_.data() + i * units_;
      lane_of[i] = {ends(class_of_[live_[first + i]]), high, high + plane_units,
                    above_.data() + i * columns};
    }
    for (std::size_t y = 0; y < shape().height; ++y) {
      if (next > end) return makeError("the context code ends early, in row {}", y);
      std::array<std::uint8_t, kMaxLanes> left;
      for (std::size_t i = 0; i < active; ++i) {
        const std::uint8_t* above = lane_of[i].high + y * columns - columns;
        grid_.contextsFromAbove(y, above, above_.data() + i * columns);
        left[i] = grid_.leftOfFirst(y, above);
      }
      for (std::size_t j = 0; j < columns; ++j) {
        const std::size_t k = y * columns + j;
        for (std::size_t i = 0; i < active; ++i) {
          const Lane& lane = lane_of[i];
          const std::size_t row =
              static_cast<std::size_t>(lane.above[j]) + grid_.contextFromLeft(left[i]);
          const auto unit = static_cast<std::uint8_t>(
              takeUnit<Search>(states[i], lane.table + row * kUnitSymbols, next));
          lane.high[k] = unit;
          left[i] = unit;
        }
        if (parts_ == 1) continue;
        for (std::size_t i = 0; i < active; ++i) {
          const Lane& lane = lane_of[i];
          const std::size_t row =
              grid_.lowContext(lane.high[k], j > 0 ? lane.high[k - 1] : std::uint8_t{0},
                               j > 0 ? lane.low[k - 1] : std::uint8_t{0},
                               y > 0 ? lane.high[k - columns] : std::uint8_t{0},
                               y > 0 ? lane.low[k - columns] : std::uint8_t{0});
          lane.low[k] = static_cast<std::uint8_t>(
              takeUnit<Search>(states[i], lane.table + row * kUnitSymbols, next));
        }
      }
    }
    for (std::size_t i = 0; i < active; ++i) {
      grid_.join(lane_of[i].high, lane_of[i].low,
                 symbols.data() + live_[first + i] * plane_symbols);
    }
  }
  if (next != end) {
    return next > end ? makeError("the context code ends early")
                      : makeError("{} bytes follow the context code",
                                  static_cast<std::size_t>(end - next) * 2);
  }
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    if (states[lane] != kLowest) return makeError("the context code is damaged");
  }
  return {};
}

Status ContextCoder::decode(ByteSpan code, std::span<std::uint8_t> symbols) {
  return search_ == UnitSearch::scalar ? decodeWith<ScalarSearch>(code, symbols)
                                       : decodeWith<VectorSearch>(code, symbols);
}

}  // namespace

std::unique_ptr<LosslessCoder> makeContextCoder(const SymbolLayout& layout,
                                                const ContextTables& tables, UnitSearch search) {
  return std::make_unique<ContextCoder>(layout, tables, search);
}

}  // namespace narrows
