#include "narrows/engine/reference/element.h"
#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {
namespace {

/// `make(Tag<T>)` for any dtype.
template <class Make>
Result<Kernel> forAny(DType dtype, Make&& make) {
  if (dtype == DType::f16) return make(Tag<Half>());
  if (dtype == DType::boolean) return make(Tag<Bool>());
  return forNumber(dtype, make);
}

template <class From, class To>
Status castAll(const KernelTensors& t) {
  const From* x = elements<From>(t.inputs[0]);
  To* y = elements<To>(t.outputs[0]);
  const std::int64_t count = t.inputs[0].type().elements();
  for (std::int64_t i = 0; i < count; ++i) y[i] = convert<To>(x[i]);
  return {};
}

}  // namespace

Result<Kernel> prepare(const Cast& op, const KernelTypes& types) {
  const auto choose = [&](auto from) -> Kernel {
    const auto finish = [&](auto to) -> Kernel {
      return castAll<TypeOf<decltype(from)>, TypeOf<decltype(to)>>;
    };
    auto chosen = forAny(op.to, finish);
    return chosen.ok() ? std::move(*chosen) : Kernel();
  };
  return forAny(types.inputs[0].dtype, choose);
}

}  // namespace narrows::reference
