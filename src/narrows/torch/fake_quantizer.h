#pragma once

#include <optional>

#include "narrows/codec/params.h"
#include "narrows/codec/rate_table.h"
#include "narrows/torch/aten.h"

namespace narrows::torched {

/// The codec's quantizer within a network: forwards what the other side of the link will hold, bit
/// for bit, and backwards a declared surrogate.
///
/// uniform: the gradient passes where x lies within half a step of the levels' range and is 0
/// beyond (straight-through estimator, Bengio et al. 2013). With learned parameters d/dstep is
/// q - (x - low) / step inside and q outside, d/dlow 0 inside and 1 outside, both times
/// 1 / sqrt(elements of an entry * top symbol) (LSQ, Esser et al. 2020, equations 3 and
/// section 2.2, with LSQ+'s offset, Bhalgat et al. 2020). two_level: the gradient passes where x
/// lies within one range of the threshold. levels: the gradient passes where x lies between the
/// ends that are half the distance to their neighbours beyond the lowest and the highest level;
/// that of a learned level is the sum of the gradients of the elements that it stands for, times
/// the same factor.
class FakeQuantizer {
 public:
  /// Entries are those of one sample's type. Not for QuantizerKind::none.
  static Result<FakeQuantizer> create(const TensorType& type, const QuantizerParams& params,
                                      bool learned, const at::TensorOptions& place);

  at::Tensor quantized(const at::Tensor& x) const;
  /// Mean over the elements of the squared distance to the nearest level: what the clustering loss
  /// weighs (a reconstruction of TCL, Berg et al. 2025, whose formula is not public). Levels are
  /// constants in it.
  at::Tensor clustering(const at::Tensor& x) const;
  /// Expected bits of all samples under the context coder's code lengths: the length of the nearest
  /// levels' code, and for each symbol the mean change when it alone is drawn anew, symbol s with
  /// probability softmax(-((x - level s) / step)^2 / kTemperature), step being the mean distance of
  /// neighbours for QuantizerKind::levels. Contexts are those of the nearest levels, in the
  /// gradient too. For up to 4 bits.
  at::Tensor expectedBits(const at::Tensor& x, const RateTable& table) const;

  /// Symbols of one sample, as the codec gives them.
  std::vector<std::uint8_t> symbols(const at::Tensor& sample) const;

  QuantizerParams params() const;
  Status setParams(const QuantizerParams& params);
  bool learned() const { return learned_; }
  struct Part {
    const char* name;
    at::Tensor tensor;
  };
  /// Low ends and steps, or levels: leaves of the gradient when learned.
  std::vector<Part> parts() const;
  /// Steps are kept above zero and levels in order; to be called after they were changed.
  void keepValid();

  static constexpr double kTemperature = 0.1;

 private:
  at::Tensor nearestLevel(const at::Tensor& x) const;

  FakeQuantizer(const TensorType& type, QuantizerKind kind, int bits, Granularity granularity,
                bool learned)
      : type_(type), kind_(kind), bits_(bits), granularity_(granularity), learned_(learned) {}

  TensorType type_;
  QuantizerKind kind_;
  int bits_;
  Granularity granularity_;
  bool learned_;
  at::Tensor low_;     // broadcasts over a batch of maps
  at::Tensor step_;    // likewise
  at::Tensor levels_;  // of rank 1
};

}  // namespace narrows::torched
