#include "narrows/codec/context_mixer.h"

#include <algorithm>

namespace narrows::context {
namespace {

constexpr int kMostLogit = 2047;
/// Fixed-point one of the weights.
constexpr std::int32_t kOne = 1 << 16;
/// Learning of the mixer; of a counter, which learns by 1 / (seen + 1) at first.
constexpr int kMixerShift = 13;
constexpr std::int32_t kFirstWeight = kOne * 3 / 10;
constexpr std::int32_t kOtherWeight = kOne * 8 / 100;
constexpr int kFirstRate = 5;
constexpr std::uint8_t kSlowest = 60;

/// 4096 / (1 + exp(-i / 2)) for i = -8 ... 8 by halves, rounded: the values between are on lines.
constexpr std::array<int, 33> kSigmoid = {1,    2,    3,    6,    10,   16,   27,   45,   73,
                                          120,  194,  310,  488,  747,  1101, 1546, 2047, 2549,
                                          2994, 3348, 3607, 3785, 3901, 3975, 4022, 4050, 4068,
                                          4079, 4085, 4089, 4092, 4093, 4094};

struct StretchTable {
  std::array<std::int16_t, 4096> logit{};
  StretchTable() {
    int at = 0;
    for (int l = -kMostLogit; l <= kMostLogit; ++l) {
      const int p = squash(l);
      for (int i = at; i <= p; ++i)
        logit[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(l);
      at = std::max(at, p + 1);
    }
    for (int i = at; i < 4096; ++i) logit[static_cast<std::size_t>(i)] = kMostLogit;
  }
};

}  // namespace

int squash(int logit) {
  if (logit > kMostLogit) return 4095;
  if (logit < -kMostLogit) return 1;
  const int weight = logit & 127;
  const int segment = (logit >> 7) + 16;
  const auto at = static_cast<std::size_t>(segment);
  return (kSigmoid[at] * (128 - weight) + kSigmoid[at + 1] * weight + 64) >> 7;
}

int stretch(Probability probability) {
  static const StretchTable kTable;
  return kTable.logit[probability >> 4];
}

void Counters::reset() {
  if (++age_ != 0) return;
  std::fill(counters_.begin(), counters_.end(), Counter{});
  age_ = 1;
}

std::size_t Counters::familiarity(std::size_t context) const {
  const Counter& counter = counters_[context];
  if (counter.age != age_ || counter.seen == 0) return 0;
  return counter.seen < 4 ? 1 : counter.seen < 20 ? 2 : 3;
}

void Counters::learn(std::size_t context, bool bit) {
  Counter& counter = counters_[context];
  const int target = bit ? 65535 : 0;
  const int old = counter.probability;
  const int rate = counter.seen + kFirstRate;
  counter.probability =
      static_cast<Probability>(std::clamp(old + (target - old) / rate, 16, 65535 - 16));
  if (counter.seen < kSlowest) ++counter.seen;
}

void Mixer::reset() {
  for (Weights& weights : weights_) {
    weights.fill(kOtherWeight);
    weights[0] = kFirstWeight;
  }
}

int Mixer::weigh(Choice& choice) const {
  const Weights& weights = weights_[choice.set];
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < kModels; ++i) {
    sum += static_cast<std::int64_t>(weights[i]) * inputs_[i];
  }
  const int logit = static_cast<int>(std::clamp<std::int64_t>(sum >> 16, -kMostLogit, kMostLogit));
  choice.mixed = squash(logit);
  return logit;
}

Probability Mixer::mix(const std::array<int, kModels>& inputs, std::size_t first,
                       std::size_t second) {
  inputs_ = inputs;
  first_.set = first;
  second_.set = first_sets_ + second;
  const int mixed = squash((weigh(first_) + weigh(second_)) / 2);
  return static_cast<Probability>(mixed << 4 | 8);
}

void Mixer::learn(bool bit) {
  for (const Choice& choice : {first_, second_}) {
    const int error = (bit ? 4096 : 0) - choice.mixed;
    Weights& weights = weights_[choice.set];
    for (std::size_t i = 0; i < kModels; ++i) {
      const std::int32_t step = inputs_[i] * error;
      weights[i] = std::clamp(weights[i] + ((step + (1 << (kMixerShift - 1))) >> kMixerShift),
                              -8 * kOne, 8 * kOne);
    }
  }
}

namespace {

/// Where [low, high] is cut: the lower part is for a set bit.
std::uint32_t middle(std::uint32_t low, std::uint32_t high, Probability probability) {
  return low +
         static_cast<std::uint32_t>((static_cast<std::uint64_t>(high - low) * probability) >> 16);
}

}  // namespace

void BitWriter::put(bool bit, Probability probability) {
  const std::uint32_t cut = middle(low_, high_, probability);
  if (bit) {
    high_ = cut;
  } else {
    low_ = cut + 1;
  }
  while (((low_ ^ high_) >> 24) == 0) {
    out_.push_back(static_cast<std::byte>(high_ >> 24));
    low_ <<= 8;
    high_ = high_ << 8 | 0xFF;
  }
}

void BitWriter::finish() {
  // The first byte differs, so one more than low's, with zeros behind, lies between the two.
  out_.push_back(static_cast<std::byte>((low_ >> 24) + (low_ << 8 != 0 ? 1 : 0)));
}

BitReader::BitReader(ByteSpan code) : code_(code) {
  for (int i = 0; i < 4; ++i) value_ = value_ << 8 | nextByte();
}

std::uint8_t BitReader::nextByte() {
  const std::size_t at = offset_++;
  return at < code_.size() ? static_cast<std::uint8_t>(code_[at]) : std::uint8_t{0};
}

bool BitReader::take(Probability probability) {
  const std::uint32_t cut = middle(low_, high_, probability);
  const bool bit = value_ <= cut;
  if (bit) {
    high_ = cut;
  } else {
    low_ = cut + 1;
  }
  while (((low_ ^ high_) >> 24) == 0) {
    low_ <<= 8;
    high_ = high_ << 8 | 0xFF;
    value_ = value_ << 8 | nextByte();
  }
  return bit;
}

}  // namespace narrows::context
