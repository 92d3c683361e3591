#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace narrows {

/// One value and how often it occurred.
struct WeightedValue {
  double value = 0;
  double weight = 0;
};

/// Distribution of float values over the whole range of floats, without knowing their range
/// beforehand: each binade (values of one sign and exponent) has 2^mantissa_bits equal bins, made
/// when its first value comes. Counts are integers and bins are fixed, so the histogram depends on
/// the multiset of values alone, not on the order of `observe` and `merge`.
/// While there are at most kExactValues distinct values, each is also held exactly.
class ValueHistogram {
 public:
  static constexpr std::size_t kExactValues = 512;
  /// Values beyond are taken as this magnitude, 2^126, so that ranges of values stay finite floats.
  static constexpr float kLargest = 0x1p126F;

  /// `mantissa_bits` is 1 to 12; a binade takes 8 * 2^mantissa_bits bytes.
  explicit ValueHistogram(int mantissa_bits);
  ValueHistogram(ValueHistogram&&) = default;
  ValueHistogram& operator=(ValueHistogram&&) = default;

  /// Values that are not finite are left out.
  void observe(std::span<const float> values);
  /// `other` has as many mantissa bits; asserted.
  void merge(const ValueHistogram& other);

  std::uint64_t count() const { return count_; }
  /// Smallest and largest value; 0 when there is none.
  float lowest() const { return count_ == 0 ? 0.0F : lowest_; }
  float highest() const { return count_ == 0 ? 0.0F : highest_; }
  /// From exact sums, thus of the multiset alone; 0 when there is no value.
  double mean() const;
  /// The value below which `fraction` of all values lie, to the width of a bin.
  double quantile(double fraction) const;

  /// The distribution as points, ascending. The values themselves while they are exact. After that
  /// bins are merged, or spread evenly over points, to a distance of about `spacing` where they lie
  /// within [from, to]; outside a bin is one point. Zero is always a point of its own.
  std::vector<WeightedValue> points(double spacing, double from, double to) const;
  bool exact() const { return exact_; }

 private:
  static constexpr std::size_t kBinades = 512;

  struct Binade {
    explicit Binade(std::size_t bins) : counts(bins, 0) {}
    std::vector<std::uint64_t> counts;
    /// Sum of the values' 24-bit significands.
    std::uint64_t significands = 0;
  };
  struct Bin {
    double from = 0;
    double to = 0;
    double weight = 0;
  };

  void rememberExactly(std::uint32_t pattern, std::uint64_t times);
  std::vector<Bin> bins() const;

  int mantissa_bits_;
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;
  float lowest_ = 0;
  float highest_ = 0;
  /// By sign and exponent, the top nine bits of a float.
  std::array<std::unique_ptr<Binade>, kBinades> binades_;
  bool exact_ = true;
  /// Bit patterns of the distinct values; empty once there are too many.
  std::unordered_map<std::uint32_t, std::uint64_t> values_;
};

}  // namespace narrows
