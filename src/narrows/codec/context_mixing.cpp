#include "narrows/codec/context_mixing.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "narrows/codec/context_guess.h"
#include "narrows/codec/context_loops.h"
#include "narrows/codec/context_mixer.h"

namespace narrows {
namespace {

using context::BitReader;
using context::BitWriter;
using context::Counters;
using context::Mixer;
using context::Probability;

constexpr std::size_t kTables = kContextClasses - 1;
/// Models that learn within a map; the others are tables: of the plane's class and of those beside
/// it.
constexpr std::size_t kTablesMixed = 3;
constexpr std::size_t kAdaptive = Mixer::kModels - kTablesMixed;
/// Places in the tree of a unit's bits: 1 at the root, then 2 n + bit.
constexpr std::size_t kNodes = kUnitSymbols;
constexpr std::size_t kLevels = 16;
/// High units without and with a reference plane, and low units, are weighed apart.
constexpr std::size_t kSets = 3;

/// A unit's bits in the order in which they are coded: symbol after symbol, the highest bit first.
struct BitOrder {
  std::size_t count = 0;
  std::array<int, 4> bit{};
};

BitOrder bitOrder(int bits, int symbols) {
  BitOrder order;
  for (int s = 0; s < symbols; ++s) {
    for (int k = bits; k-- > 0;) order.bit[order.count++] = s * bits + k;
  }
  return order;
}

/// Probabilities of the bits of a unit, by node, from the frequencies of units.
std::array<Probability, kNodes> bitProbabilities(const ContextTables::Row& ends,
                                                 const BitOrder& order) {
  std::array<std::uint32_t, kNodes> all{};
  std::array<std::uint32_t, kNodes> set{};
  for (std::size_t unit = 0; unit < kUnitSymbols; ++unit) {
    const std::uint32_t frequency = ends[unit] - (unit == 0 ? 0U : ends[unit - 1]);
    std::size_t node = 1;
    for (std::size_t i = 0; i < order.count; ++i) {
      const std::size_t bit = unit >> order.bit[i] & 1;
      all[node] += frequency;
      if (bit == 1) set[node] += frequency;
      node = 2 * node + bit;
    }
  }
  std::array<Probability, kNodes> result{};
  for (std::size_t node = 1; node < kNodes; ++node) {
    const std::uint32_t share = all[node] == 0 ? 32768 : set[node] * 65536U / all[node];
    result[node] = static_cast<Probability>(std::clamp(share, 16U, 65535U - 16U));
  }
  return result;
}

using FixedOfRow = std::array<const std::array<Probability, kNodes>*, kTablesMixed>;

/// Codes bits in either direction: given to the writer, or taken from the reader.
class BitCoder {
 public:
  explicit BitCoder(BitWriter& writer) : writer_(&writer) {}
  explicit BitCoder(BitReader& reader) : reader_(&reader) {}
  bool code(bool bit, Probability probability) {
    if (reader_ != nullptr) return reader_->take(probability);
    writer_->put(bit, probability);
    return bit;
  }

 private:
  BitWriter* writer_ = nullptr;
  BitReader* reader_ = nullptr;
};

/// Units around one unit; those outside repeat the nearest one inside, or are 0.
struct Surroundings {
  unsigned left = 0, left2 = 0, above = 0, above_left = 0, above_right = 0, above2 = 0;
  unsigned reference = 0, reference_right = 0, reference_below = 0;
  unsigned second = 0;
};

class MixingCoder final : public LosslessCoder {
 public:
  MixingCoder(const SymbolLayout& layout, const ContextTables& tables);
  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override;
  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override;

 private:
  const SymbolLayout& shape() const { return grid_.layout(); }
  std::uint8_t* highOf(std::size_t plane) {
    return units_of_.data() + ContextGrid::kRowSlack + plane * units_;
  }
  std::uint8_t* lowOf(std::size_t plane) { return low_ ? highOf(plane) + plane_units_ : nullptr; }
  const std::uint8_t* referenceOf(std::size_t plane) {
    const std::uint32_t reference = planes_[plane].reference();
    return reference == ContextPlane::kNone ? nullptr : highOf(reference);
  }
  /// What guesses look at.
  const std::uint8_t* valuesOf(std::size_t plane, std::span<const std::uint8_t> symbols) {
    return low_ ? highOf(plane) : symbols.data() + plane * shape().height * shape().width;
  }
  const std::uint8_t* unitsOf(std::optional<std::size_t> plane) {
    return plane.has_value() ? highOf(*plane) : nullptr;
  }
  std::optional<std::size_t> secondFor(std::size_t plane) const;
  void noteCoded(std::size_t plane);
  void reset();
  std::size_t bestClass(std::size_t plane);
  std::size_t codeClass(BitCoder& coder, std::size_t plane, std::size_t c);
  void codePlane(BitCoder& coder, std::size_t plane, std::size_t c);
  Surroundings around(const std::uint8_t* units, std::size_t y, std::size_t x,
                      const std::uint8_t* reference, const std::uint8_t* second) const;
  std::uint8_t codeUnit(BitCoder& coder, std::vector<Counters>& models, const BitOrder& order,
                        std::uint8_t unit, const FixedOfRow& fixed,
                        const std::array<std::size_t, kAdaptive>& contexts, std::size_t set);

  ContextGrid grid_;
  bool low_;
  std::size_t plane_units_;
  std::size_t units_;
  BitOrder high_order_;
  BitOrder low_order_;
  ContextTables tables_;
  std::vector<ContextPlane> planes_;
  ContextGuesser guesser_;
  std::vector<std::size_t> order_;
  /// By class and row.
  std::vector<std::vector<std::array<Probability, kNodes>>> fixed_;
  std::vector<Counters> models_;
  std::vector<Counters> low_models_;
  Mixer mixer_;
  std::optional<std::size_t> last_coded_;
  /// By reference plane, the last plane coded that refers to it.
  std::vector<std::optional<std::size_t>> last_referring_;
  std::vector<std::uint8_t> units_of_;
  std::vector<std::uint16_t> contexts_;
  std::vector<std::uint16_t> parts_;
  std::vector<std::uint16_t> masks_;
};

/// Contexts of each model; nodes are counted apart.
constexpr std::size_t kModelContexts = std::size_t{1} << 16;

MixingCoder::MixingCoder(const SymbolLayout& layout, const ContextTables& tables)
    : LosslessCoder(layout),
      grid_(layout),
      low_(grid_.lowBits() > 0),
      plane_units_(grid_.unitsPerPlane()),
      units_(plane_units_ * (low_ ? 2 : 1)),
      high_order_(bitOrder(grid_.highBits(), grid_.symbolsPerUnit())),
      low_order_(bitOrder(grid_.lowBits(), 1)),
      tables_(tables),
      planes_(tables.planes(grid_.layout().planes)),
      guesser_(grid_, planes_, context::fastestLoops()),
      fixed_(kTables),
      mixer_(kSets * kNodes, kSets * 16),
      units_of_(grid_.layout().planes * units_ + 2 * ContextGrid::kRowSlack),
      contexts_(units_),
      parts_(grid_.columns() + ContextGrid::kRowSlack),
      masks_(grid_.columns()) {
  guesser_.reserveSlots(1);
  for (std::size_t stage = 0; stage < ContextTables::kStages; ++stage) {
    for (std::size_t p = 0; p < planes_.size(); ++p) {
      if (planes_[p].stage == stage) order_.push_back(p);
    }
  }
  for (std::size_t c = 0; c < kTables; ++c) {
    const auto rows = tables.units(c + 1);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      fixed_[c].push_back(
          bitProbabilities(rows[r], r < tables.highRows() ? high_order_ : low_order_));
    }
  }
  models_.assign(kAdaptive, Counters(kModelContexts * kNodes));
  if (low_) low_models_.assign(kAdaptive, Counters(kModelContexts * kNodes));
}

void MixingCoder::reset() {
  for (Counters& model : models_) model.reset();
  for (Counters& model : low_models_) model.reset();
  mixer_.reset();
  last_coded_.reset();
  last_referring_.assign(shape().planes, std::nullopt);
}

std::optional<std::size_t> MixingCoder::secondFor(std::size_t plane) const {
  const std::uint32_t reference = planes_[plane].reference();
  if (reference == ContextPlane::kNone) return std::nullopt;
  const std::uint32_t beyond = planes_[reference].reference();
  if (beyond != ContextPlane::kNone) return beyond;
  if (last_referring_[reference].has_value()) return last_referring_[reference];
  return last_coded_ == reference ? std::nullopt : last_coded_;
}

void MixingCoder::noteCoded(std::size_t plane) {
  last_coded_ = plane;
  const std::uint32_t reference = planes_[plane].reference();
  if (reference != ContextPlane::kNone) last_referring_[reference] = plane;
}

/// The class whose table alone makes the plane smallest.
std::size_t MixingCoder::bestClass(std::size_t plane) {
  grid_.planeContexts(highOf(plane), lowOf(plane), guesser_.guess(plane, 0), contexts_.data(),
                      low_ ? contexts_.data() + plane_units_ : nullptr);
  std::size_t best = 0;
  double best_length = 0;
  for (std::size_t c = 1; c < kContextClasses; ++c) {
    const auto rows = tables_.units(c);
    double length = 0;
    for (std::size_t k = 0; k < units_; ++k) {
      const std::size_t row = k < plane_units_
                                  ? tables_.rowOf()[contexts_[k]]
                                  : tables_.highRows() + tables_.lowRowOf()[contexts_[k]];
      const std::size_t unit = highOf(plane)[k];
      length -=
          std::log2(static_cast<double>(rows[row][unit] - (unit == 0 ? 0 : rows[row][unit - 1])));
    }
    if (best == 0 || length < best_length) {
      best = c;
      best_length = length;
    }
  }
  return best;
}

std::size_t MixingCoder::codeClass(BitCoder& coder, std::size_t plane, std::size_t c) {
  const BitOrder order = bitOrder(4, 1);
  const auto probabilities = bitProbabilities(tables_.planeClasses(plane), order);
  std::size_t node = 1;
  for (std::size_t i = 0; i < order.count; ++i) {
    const bool bit = coder.code((c >> order.bit[i] & 1) != 0, probabilities[node]);
    node = 2 * node + (bit ? 1 : 0);
  }
  return node - kNodes;
}

Surroundings MixingCoder::around(const std::uint8_t* units, std::size_t y, std::size_t x,
                                 const std::uint8_t* reference, const std::uint8_t* second) const {
  const std::size_t columns = grid_.columns();
  const std::size_t at = y * columns + x;
  const bool right = x + 1 < columns;
  Surroundings s;
  s.above = y > 0 ? units[at - columns] : 0U;
  s.left = x > 0 ? units[at - 1] : s.above;
  s.left2 = x > 1 ? units[at - 2] : s.left;
  s.above_left = y > 0 && x > 0 ? units[at - columns - 1] : s.above;
  s.above_right = y > 0 && right ? units[at - columns + 1] : s.above;
  s.above2 = y > 1 ? units[at - 2 * columns] : s.above;
  if (reference != nullptr) {
    s.reference = reference[at];
    s.reference_right = right ? reference[at + 1] : s.reference;
    s.reference_below = y + 1 < shape().height ? reference[at + columns] : s.reference;
  }
  if (second != nullptr) s.second = second[at];
  return s;
}

std::uint8_t MixingCoder::codeUnit(BitCoder& coder, std::vector<Counters>& models,
                                   const BitOrder& order, std::uint8_t unit,
                                   const FixedOfRow& fixed,
                                   const std::array<std::size_t, kAdaptive>& contexts,
                                   std::size_t set) {
  std::size_t node = 1;
  unsigned coded = 0;
  std::array<int, Mixer::kModels> inputs{};
  for (std::size_t i = 0; i < order.count; ++i) {
    for (std::size_t t = 0; t < kTablesMixed; ++t) {
      inputs[t] = context::stretch((*fixed[t])[node]);
    }
    const Probability start = (*fixed[0])[node];
    for (std::size_t m = 0; m < models.size(); ++m) {
      inputs[kTablesMixed + m] =
          context::stretch(models[m].ask(contexts[m] * kNodes + node, start));
    }
    const std::size_t known = 4 * models[0].familiarity(contexts[0] * kNodes + node) +
                              models[5].familiarity(contexts[5] * kNodes + node);
    const Probability probability = mixer_.mix(inputs, set * kNodes + node, set * 16 + known);
    const bool bit = coder.code((unit >> order.bit[i] & 1) != 0, probability);
    mixer_.learn(bit);
    for (std::size_t m = 0; m < models.size(); ++m) {
      models[m].learn(contexts[m] * kNodes + node, bit);
    }
    if (bit) coded |= 1U << order.bit[i];
    node = 2 * node + (bit ? 1 : 0);
  }
  return static_cast<std::uint8_t>(coded);
}

/// Codes the units of a plane: those in place when encoding, into their places when decoding.
void MixingCoder::codePlane(BitCoder& coder, std::size_t plane, std::size_t c) {
  const std::size_t columns = grid_.columns();
  const std::uint8_t* reference = referenceOf(plane);
  const std::uint8_t* guess = guesser_.guess(plane, 0);
  // Planes that the tables do not name, but that may be alike: the last one coded, the reference's
  // own reference, and the last plane with the same reference.
  const std::uint8_t* likely = reference != nullptr ? reference : unitsOf(last_coded_);
  const std::uint8_t* second = unitsOf(secondFor(plane));
  std::uint8_t* high = highOf(plane);
  std::uint8_t* low = lowOf(plane);
  const auto fixed = [&](std::size_t row) {
    const std::size_t below = c > 1 ? c - 2 : c;
    const std::size_t beyond = c < kTables ? c : c - 2;
    return FixedOfRow{&fixed_[c - 1][row], &fixed_[below][row], &fixed_[beyond][row]};
  };
  const std::size_t set = reference == nullptr ? 0 : 1;
  for (std::size_t y = 0; y < shape().height; ++y) {
    std::uint8_t* line = high + y * columns;
    const std::uint8_t* above = y > 0 ? line - columns : nullptr;
    grid_.parts(y, above, guess == nullptr ? nullptr : guess + y * columns, parts_.data());
    unsigned left = grid_.leftOfFirst(y, above);
    for (std::size_t x = 0; x < columns; ++x) {
      const std::size_t context = parts_[x] + grid_.leftParts()[left];
      const Surroundings s = around(high, y, x, likely, second);
      const std::array<std::size_t, kAdaptive> contexts = {
          context & 0xFFFF,
          (plane % kLevels * kLevels + s.left) * 256 + s.above * kLevels + c,
          (s.left << 12 | s.above << 8 | s.above_right << 4 | s.above_left) & 0xFFFF,
          (s.left << 12 | s.above << 8 | s.left2 << 4 | s.above2) & 0xFFFF,
          (s.reference << 12 | s.reference_right << 8 | s.reference_below << 4 | s.left) & 0xFFFF,
          (s.reference << 12 | s.second << 8 | s.left << 4 | s.above) & 0xFFFF,
          (plane & 0xFF) << 8 | static_cast<std::size_t>(tables_.rowOf()[context])};
      line[x] = codeUnit(coder, models_, high_order_, line[x], fixed(tables_.rowOf()[context]),
                         contexts, set);
      left = line[x];
    }
    if (!low_) continue;
    std::uint8_t* low_line = low + y * columns;
    grid_.lowParts(y, line, above, y > 0 ? low_line - columns : nullptr, parts_.data(),
                   masks_.data());
    for (std::size_t x = 0; x < columns; ++x) {
      const unsigned low_left = x > 0 ? low_line[x - 1] : 0U;
      const std::size_t context = parts_[x] + (masks_[x] & grid_.lowLeftParts()[low_left]);
      const Surroundings s = around(high, y, x, likely, second);
      const unsigned up = y > 0 ? *(low_line - columns + x) : 0U;
      const std::size_t row = tables_.lowRowOf()[context];
      const std::array<std::size_t, kAdaptive> contexts = {
          context,
          (static_cast<std::size_t>(line[x]) << 8 | low_left << 4 | up),
          (static_cast<std::size_t>(line[x]) << 8 | s.left << 4 | s.above),
          (static_cast<std::size_t>(line[x]) << 4 | low_left),
          (static_cast<std::size_t>(line[x]) << 4 | up),
          (static_cast<std::size_t>(line[x]) << 4 | s.reference),
          (plane & 0xFF) << 8 | row};
      low_line[x] = codeUnit(coder, low_models_, low_order_, low_line[x],
                             fixed(tables_.highRows() + row), contexts, 2);
    }
  }
  noteCoded(plane);
}

Result<bool> MixingCoder::encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                                 ByteVector& out) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) return true;
  const std::size_t plane_symbols = shape().height * shape().width;
  reset();
  ByteVector code;
  BitWriter writer(code);
  BitCoder coder(writer);
  for (const std::size_t p : order_) {
    grid_.split(symbols.data() + p * plane_symbols, highOf(p), lowOf(p));
    const bool live = std::any_of(highOf(p), highOf(p) + units_, [](auto u) { return u != 0; });
    guesser_.note(p, live ? valuesOf(p, symbols) : nullptr);
    const std::size_t c = live ? bestClass(p) : 0;
    codeClass(coder, p, c);
    if (live) codePlane(coder, p, c);
  }
  writer.finish();
  if (code.size() % 2 == 0) code.push_back(std::byte{0});
  if (code.size() > limit) return false;
  out.insert(out.end(), code.begin(), code.end());
  return true;
}

Status MixingCoder::decode(ByteSpan code, std::span<std::uint8_t> symbols) {
  NARROWS_ASSERT(symbols.size() == layout().symbols());
  if (symbols.empty()) {
    if (code.empty()) return {};
    return makeError("{} bytes for a map without symbols, expected none", code.size());
  }
  std::fill(symbols.begin(), symbols.end(), std::uint8_t{0});
  const std::size_t plane_symbols = shape().height * shape().width;
  reset();
  BitReader reader(code);
  BitCoder coder(reader);
  // Decoding starts from zeros, as the neighbours that are not there yet are never looked at.
  std::fill(units_of_.begin(), units_of_.end(), std::uint8_t{0});
  for (const std::size_t p : order_) {
    const std::size_t c = codeClass(coder, p, 0);
    if (c >= kContextClasses) {
      return makeError("plane {} of class {}, there are {}", p, c, kContextClasses);
    }
    if (c == 0) {
      guesser_.note(p, nullptr);
      continue;
    }
    codePlane(coder, p, c);
    if (reader.offset() > code.size() + 4) return makeError("the context code ends early");
    if (!grid_.fillIsZero(highOf(p))) return makeError("plane {} has symbols in its fill", p);
    grid_.join(highOf(p), lowOf(p), symbols.data() + p * plane_symbols);
    guesser_.note(p, valuesOf(p, symbols));
  }
  // The reader is four bytes ahead, of which the writer gives one, and a zero for an odd number.
  const std::size_t expected = reader.offset() - 3;
  const std::size_t padded = expected + (expected % 2 == 0 ? 1 : 0);
  if (code.size() != padded) {
    return makeError("context code of {} bytes, expected {}", code.size(), padded);
  }
  if (padded != expected && code.back() != std::byte{0}) {
    return makeError("the last byte of the context code is not 0");
  }
  return {};
}

}  // namespace

std::unique_ptr<LosslessCoder> makeMixingCoder(const SymbolLayout& layout,
                                               const ContextTables& tables) {
  return std::make_unique<MixingCoder>(layout, tables);
}

}  // namespace narrows
