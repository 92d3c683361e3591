#include "narrows/engine/reference/kernel.h"

#include "narrows/engine/reference/kernels.h"

namespace narrows::reference {

Result<Kernel> prepareKernel(const Op& op, const KernelTypes& types) {
  return std::visit([&](const auto& attributes) { return prepare(attributes, types); }, op);
}

}  // namespace narrows::reference
