#pragma once

#include <cstdint>
#include <memory>

#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/formats/darknet_reader.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

enum class DarknetBlock : std::uint8_t {
  /// (outputs, inputs...) of a convolution or connected layer.
  convolution,
  connected,
  biases,
  scales,
  means,
  /// Given out as (sqrt(variance) + 1e-6)^2, so that BatchNorm with epsilon 0 computes Darknet's
  /// (x - mean) / (sqrt(variance) + 1e-6).
  variances,
};

/// Where the weights of a network come from, in the order in which Darknet stores them.
class DarknetWeights {
 public:
  virtual ~DarknetWeights() = default;
  /// The next block, as an f32 tensor of `shape`.
  virtual Result<Tensor> take(const Shape& shape, DarknetBlock block) = 0;
};

/// Counts the weights of a network and checks `limit`. Its tensors have a type and no elements.
class DarknetWeightCount final : public DarknetWeights {
 public:
  explicit DarknetWeightCount(std::int64_t limit) : limit_(limit) {}
  Result<Tensor> take(const Shape& shape, DarknetBlock block) override;
  std::int64_t count() const { return count_; }

 private:
  std::int64_t limit_;
  std::int64_t count_ = 0;
};

/// The blocks of a weights file that must hold `expected` floats. Blocks are borrowed when `owner`
/// keeps `bytes` alive, and copied otherwise.
Result<std::unique_ptr<DarknetWeights>> openDarknetWeights(ByteSpan bytes,
                                                           std::shared_ptr<const MappedFile> owner,
                                                           std::int64_t expected);

std::unique_ptr<DarknetWeights> randomDarknetWeights(std::uint64_t seed);

}  // namespace narrows
