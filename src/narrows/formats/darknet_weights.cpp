#include "narrows/formats/darknet_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

#include "narrows/tensor/absent.h"

namespace narrows {
namespace {

constexpr double kDarknetEpsilon = 1e-6;

class FileWeights final : public DarknetWeights {
 public:
  FileWeights(ByteSpan floats, std::shared_ptr<const MappedFile> owner, bool transposed)
      : floats_(floats), owner_(std::move(owner)), transposed_(transposed) {}

  Result<Tensor> take(const Shape& shape, DarknetBlock block) override {
    const TensorType type{DType::f32, shape};
    NARROWS_TRY(bytes, floats_.take(type.bytes(), "a block of weights"));
    Tensor tensor = read(type, bytes);
    if (block == DarknetBlock::variances) return shifted(tensor);
    if (block == DarknetBlock::connected && transposed_) return flipped(tensor);
    return tensor;
  }

 private:
  Tensor read(const TensorType& type, ByteSpan bytes) const {
    const bool aligned = reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(float) == 0;
    if (owner_ && aligned) return Tensor::borrow(type, bytes.data(), owner_);
    Tensor tensor(type);
    std::memcpy(tensor.mutableView().bytes().data(), bytes.data(), bytes.size());
    return tensor;
  }

  static Result<Tensor> shifted(const Tensor& variances) {
    Tensor result(variances.type());
    for (std::size_t i = 0; i < variances.as<float>().size(); ++i) {
      const double variance = static_cast<double>(variances.as<float>()[i]);
      if (!(variance >= 0)) return makeError("variance {} is {}", i, variance);
      const double deviation = std::sqrt(variance) + kDarknetEpsilon;
      result.mutableAs<float>()[i] = static_cast<float>(deviation * deviation);
    }
    return result;
  }

  /// From (inputs, outputs), as very old files have it, to (outputs, inputs).
  static Tensor flipped(const Tensor& weights) {
    Tensor result(weights.type());
    const auto outputs = static_cast<std::size_t>(weights.shape()[0]);
    const auto inputs = static_cast<std::size_t>(weights.shape()[1]);
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t i = 0; i < inputs; ++i) {
        result.mutableAs<float>()[o * inputs + i] = weights.as<float>()[i * outputs + o];
      }
    }
    return result;
  }

  ByteReader floats_;
  std::shared_ptr<const MappedFile> owner_;
  bool transposed_;
};

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}
  /// Uniform in (0, 1).
  double uniform() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
  }
  /// Standard normal, by Box and Muller (1958).
  double normal() {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

class RandomWeights final : public DarknetWeights {
 public:
  explicit RandomWeights(std::uint64_t seed) : generator_(seed) {}

  Result<Tensor> take(const Shape& shape, DarknetBlock block) override {
    Tensor tensor(DType::f32, shape);
    const auto values = tensor.mutableAs<float>();
    if (block == DarknetBlock::scales) std::fill(values.begin(), values.end(), 1.0f);
    if (block == DarknetBlock::variances) std::fill(values.begin(), values.end(), 1.0f);
    if (block != DarknetBlock::convolution && block != DarknetBlock::connected) return tensor;
    const double inputs = static_cast<double>(shape.elements()) / static_cast<double>(shape[0]);
    const double deviation = std::sqrt(2.0 / inputs);
    for (float& value : values) value = static_cast<float>(deviation * generator_.normal());
    return tensor;
  }

 private:
  Generator generator_;
};

}  // namespace

Result<Tensor> DarknetWeightCount::take(const Shape& shape, DarknetBlock) {
  if (shape.elements() > limit_ - count_) {
    return makeError("the network has more than {} weights", limit_);
  }
  count_ += shape.elements();
  return withoutElements({DType::f32, shape});
}

Result<std::unique_ptr<DarknetWeights>> openDarknetWeights(ByteSpan bytes,
                                                           std::shared_ptr<const MappedFile> owner,
                                                           std::int64_t expected) {
  ByteReader reader(bytes);
  NARROWS_TRY(major, reader.read<std::int32_t>("the major version"));
  NARROWS_TRY(minor, reader.read<std::int32_t>("the minor version"));
  NARROWS_CHECK(reader.read<std::int32_t>("the revision"));
  const std::int64_t version = std::int64_t{major} * 10 + minor;
  const bool wide = version >= 2 && major < 1000 && minor < 1000;
  NARROWS_CHECK(reader.take(wide ? 8 : 4, "the count of images seen"));
  const std::size_t held = reader.remaining() / sizeof(float);
  const std::size_t odd = reader.remaining() % sizeof(float);
  if (odd != 0 || held != static_cast<std::size_t>(expected)) {
    return makeError("the file holds {} floats{}, the network needs {}", held,
                     odd == 0 ? "" : fmt::format(" and {} bytes", odd), expected);
  }
  return std::unique_ptr<DarknetWeights>(std::make_unique<FileWeights>(
      bytes.subspan(reader.offset()), std::move(owner), major > 1000 || minor > 1000));
}

std::unique_ptr<DarknetWeights> randomDarknetWeights(std::uint64_t seed) {
  return std::make_unique<RandomWeights>(seed);
}

}  // namespace narrows
