#pragma once

#include <compare>

namespace narrows {

/// A physical quantity held in its SI unit. Only quantities of one kind add and compare.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(double value) : value_(value) {}

  constexpr double value() const { return value_; }
  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  friend constexpr Quantity operator+(Quantity a, Quantity b) {
    return Quantity(a.value_ + b.value_);
  }
  friend constexpr Quantity operator-(Quantity a, Quantity b) {
    return Quantity(a.value_ - b.value_);
  }
  friend constexpr Quantity operator*(Quantity a, double k) { return Quantity(a.value_ * k); }
  friend constexpr Quantity operator*(double k, Quantity a) { return a * k; }
  friend constexpr double operator/(Quantity a, Quantity b) { return a.value_ / b.value_; }
  friend constexpr Quantity operator/(Quantity a, double k) { return Quantity(a.value_ / k); }
  constexpr Quantity& operator+=(Quantity other) {
    value_ += other.value_;
    return *this;
  }

 private:
  double value_ = 0;
};

using Seconds = Quantity<struct SecondsTag>;
using Joules = Quantity<struct JoulesTag>;
using Watts = Quantity<struct WattsTag>;
/// Octets; a double, since modelled sizes are fractional.
using Bytes = Quantity<struct BytesTag>;
using BitsPerSecond = Quantity<struct BitsPerSecondTag>;

constexpr Joules operator*(Watts p, Seconds t) {
  return Joules(p.value() * t.value());
}
constexpr Joules operator*(Seconds t, Watts p) {
  return p * t;
}
/// Time to move `size` at `rate`.
constexpr Seconds operator/(Bytes size, BitsPerSecond rate) {
  return Seconds(size.value() * 8.0 / rate.value());
}
constexpr Seconds milliseconds(double ms) {
  return Seconds(ms / 1e3);
}
constexpr Seconds microseconds(double us) {
  return Seconds(us / 1e6);
}
constexpr double toMilliseconds(Seconds t) {
  return t.value() * 1e3;
}

}  // namespace narrows
