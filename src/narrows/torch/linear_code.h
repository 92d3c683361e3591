#pragma once

#include <memory>
#include <string>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/tensor/tensor.h"

namespace narrows {

/// A map's channels x as k numbers z = encode x + encode_bias, and back as
/// x' = decode z + decode_bias. All f32.
struct LinearCode {
  Tensor encode;       // k x channels
  Tensor encode_bias;  // k
  Tensor decode;       // channels x k
  Tensor decode_bias;  // channels
};

/// Finds the linear code of a value's channels that changes the network's outputs least. With the
/// channels' covariance C and the mean outer product M of the outputs' gradients with respect to
/// them, the expected change is E[(x - x')' M (x - x')] to second order (Gauss-Newton); its minimum
/// over codes of k numbers is a principal component analysis of M^1/2 x: the k first eigenvectors V
/// of M^1/2 C M^1/2 give encode = V' M^1/2, and decode is the linear regression of x on z. Channels
/// that the rest of the network reads through at most k linear combinations are coded without loss.
/// M is estimated with random signs as weights of the outputs (Hutchinson 1990). The numbers z have
/// mean 0 and the channels' mean variance; those that would tell nothing are 0.
class LinearCodeFinder {
 public:
  /// The value is a map that the network's outputs depend on. Computes on `device` (see
  /// `TorchOptions`).
  static Result<LinearCodeFinder> create(const Graph& graph, const std::string& value,
                                         std::uint64_t seed, const std::string& device = "cpu");
  LinearCodeFinder(LinearCodeFinder&&) noexcept;
  LinearCodeFinder& operator=(LinearCodeFinder&&) noexcept;
  ~LinearCodeFinder();

  /// Takes the pictures (samples in axis 0) of a network with one input into account.
  Status add(TensorView pictures);

  /// 1 <= k <= channels; fails before anything was added.
  Result<LinearCode> find(std::int64_t k) const;

  /// The code with this encoder (k x channels, and k), whose decoder is the regression.
  Result<LinearCode> decoderFor(TensorView encode, TensorView encode_bias) const;

 private:
  struct State;
  explicit LinearCodeFinder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace narrows
