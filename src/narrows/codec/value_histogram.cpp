#include "narrows/codec/value_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

constexpr int kFloatMantissaBits = 23;
constexpr std::uint32_t kMantissaMask = (1U << kFloatMantissaBits) - 1;

/// Exponent of the unit of a significand in a binade: its value is significand * 2^unit.
int unitExponent(std::size_t binade) {
  const auto biased = static_cast<int>(binade & 0xFF);
  return std::max(biased, 1) - 127 - kFloatMantissaBits;
}

/// The implicit leading bit of a binade's significands.
std::uint32_t leadingBit(std::size_t binade) {
  return (binade & 0xFF) == 0 ? 0 : 1U << kFloatMantissaBits;
}

bool isNegative(std::size_t binade) {
  return binade >= 256;
}

}  // namespace

ValueHistogram::ValueHistogram(int mantissa_bits) : mantissa_bits_(mantissa_bits) {
  NARROWS_ASSERT(mantissa_bits >= 1 && mantissa_bits <= 12);
}

void ValueHistogram::rememberExactly(std::uint32_t pattern, std::uint64_t times) {
  values_[pattern] += times;
  if (values_.size() <= kExactValues) return;
  exact_ = false;
  values_ = {};
}

void ValueHistogram::observe(std::span<const float> values) {
  const int shift = kFloatMantissaBits - mantissa_bits_;
  for (const float raw : values) {
    if (!std::isfinite(raw)) continue;
    // Adding zero turns -0 into 0, the same value to a quantizer.
    const float value = std::clamp(raw, -kLargest, kLargest) + 0.0F;
    if (count_ == 0) lowest_ = highest_ = value;
    ++count_;
    lowest_ = std::min(lowest_, value);
    highest_ = std::max(highest_, value);
    const auto pattern = std::bit_cast<std::uint32_t>(value);
    if (exact_) rememberExactly(pattern, 1);
    if (pattern == 0) {
      ++zeros_;
      continue;
    }
    const std::size_t index = pattern >> kFloatMantissaBits;
    std::unique_ptr<Binade>& binade = binades_[index];
    if (!binade) binade = std::make_unique<Binade>(std::size_t{1} << mantissa_bits_);
    const std::uint32_t mantissa = pattern & kMantissaMask;
    ++binade->counts[mantissa >> shift];
    binade->significands += mantissa | leadingBit(index);
  }
}

void ValueHistogram::merge(const ValueHistogram& other) {
  NARROWS_ASSERT(mantissa_bits_ == other.mantissa_bits_);
  if (other.count_ == 0) return;
  lowest_ = count_ == 0 ? other.lowest_ : std::min(lowest_, other.lowest_);
  highest_ = count_ == 0 ? other.highest_ : std::max(highest_, other.highest_);
  count_ += other.count_;
  zeros_ += other.zeros_;
  for (std::size_t i = 0; i < kBinades; ++i) {
    if (!other.binades_[i]) continue;
    const Binade& source = *other.binades_[i];
    std::unique_ptr<Binade>& target = binades_[i];
    if (!target) target = std::make_unique<Binade>(source.counts.size());
    target->significands += source.significands;
    for (std::size_t bin = 0; bin < source.counts.size(); ++bin) {
      target->counts[bin] += source.counts[bin];
    }
  }
  if (!other.exact_) {
    exact_ = false;
    values_ = {};
  }
  for (const auto& [pattern, times] : other.values_) {
    if (!exact_) break;
    rememberExactly(pattern, times);
  }
}

double ValueHistogram::mean() const {
  if (count_ == 0) return 0;
  double sum = 0;
  for (std::size_t i = 0; i < kBinades; ++i) {
    if (!binades_[i]) continue;
    const double magnitude =
        std::ldexp(static_cast<double>(binades_[i]->significands), unitExponent(i));
    sum += isNegative(i) ? -magnitude : magnitude;
  }
  return sum / static_cast<double>(count_);
}

std::vector<ValueHistogram::Bin> ValueHistogram::bins() const {
  std::vector<Bin> all;
  const std::size_t per_binade = std::size_t{1} << mantissa_bits_;
  const auto append = [&](std::size_t index, std::size_t bin) {
    const auto weight = static_cast<double>(binades_[index]->counts[bin]);
    if (weight == 0) return;
    const int shift = kFloatMantissaBits - mantissa_bits_;
    const double begin =
        static_cast<double>((bin << shift) + static_cast<std::size_t>(leadingBit(index)));
    const double end = begin + static_cast<double>(std::size_t{1} << shift);
    const double from = std::ldexp(begin, unitExponent(index));
    const double to = std::ldexp(end, unitExponent(index));
    all.push_back(isNegative(index) ? Bin{-to, -from, weight} : Bin{from, to, weight});
  };
  for (std::size_t i = kBinades; i-- > kBinades / 2;) {
    for (std::size_t bin = per_binade; binades_[i] && bin-- > 0;) append(i, bin);
  }
  if (zeros_ > 0) all.push_back({0, 0, static_cast<double>(zeros_)});
  for (std::size_t i = 0; i < kBinades / 2; ++i) {
    for (std::size_t bin = 0; binades_[i] && bin < per_binade; ++bin) append(i, bin);
  }
  // No value lies outside [lowest, highest], though the outermost bins may.
  for (Bin& bin : all) {
    bin.from = std::clamp(bin.from, static_cast<double>(lowest_), static_cast<double>(highest_));
    bin.to = std::clamp(bin.to, static_cast<double>(lowest_), static_cast<double>(highest_));
  }
  return all;
}

double ValueHistogram::quantile(double fraction) const {
  const double wanted = fraction * static_cast<double>(count_);
  double below = 0;
  for (const Bin& bin : bins()) {
    below += bin.weight;
    if (below >= wanted) return bin.to;
  }
  return highest();
}

std::vector<WeightedValue> ValueHistogram::points(double spacing, double from, double to) const {
  std::vector<WeightedValue> points;
  if (exact_) {
    for (const auto& [pattern, times] : values_) {
      points.push_back({std::bit_cast<float>(pattern), static_cast<double>(times)});
    }
    std::sort(points.begin(), points.end(),
              [](const WeightedValue& a, const WeightedValue& b) { return a.value < b.value; });
    return points;
  }
  // Bins that are gathered into one point at their centre of mass.
  WeightedValue gathered;
  double gathered_from = 0;
  const auto flush = [&] {
    if (gathered.weight > 0) {
      points.push_back({gathered.value / gathered.weight, gathered.weight});
    }
    gathered = {};
  };
  for (const Bin& bin : bins()) {
    const double width = bin.to - bin.from;
    const double centre = bin.from + width / 2;
    if (bin.from == 0 && bin.to == 0) {
      flush();
      points.push_back({0, bin.weight});
      continue;
    }
    if (width > spacing && bin.from >= from && bin.to <= to) {
      flush();
      const double parts = std::ceil(width / spacing);
      for (double part = 0; part < parts; ++part) {
        points.push_back({bin.from + (part + 0.5) * width / parts, bin.weight / parts});
      }
      continue;
    }
    if (gathered.weight > 0 && bin.to - gathered_from > spacing) flush();
    if (gathered.weight == 0) gathered_from = bin.from;
    gathered.value += centre * bin.weight;
    gathered.weight += bin.weight;
  }
  flush();
  return points;
}

}  // namespace narrows
