#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "narrows/base/byte_io.h"

/// Binary arithmetic coding with probabilities mixed from several models, in integers alone: the
/// same on every machine.
namespace narrows::context {

/// Probabilities of a set bit are in 1/65536, never 0 or 1.
using Probability = std::uint16_t;

/// ln(p / (1 - p)) in 1/256, from -2047 to 2047, and its inverse in 1/4096, from 1 to 4095.
int stretch(Probability probability);
int squash(int logit);

/// Adaptive probabilities by context. One not yet used stands at what it is first asked with.
class Counters {
 public:
  explicit Counters(std::size_t contexts) : counters_(contexts) {}
  void reset();
  Probability ask(std::size_t context, Probability otherwise) {
    Counter& counter = counters_[context];
    if (counter.age != age_) counter = {otherwise, 0, age_};
    return counter.probability;
  }
  /// How often the context was met, from 0 to 3 on a scale of powers.
  std::size_t familiarity(std::size_t context) const;
  void learn(std::size_t context, bool bit);

 private:
  struct Counter {
    Probability probability = 0;
    std::uint8_t seen = 0;
    /// That of the whole when it was used first.
    std::uint8_t age = 0;
  };
  std::vector<Counter> counters_;
  std::uint8_t age_ = 1;
};

/// Weighs models in the logistic domain (Mahoney, 2005). Two sets of weights are chosen by context
/// each time; what they give is averaged, and each learns by itself.
class Mixer {
 public:
  static constexpr std::size_t kModels = 10;
  Mixer(std::size_t first_sets, std::size_t second_sets)
      : weights_(first_sets + second_sets), first_sets_(first_sets) {
    reset();
  }
  void reset();
  /// The mixed probability. `inputs` are stretched ones.
  Probability mix(const std::array<int, kModels>& inputs, std::size_t first, std::size_t second);
  void learn(bool bit);

 private:
  using Weights = std::array<std::int32_t, kModels>;
  struct Choice {
    std::size_t set = 0;
    int mixed = 2048;
  };
  int weigh(Choice& choice) const;

  std::vector<Weights> weights_;
  std::size_t first_sets_;
  std::array<int, kModels> inputs_{};
  Choice first_;
  Choice second_;
};

/// Carryless range coder over 32 bits.
class BitWriter {
 public:
  explicit BitWriter(ByteVector& out) : out_(out) {}
  void put(bool bit, Probability probability);
  /// One byte, after which a reader with zeros behind gets all bits.
  void finish();

 private:
  ByteVector& out_;
  std::uint32_t low_ = 0;
  std::uint32_t high_ = 0xFFFFFFFF;
};

class BitReader {
 public:
  explicit BitReader(ByteSpan code);
  bool take(Probability probability);
  /// Bytes taken so far, those behind the end included.
  std::size_t offset() const { return offset_; }

 private:
  std::uint8_t nextByte();
  ByteSpan code_;
  std::size_t offset_ = 0;
  std::uint32_t low_ = 0;
  std::uint32_t high_ = 0xFFFFFFFF;
  std::uint32_t value_ = 0;
};

}  // namespace narrows::context
