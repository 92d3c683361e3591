#include "narrows/torch/operators.h"

#include <type_traits>

namespace narrows::torched {
namespace {

/// Operators that pick elements by index: they end a network, behind everything that is trained.
template <class T>
constexpr bool kPicks = std::is_same_v<T, GatherElements> || std::is_same_v<T, GatherNd> ||
                        std::is_same_v<T, ScatterElements> || std::is_same_v<T, ScatterNd> ||
                        std::is_same_v<T, TopK> || std::is_same_v<T, NonMaxSuppression>;

}  // namespace

Tensors applyNode(const NodeContext& context, const Tensors& inputs) {
  return std::visit(
      [&](const auto& op) -> Tensors {
        using Type = std::decay_t<decltype(op)>;
        if constexpr (kPicks<Type>) {
          throw std::runtime_error(fmt::format("node \"{}\": {} is not run on libtorch",
                                               context.node.name, Type::kName));
        } else if constexpr (std::is_same_v<Type, Split>) {
          return apply(op, context, inputs);
        } else {
          return {apply(op, context, inputs)};
        }
      },
      context.node.op);
}

}  // namespace narrows::torched
