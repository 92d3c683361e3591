#pragma once

#include <limits>
#include <optional>

#include "narrows/graph/ops.h"

namespace narrows::executor {

enum class ActivationKind : std::uint8_t {
  none,
  clip,          // min(max(x, alpha), beta)
  leaky,         // x < 0 ? alpha * x : x
  sigmoid,       // 1 / (1 + exp(-x))
  silu,          // x * sigmoid(x)
  hard_sigmoid,  // min(max(alpha * x + beta, 0), 1)
  hard_swish,    // x * min(max(x / 6 + 1 / 2, 0), 1)
  tanh,
};

/// A function of one number that a kernel can apply to what it has just computed.
struct Activation {
  ActivationKind kind = ActivationKind::none;
  float alpha = 0;
  float beta = 0;

  friend bool operator==(const Activation&, const Activation&) = default;
};

/// The activation that an operator of one input is; nullopt for other operators.
std::optional<Activation> activationOf(const Op& op);
/// x * f(x) as one activation, where there is one.
std::optional<Activation> selfGated(const Activation& gate);

}  // namespace narrows::executor
