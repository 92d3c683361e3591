#include "narrows/engine/executor/activation.h"

namespace narrows::executor {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::optional<Activation> ofUnary(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::relu:
      return Activation{ActivationKind::clip, 0, kInfinity};
    case UnaryKind::sigmoid:
      return Activation{ActivationKind::sigmoid, 0, 0};
    case UnaryKind::silu:
      return Activation{ActivationKind::silu, 0, 0};
    case UnaryKind::tanh:
      return Activation{ActivationKind::tanh, 0, 0};
    case UnaryKind::hard_swish:
      return Activation{ActivationKind::hard_swish, 1.0F / 6.0F, 0.5F};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<Activation> activationOf(const Op& op) {
  if (const auto* unary = std::get_if<Unary>(&op)) return ofUnary(unary->kind);
  if (const auto* leaky = std::get_if<LeakyRelu>(&op))
    return Activation{ActivationKind::leaky, static_cast<float>(leaky->alpha), 0};
  if (const auto* clip = std::get_if<Clip>(&op)) {
    return Activation{ActivationKind::clip, static_cast<float>(clip->low),
                      static_cast<float>(clip->high)};
  }
  if (const auto* hard = std::get_if<HardSigmoid>(&op)) {
    return Activation{ActivationKind::hard_sigmoid, static_cast<float>(hard->alpha),
                      static_cast<float>(hard->beta)};
  }
  return std::nullopt;
}

std::optional<Activation> selfGated(const Activation& gate) {
  if (gate.kind == ActivationKind::sigmoid) return Activation{ActivationKind::silu, 0, 0};
  const Activation hard_swish = *ofUnary(UnaryKind::hard_swish);
  if (gate.kind == ActivationKind::hard_sigmoid && gate.alpha == hard_swish.alpha &&
      gate.beta == hard_swish.beta) {
    return hard_swish;
  }
  return std::nullopt;
}

}  // namespace narrows::executor
