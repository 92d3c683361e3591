#include "narrows/pipeline/gather.h"

#include <algorithm>
#include <array>

namespace narrows {
namespace {

/// Row by row: elements along the last axis lie side by side.
template <class T>
void addBox(TensorView source, const Region& from, MutableTensorView target, const Region& to) {
  const std::int64_t count = from.elements();
  if (count == 0) return;
  const std::size_t outer = from.rank() == 0 ? 0 : from.rank() - 1;
  const std::int64_t length = from.rank() == 0 ? 1 : from[outer].length();
  const auto source_strides = source.shape().strides();
  const auto target_strides = target.shape().strides();
  std::array<std::int64_t, Shape::kMaxRank> index{};
  for (std::int64_t row = 0; row < count / length; ++row) {
    const T* in = source.as<T>().data() + (from.rank() == 0 ? 0 : from[outer].begin);
    T* out = target.as<T>().data() + (from.rank() == 0 ? 0 : to[outer].begin);
    for (std::size_t axis = 0; axis < outer; ++axis) {
      in += (from[axis].begin + index[axis]) * source_strides[axis];
      out += (to[axis].begin + index[axis]) * target_strides[axis];
    }
    for (std::int64_t i = 0; i < length; ++i) out[i] = static_cast<T>(out[i] + in[i]);
    for (std::size_t axis = outer; axis-- > 0;) {
      if (++index[axis] < from[axis].length()) break;
      index[axis] = 0;
    }
  }
}

}  // namespace

Status addRegion(TensorView source, const Region& from, MutableTensorView target,
                 const Region& to) {
  NARROWS_ASSERT(source.dtype() == target.dtype() && from.shape() == to.shape());
  NARROWS_ASSERT(from.fits(source.shape()) && to.fits(target.shape()));
  switch (source.dtype()) {
    case DType::f32:
      addBox<float>(source, from, target, to);
      return {};
    case DType::f64:
      addBox<double>(source, from, target, to);
      return {};
    case DType::i8:
      addBox<std::int8_t>(source, from, target, to);
      return {};
    case DType::u8:
      addBox<std::uint8_t>(source, from, target, to);
      return {};
    case DType::i16:
      addBox<std::int16_t>(source, from, target, to);
      return {};
    case DType::u16:
      addBox<std::uint16_t>(source, from, target, to);
      return {};
    case DType::i32:
      addBox<std::int32_t>(source, from, target, to);
      return {};
    case DType::u32:
      addBox<std::uint32_t>(source, from, target, to);
      return {};
    case DType::i64:
      addBox<std::int64_t>(source, from, target, to);
      return {};
    case DType::u64:
      addBox<std::uint64_t>(source, from, target, to);
      return {};
    case DType::f16:
    case DType::boolean:
      break;
  }
  return makeError("elements of type {} cannot be added", toString(source.dtype()));
}

Status gather(std::span<const Contribution> contributions, MutableTensorView target) {
  const bool sums =
      std::any_of(contributions.begin(), contributions.end(),
                  [](const Contribution& part) { return part.mode == TransferMode::add; });
  if (sums) {
    const auto bytes = target.bytes();
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
  }
  for (const Contribution& part : contributions) {
    if (part.mode == TransferMode::copy) {
      copyRegion(part.source, part.from, target, part.to);
    } else {
      NARROWS_CHECK(addRegion(part.source, part.from, target, part.to));
    }
  }
  return {};
}

}  // namespace narrows
