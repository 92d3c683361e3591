#pragma once

#include <memory>
#include <span>
#include <vector>

#include "narrows/engine/executor/activation.h"
#include "narrows/engine/executor/backend.h"
#include "narrows/engine/executor/kernels/table.h"
#include "narrows/engine/executor/step.h"
#include "narrows/engine/executor/team.h"
#include "narrows/engine/weight_reader.h"
#include "narrows/graph/graph.h"

/// What a program is made of. Each maker settles everything that does not depend on data; operands
/// may have any strides unless a maker says otherwise.
namespace narrows::executor {

/// What steps compute with.
struct StepTools {
  const KernelTable& kernels;
  Team& team;
};

using StepResult = Result<std::unique_ptr<Step>>;

/// target = source, element by element. Shapes and dtypes are equal.
std::unique_ptr<Step> makeCopy(const Operand& source, const Operand& target,
                               const StepTools& tools);
/// Every element of an f32 target becomes `value`.
std::unique_ptr<Step> makeFill(const Operand& target, float value, const StepTools& tools);

/// target = activation(source); f32.
std::unique_ptr<Step> makeActivation(const Activation& activation, const Operand& source,
                                     const Operand& target, const StepTools& tools);

/// Whether `makeBinary` has this kind.
bool hasBinary(BinaryKind kind);
/// target = activation(a kind b); f32; a and b are already broadcast to the target's shape.
std::unique_ptr<Step> makeBinary(BinaryKind kind, const Activation& activation, const Operand& a,
                                 const Operand& b, const Operand& target, const StepTools& tools);

/// Pools of f32 maps.
std::unique_ptr<Step> makeMaxPool(const Window2d& window, const Operand& source,
                                  const Operand& target, const StepTools& tools);
std::unique_ptr<Step> makeAveragePool(const Window2d& window, bool count_pads,
                                      const Operand& source, const Operand& target,
                                      const StepTools& tools);
/// Stores an f32 map in the integers of `map`, a dense map without an offset, which is the
/// target's.
std::unique_ptr<Step> makeQuantize(const Operand& source, const ScaledMap& map,
                                   const Operand& target, const StepTools& tools);

/// Whether `makeCompactPool` has this window.
bool hasCompactPool(const Window2d& window, const Shape& in, const Shape& out);
/// The largest of each window of a dense map of integers or bf16, stored as they are.
std::unique_ptr<Step> makeCompactPool(const Window2d& window, const Operand& source,
                                      const Operand& target, const StepTools& tools);
/// Maps to maps of one pixel.
std::unique_ptr<Step> makeGlobalPool(GlobalPoolKind kind, const Operand& source,
                                     const Operand& target, const StepTools& tools);

/// target (..., M, N) = a (..., M, K) b (..., K, N); f32. a and b are already broadcast to the
/// target's leading axes, adjacent in a are the elements of a row, and the target is row-major.
std::unique_ptr<Step> makeProduct(const Operand& a, const Operand& b, const Operand& target,
                                  const StepTools& tools);

/// Softmax of f32 tensors of any strides.
std::unique_ptr<Step> makeSoftmax(const Softmax& op, const Operand& source, const Operand& target,
                                  const StepTools& tools);

/// Picks row rows[y] and column columns[x] of a map for pixel (y, x) of another.
std::unique_ptr<Step> makePickPixels(std::vector<std::int64_t> rows,
                                     std::vector<std::int64_t> columns, const Operand& source,
                                     const Operand& target, const StepTools& tools);

/// A kernel of the backend. `residual` is ignored when the kernel's problem has none.
std::unique_ptr<Step> makeConvStep(std::unique_ptr<ConvKernel> kernel, const Operand& input,
                                   const Operand* residual, const Operand& output,
                                   const StepTools& tools);

/// A kernel on maps of any element.
std::unique_ptr<Step> makeByteStep(std::unique_ptr<ByteKernel> kernel, const Operand& input,
                                   const Operand* residual, const Operand& output,
                                   const StepTools& tools);

/// Where the weights of a streamed convolution are from one run to the next: results one after
/// another, or, of a product, inputs one after another.
struct WeightSource {
  std::shared_ptr<const Tensor> weights;
  std::vector<float> bias = {};  // empty when absent
  bool by_input = false;
  float factor = 1;
  /// Whom a run asks for them; null: it reads them where they are.
  WeightReader* reader = nullptr;
};
/// A convolution whose weights are packed in every run, some results at a time where the executor's
/// own kernel (`own`) computes it. `problem` has no weights.
StepResult makeStreamedConv(const ConvProblem& problem, WeightSource source, bool own,
                            std::shared_ptr<const Backend> backend, const Operand& input,
                            const Operand* residual, const Operand& output, const StepTools& tools);

/// The reference kernel of any operator. Operands are row-major without gaps; an absent optional
/// input is nullptr.
StepResult makeReferenceStep(const Op& op, std::span<const Operand* const> inputs,
                             std::span<const Operand> outputs);

}  // namespace narrows::executor
