#include <algorithm>
#include <cstring>

#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

// 16 bytes, on every processor: enough to keep up with memory.
using Unsigned16 [[gnu::vector_size(16)]] = std::uint8_t;
using Signed16 [[gnu::vector_size(16)]] = std::int8_t;
using Halves8 [[gnu::vector_size(16)]] = std::int16_t;

/// Integers, of which the larger ones are larger numbers.
template <class Number, class Lanes>
struct Whole {
  using Element = Number;
  using Vector = Lanes;
  static Vector ordered(Vector x) { return x; }
  static Element ordered(Element x) { return x; }
};

/// bf16: sign and magnitude. With the bits of negative magnitudes turned they are in the order of
/// integers; turned again they are what they were.
struct Bfloat {
  using Element = std::int16_t;
  using Vector = Halves8;
  static Vector ordered(Vector x) { return x ^ ((x >> 15) & Element{0x7FFF}); }
  static Element ordered(Element x) { return static_cast<Element>(x ^ ((x >> 15) & 0x7FFF)); }
};

/// y[i] = the largest of x[i + k * pitch] for k in [0, taps), stored as they are.
template <class Kind>
void foldMaximum(const typename Kind::Element* x, std::int64_t pitch, std::int64_t taps,
                 std::int64_t count, typename Kind::Element* y) {
  using Element = typename Kind::Element;
  using Vector = typename Kind::Vector;
  constexpr std::int64_t kLanes = sizeof(Vector) / sizeof(Element);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Vector most;
    std::memcpy(&most, x + i, sizeof most);
    most = Kind::ordered(most);
    for (std::int64_t k = 1; k < taps; ++k) {
      Vector value;
      std::memcpy(&value, x + i + k * pitch, sizeof value);
      value = Kind::ordered(value);
      most = most > value ? most : value;
    }
    most = Kind::ordered(most);
    std::memcpy(y + i, &most, sizeof most);
  }
  for (; i < count; ++i) {
    Element most = Kind::ordered(x[i]);
    for (std::int64_t k = 1; k < taps; ++k) most = std::max(most, Kind::ordered(x[i + k * pitch]));
    y[i] = Kind::ordered(most);
  }
}

struct TapRange {
  std::int64_t begin;
  std::int64_t end;
};

/// The places of a window that lie on an axis.
TapRange tapsInside(std::int64_t first, std::int64_t kernel, std::int64_t extent) {
  return {std::clamp<std::int64_t>(first, 0, extent),
          std::clamp<std::int64_t>(first + kernel, 0, extent)};
}

class CompactPoolStep final : public Step {
 public:
  CompactPoolStep(const Window2d& window, const Operand& source, const Operand& target,
                  const StepTools& tools)
      : window_(window),
        source_(source),
        target_(target),
        tools_(tools),
        parts_(target.shape().elements() < 16384 ? 1 : tools.team.size()) {}

  Status run(const Memory& memory) override {
    if (source_.dtype == DType::u8) return runAs<Whole<std::uint8_t, Unsigned16>>(memory);
    if (source_.dtype == DType::i8) return runAs<Whole<std::int8_t, Signed16>>(memory);
    return runAs<Bfloat>(memory);
  }
  // A row for each part: the largest of the windows' columns.
  std::size_t scratchBytes() const override { return parts_ * rowBytes(); }

 private:
  std::size_t rowBytes() const {
    const Shape& in = source_.shape();
    const auto bytes = static_cast<std::int64_t>(byteSize(source_.dtype));
    return static_cast<std::size_t>((in[3] * in[1] * bytes + 63) / 64 * 64);
  }

  template <class Kind>
  Status runAs(const Memory& memory) {
    using Element = typename Kind::Element;
    const Element* x = memory.read<Element>(source_);
    Element* y = memory.write<Element>(target_);
    const Shape& in = source_.shape();
    const Shape& out = target_.shape();
    const std::int64_t row_pitch = in[3] * in[1];
    tools_.team.run(parts_, [&](std::size_t part) {
      auto* columns = reinterpret_cast<Element*>(memory.scratch().data() + part * rowBytes());
      const Share rows = share(out[0] * out[2], part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const TapRange tall =
            tapsInside(row % out[2] * window_.stride.h - window_.pads.top, window_.kernel.h, in[2]);
        foldMaximum<Kind>(x + (row / out[2] * in[2] + tall.begin) * row_pitch, row_pitch,
                          tall.end - tall.begin, row_pitch, columns);
        for (std::int64_t column = 0; column < out[3]; ++column) {
          const TapRange wide =
              tapsInside(column * window_.stride.w - window_.pads.left, window_.kernel.w, in[3]);
          foldMaximum<Kind>(columns + wide.begin * in[1], in[1], wide.end - wide.begin, in[1],
                            y + (row * out[3] + column) * in[1]);
        }
      }
    });
    return {};
  }

  Window2d window_;
  Operand source_;
  Operand target_;
  StepTools tools_;
  std::size_t parts_;
};

}  // namespace

bool hasCompactPool(const Window2d& window, const Shape& in, const Shape& out) {
  // A window that lies in the padding alone has no largest number.
  const auto touches = [](std::int64_t before, std::int64_t kernel, std::int64_t stride,
                          std::int64_t count, std::int64_t extent) {
    return before < kernel && (count - 1) * stride - before < extent;
  };
  return in.rank() == 4 && window.dilation == Extent2d{1, 1} &&
         touches(window.pads.top, window.kernel.h, window.stride.h, out[2], in[2]) &&
         touches(window.pads.left, window.kernel.w, window.stride.w, out[3], in[3]);
}

std::unique_ptr<Step> makeCompactPool(const Window2d& window, const Operand& source,
                                      const Operand& target, const StepTools& tools) {
  return std::make_unique<CompactPoolStep>(window, source, target, tools);
}

}  // namespace narrows::executor
