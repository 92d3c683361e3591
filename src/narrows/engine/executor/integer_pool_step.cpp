#include <algorithm>
#include <cstring>

#include "narrows/engine/executor/steps.h"

namespace narrows::executor {
namespace {

// 16 bytes, on every processor: enough to keep up with memory.
typedef std::uint8_t Unsigned16 __attribute__((vector_size(16)));
typedef std::int8_t Signed16 __attribute__((vector_size(16)));

/// y[i] = the largest of x[i + k * pitch] for k in [0, taps), stored as they are: larger integers
/// are larger numbers.
template <class Byte, class Vector>
void foldMaximum(const Byte* x, std::int64_t pitch, std::int64_t taps, std::int64_t count,
                 Byte* y) {
  constexpr std::int64_t kLanes = sizeof(Vector);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    Vector most;
    std::memcpy(&most, x + i, sizeof most);
    for (std::int64_t k = 1; k < taps; ++k) {
      Vector value;
      std::memcpy(&value, x + i + k * pitch, sizeof value);
      most = most > value ? most : value;
    }
    std::memcpy(y + i, &most, sizeof most);
  }
  for (; i < count; ++i) {
    Byte most = x[i];
    for (std::int64_t k = 1; k < taps; ++k) most = std::max(most, x[i + k * pitch]);
    y[i] = most;
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

class IntegerPoolStep final : public Step {
 public:
  IntegerPoolStep(const Window2d& window, const Operand& source, const Operand& target,
                  const StepTools& tools)
      : window_(window),
        source_(source),
        target_(target),
        tools_(tools),
        parts_(target.shape().elements() < 16384 ? 1 : tools.team.size()) {}

  Status run(const Memory& memory) override {
    if (source_.dtype == DType::u8) return runAs<std::uint8_t, Unsigned16>(memory);
    return runAs<std::int8_t, Signed16>(memory);
  }
  // A row for each part: the largest of the windows' columns.
  std::size_t scratchBytes() const override { return parts_ * rowBytes(); }

 private:
  std::size_t rowBytes() const {
    const Shape& in = source_.shape();
    return static_cast<std::size_t>((in[3] * in[1] + 63) / 64 * 64);
  }

  template <class Byte, class Vector>
  Status runAs(const Memory& memory) {
    const Byte* x = memory.read<Byte>(source_);
    Byte* y = memory.write<Byte>(target_);
    const Shape& in = source_.shape();
    const Shape& out = target_.shape();
    const std::int64_t row_pitch = in[3] * in[1];
    tools_.team.run(parts_, [&](std::size_t part) {
      Byte* columns = reinterpret_cast<Byte*>(memory.scratch().data() + part * rowBytes());
      const Share rows = share(out[0] * out[2], part, parts_);
      for (std::int64_t row = rows.begin; row < rows.end; ++row) {
        const TapRange tall =
            tapsInside(row % out[2] * window_.stride.h - window_.pads.top, window_.kernel.h, in[2]);
        foldMaximum<Byte, Vector>(x + (row / out[2] * in[2] + tall.begin) * row_pitch, row_pitch,
                                  tall.end - tall.begin, row_pitch, columns);
        for (std::int64_t column = 0; column < out[3]; ++column) {
          const TapRange wide =
              tapsInside(column * window_.stride.w - window_.pads.left, window_.kernel.w, in[3]);
          foldMaximum<Byte, Vector>(columns + wide.begin * in[1], in[1], wide.end - wide.begin,
                                    in[1], y + (row * out[3] + column) * in[1]);
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

bool hasIntegerPool(const Window2d& window, const Shape& in, const Shape& out) {
  // A window that lies in the padding alone has no largest number.
  const auto touches = [](std::int64_t before, std::int64_t kernel, std::int64_t stride,
                          std::int64_t count, std::int64_t extent) {
    return before < kernel && (count - 1) * stride - before < extent;
  };
  return in.rank() == 4 && window.dilation == Extent2d{1, 1} &&
         touches(window.pads.top, window.kernel.h, window.stride.h, out[2], in[2]) &&
         touches(window.pads.left, window.kernel.w, window.stride.w, out[3], in[3]);
}

std::unique_ptr<Step> makeIntegerPool(const Window2d& window, const Operand& source,
                                      const Operand& target, const StepTools& tools) {
  return std::make_unique<IntegerPoolStep>(window, source, target, tools);
}

}  // namespace narrows::executor
