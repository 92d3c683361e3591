#include <array>
#include <numeric>

#include "narrows/engine/executor/lowering.h"
#include "narrows/engine/reference/kernel.h"

namespace narrows::executor {
namespace {

/// Which input position each output position along `axis` takes: the reference kernel's answer for
/// an axis that holds its own positions.
Result<std::vector<std::int64_t>> pickedPositions(const Resize& op, std::int64_t extent,
                                                  std::size_t axis) {
  Resize along = op;
  along.sizes = {op.sizes[axis]};
  along.scales = {op.scales[axis]};
  std::vector<float> positions(static_cast<std::size_t>(extent));
  std::iota(positions.begin(), positions.end(), 0.0F);
  const Tensor input = Tensor::from<float>(Shape{extent}, positions);
  Tensor output(DType::f32, Shape{op.sizes[axis]});
  const std::array input_types{input.type()};
  const std::array output_types{output.type()};
  NARROWS_TRY(kernel, reference::prepareKernel(along, {input_types, output_types}));
  const std::array inputs{input.view()};
  const std::array outputs{output.mutableView()};
  NARROWS_CHECK(kernel({inputs, outputs}));
  std::vector<std::int64_t> picked;
  for (float position : output.as<float>()) picked.push_back(static_cast<std::int64_t>(position));
  return picked;
}

}  // namespace

/// Nearest-neighbour resampling of rows and columns copies whole pixels.
bool Lowering::lowerResize(const Node& node, const Resize& op) {
  constexpr std::int64_t kExactFloats = std::int64_t{1} << 24;
  const Shape& in = graph_.shape(node.inputs[0]);
  if (op.mode != ResizeMode::nearest || in.rank() != 4 || in.elements() == 0) return false;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (op.sizes[axis] != in[axis] || op.scales[axis] != 1) return false;
  }
  if (in[2] > kExactFloats || in[3] > kExactFloats) return false;
  auto rows = pickedPositions(op, in[2], 2);
  auto columns = pickedPositions(op, in[3], 3);
  if (!rows.ok() || !columns.ok()) return false;
  const Operand x = inForm(node.inputs[0], Form::map);
  const Operand y = mapTarget(node.outputs[0]);
  emit(makePickPixels(std::move(*rows), std::move(*columns), x, y, tools_), std::array{x, y});
  define(node.outputs[0], y);
  return true;
}

}  // namespace narrows::executor
