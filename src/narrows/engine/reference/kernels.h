#pragma once

#include "narrows/engine/reference/kernel.h"

namespace narrows::reference {

// One overload for each operator; `prepareKernel` visits them.
Result<Kernel> prepare(const Conv2d& op, const KernelTypes& types);
Result<Kernel> prepare(const ConvTranspose2d& op, const KernelTypes& types);
Result<Kernel> prepare(const MaxPool2d& op, const KernelTypes& types);
Result<Kernel> prepare(const AveragePool2d& op, const KernelTypes& types);
Result<Kernel> prepare(const GlobalPool& op, const KernelTypes& types);
Result<Kernel> prepare(const BatchNorm& op, const KernelTypes& types);
Result<Kernel> prepare(const LocalResponseNorm& op, const KernelTypes& types);
Result<Kernel> prepare(const Gemm& op, const KernelTypes& types);
Result<Kernel> prepare(const MatMul& op, const KernelTypes& types);
Result<Kernel> prepare(const Unary& op, const KernelTypes& types);
Result<Kernel> prepare(const LeakyRelu& op, const KernelTypes& types);
Result<Kernel> prepare(const Elu& op, const KernelTypes& types);
Result<Kernel> prepare(const Clip& op, const KernelTypes& types);
Result<Kernel> prepare(const HardSigmoid& op, const KernelTypes& types);
Result<Kernel> prepare(const PRelu& op, const KernelTypes& types);
Result<Kernel> prepare(const Binary& op, const KernelTypes& types);
Result<Kernel> prepare(const Where& op, const KernelTypes& types);
Result<Kernel> prepare(const Softmax& op, const KernelTypes& types);
Result<Kernel> prepare(const Concat& op, const KernelTypes& types);
Result<Kernel> prepare(const Split& op, const KernelTypes& types);
Result<Kernel> prepare(const Slice& op, const KernelTypes& types);
Result<Kernel> prepare(const Gather& op, const KernelTypes& types);
Result<Kernel> prepare(const Pad& op, const KernelTypes& types);
Result<Kernel> prepare(const Resize& op, const KernelTypes& types);
Result<Kernel> prepare(const Transpose& op, const KernelTypes& types);
Result<Kernel> prepare(const Reshape& op, const KernelTypes& types);
Result<Kernel> prepare(const Expand& op, const KernelTypes& types);
Result<Kernel> prepare(const Tile& op, const KernelTypes& types);
Result<Kernel> prepare(const Reduce& op, const KernelTypes& types);
Result<Kernel> prepare(const ArgReduce& op, const KernelTypes& types);
Result<Kernel> prepare(const Cast& op, const KernelTypes& types);
Result<Kernel> prepare(const Identity& op, const KernelTypes& types);
Result<Kernel> prepare(const DepthToSpace& op, const KernelTypes& types);
Result<Kernel> prepare(const SpaceToDepth& op, const KernelTypes& types);
Result<Kernel> prepare(const GatherElements& op, const KernelTypes& types);
Result<Kernel> prepare(const GatherNd& op, const KernelTypes& types);
Result<Kernel> prepare(const ScatterElements& op, const KernelTypes& types);
Result<Kernel> prepare(const ScatterNd& op, const KernelTypes& types);
Result<Kernel> prepare(const TopK& op, const KernelTypes& types);
Result<Kernel> prepare(const NonMaxSuppression& op, const KernelTypes& types);

}  // namespace narrows::reference
