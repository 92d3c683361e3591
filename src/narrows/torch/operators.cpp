#include "narrows/torch/operators.h"

namespace narrows::torched {

Tensors applyNode(const NodeContext& context, const Tensors& inputs) {
  return std::visit(
      [&](const auto& op) -> Tensors {
        if constexpr (std::is_same_v<std::decay_t<decltype(op)>, Split>) {
          return apply(op, context, inputs);
        } else {
          return {apply(op, context, inputs)};
        }
      },
      context.node.op);
}

}  // namespace narrows::torched
