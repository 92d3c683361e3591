#include "narrows/pipeline/gather.h"

#include <algorithm>
#include <array>

namespace narrows {
namespace {

template <class T>
void addBox(TensorView source, const Region& from, MutableTensorView target, const Region& to) {
  const std::size_t rank = from.rank();
  const auto source_strides = source.shape().strides();
  const auto target_strides = target.shape().strides();
  const T* in = source.as<T>().data();
  T* out = target.as<T>().data();
  std::array<std::int64_t, Shape::kMaxRank> index{};
  const std::int64_t count = from.elements();
  for (std::int64_t n = 0; n < count; ++n) {
    std::int64_t source_offset = 0;
    std::int64_t target_offset = 0;
    for (std::size_t axis = 0; axis < rank; ++axis) {
      source_offset += (from[axis].begin + index[axis]) * source_strides[axis];
      target_offset += (to[axis].begin + index[axis]) * target_strides[axis];
    }
    out[target_offset] = static_cast<T>(out[target_offset] + in[source_offset]);
    for (std::size_t axis = rank; axis-- > 0;) {
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
