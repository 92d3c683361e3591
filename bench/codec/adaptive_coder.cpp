#include "bench/codec/adaptive_coder.h"

#include <algorithm>
#include <vector>

namespace narrows::bench {
namespace {

/// Probability that the next bit is 0, in 1/65536; moves by 1/(n + 1.5) of the way for the n-th bit
/// seen (Krichevsky and Trofimov, 1981, with the memory bounded), at last by 1/kMemory.
struct Bit {
  static constexpr std::uint32_t kMemory = 160;
  std::uint16_t zero = 1U << 15;
  std::uint16_t seen = 0;

  void update(bool one) {
    const std::int32_t target = one ? 48 : 65536 - 48;
    const auto step =
        (target - static_cast<std::int32_t>(zero)) * 2 / (2 * static_cast<std::int32_t>(seen) + 3);
    zero = static_cast<std::uint16_t>(static_cast<std::int32_t>(zero) + step);
    if (seen < kMemory) ++seen;
  }
};

constexpr std::uint32_t kTop = 1U << 24;

/// Range coder of LZMA with finer probabilities (Martin, 1979; carries as in Subbotin's and
/// Pavlov's coders).
class RangeEncoder {
 public:
  explicit RangeEncoder(ByteVector& out) : out_(out) {}
  void put(Bit& model, bool one) {
    const std::uint32_t bound = (range_ >> 16) * model.zero;
    if (one) {
      low_ += bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    model.update(one);
    while (range_ < kTop) {
      range_ <<= 8;
      shift();
    }
  }
  /// Bytes at the end that are zeros need not be sent: the decoder reads zeros past the end.
  void finish(std::size_t begin) {
    // The shortest number inside the range: its low bytes can be zero.
    const std::uint64_t last = low_ + range_ - 1;
    for (int bytes = 3; bytes >= 0; --bytes) {
      const std::uint64_t mask = (std::uint64_t{1} << (8 * bytes)) - 1;
      const std::uint64_t candidate = last & ~mask;
      if (candidate < low_) continue;
      low_ = candidate;
      break;
    }
    for (int i = 0; i < 5; ++i) shift();
    while (out_.size() > begin && out_.back() == std::byte{0}) out_.pop_back();
  }

 private:
  void shift() {
    if (low_ < 0xFF000000U || low_ > 0xFFFFFFFFU) {
      const auto carry = static_cast<std::uint8_t>(low_ >> 32);
      if (started_) out_.push_back(static_cast<std::byte>(cache_ + carry));
      for (; pending_ > 0; --pending_) {
        out_.push_back(static_cast<std::byte>(static_cast<std::uint8_t>(0xFF + carry)));
      }
      cache_ = static_cast<std::uint8_t>(low_ >> 24);
      started_ = true;
    } else {
      ++pending_;
    }
    low_ = (low_ & 0x00FFFFFF) << 8;
  }

  ByteVector& out_;
  std::uint64_t low_ = 0;
  std::uint32_t range_ = 0xFFFFFFFFU;
  std::uint8_t cache_ = 0;
  bool started_ = false;
  std::size_t pending_ = 0;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(ByteSpan code) : code_(code) {
    for (int i = 0; i < 4; ++i) value_ = value_ << 8 | next();
  }
  bool take(Bit& model) {
    const std::uint32_t bound = (range_ >> 16) * model.zero;
    const bool one = value_ >= bound;
    if (one) {
      value_ -= bound;
      range_ -= bound;
    } else {
      range_ = bound;
    }
    model.update(one);
    while (range_ < kTop) {
      range_ <<= 8;
      value_ = value_ << 8 | next();
    }
    return one;
  }

 private:
  std::uint32_t next() {
    return at_ < code_.size() ? std::to_integer<std::uint32_t>(code_[at_++]) : 0;
  }

  ByteSpan code_;
  std::size_t at_ = 0;
  std::uint32_t range_ = 0xFFFFFFFFU;
  std::uint32_t value_ = 0;
};

class AdaptiveCoder final : public LosslessCoder {
 public:
  explicit AdaptiveCoder(const SymbolLayout& layout)
      : LosslessCoder(layout),
        tree_(std::size_t{1} << layout.bits),
        neighbour_bits_(std::min(layout.bits, 4)),
        neighbours_(layout.bits <= 3 ? 4 : 2) {}

  Result<bool> encode(std::span<const std::uint8_t> symbols, std::size_t limit,
                      ByteVector& out) override {
    const std::size_t begin = out.size();
    RangeEncoder coder(out);
    forEachSymbol(symbols, [&](std::size_t index, Bit* tree) {
      std::size_t node = 1;
      for (int k = layout().bits; k-- > 0;) {
        const bool one = (symbols[index] >> k & 1) != 0;
        coder.put(tree[node], one);
        node = 2 * node + (one ? 1 : 0);
      }
    });
    coder.finish(begin);
    if (out.size() - begin <= limit) return true;
    out.resize(begin);
    return false;
  }

  Status decode(ByteSpan code, std::span<std::uint8_t> symbols) override {
    RangeDecoder coder(code);
    forEachSymbol(symbols, [&](std::size_t index, Bit* tree) {
      std::size_t node = 1;
      for (int k = layout().bits; k-- > 0;) node = 2 * node + (coder.take(tree[node]) ? 1 : 0);
      symbols[index] = static_cast<std::uint8_t>(node - tree_);
    });
    return {};
  }

 private:
  template <class Use>
  void forEachSymbol(std::span<const std::uint8_t> symbols, const Use& use) {
    model_.assign(tree_ << (neighbour_bits_ * neighbours_), Bit{});
    const std::size_t width = layout().width;
    const int drop = layout().bits - neighbour_bits_;
    std::size_t index = 0;
    for (std::size_t row = 0; row < layout().planes * layout().height; ++row) {
      const bool has_above = row % layout().height != 0;
      for (std::size_t x = 0; x < width; ++x, ++index) {
        const auto at = [&](bool inside, std::size_t back) {
          return inside ? static_cast<std::size_t>(symbols[index - back] >> drop) : std::size_t{0};
        };
        std::size_t context = at(x > 0, 1) << neighbour_bits_ | at(has_above, width);
        if (neighbours_ == 4) {
          context = (context << neighbour_bits_ | at(has_above && x > 0, width + 1))
                        << neighbour_bits_ |
                    at(has_above && x + 1 < width, width - 1);
        }
        use(index, model_.data() + context * tree_);
      }
    }
  }

  std::size_t tree_;
  int neighbour_bits_;
  int neighbours_;
  std::vector<Bit> model_;
};

}  // namespace

std::unique_ptr<LosslessCoder> makeAdaptiveCoder(const SymbolLayout& layout) {
  return std::make_unique<AdaptiveCoder>(layout);
}

}  // namespace narrows::bench
