#include "narrows/tensor/dtype.h"

#include <array>
#include <utility>

#include "narrows/base/assert.h"

namespace narrows {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array kInfo = {
    DTypeInfo{DType::f32, "f32", 4}, DTypeInfo{DType::f64, "f64", 8},
    DTypeInfo{DType::f16, "f16", 2}, DTypeInfo{DType::i8, "i8", 1},
    DTypeInfo{DType::u8, "u8", 1},   DTypeInfo{DType::i16, "i16", 2},
    DTypeInfo{DType::u16, "u16", 2}, DTypeInfo{DType::i32, "i32", 4},
    DTypeInfo{DType::u32, "u32", 4}, DTypeInfo{DType::i64, "i64", 8},
    DTypeInfo{DType::u64, "u64", 8}, DTypeInfo{DType::boolean, "bool", 1},
};

const DTypeInfo& info(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  NARROWS_ASSERT(index < kInfo.size() && kInfo[index].dtype == dtype);
  return kInfo[index];
}

}  // namespace

std::size_t byteSize(DType dtype) {
  return info(dtype).bytes;
}

std::string_view toString(DType dtype) {
  return info(dtype).name;
}

std::optional<DType> parseDType(std::string_view name) {
  for (const DTypeInfo& entry : kInfo) {
    if (entry.name == name) return entry.dtype;
  }
  return std::nullopt;
}

bool isFloating(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::f16;
}

}  // namespace narrows
