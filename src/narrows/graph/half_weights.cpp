#include "narrows/graph/half_weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "narrows/graph/copy.h"
#include "narrows/tensor/half.h"

namespace narrows {
namespace {

/// From here on rounding to f16 gives infinity.
constexpr float kTooLarge = 65520;

bool canBeHalved(const Value& value) {
  if (!value.isConstant() || value.type.dtype != DType::f32) return false;
  if (value.type.shape.rank() < 2 || value.type.elements() <= kSmallWeights) return false;
  const auto elements = value.constant->as<float>();
  return std::all_of(elements.begin(), elements.end(),
                     [](float x) { return std::fabs(x) < kTooLarge; });
}

Tensor halved(const Tensor& wide) {
  Tensor half(TensorType{DType::f16, wide.shape()});
  std::byte* to = half.mutableView().bytes().data();
  for (const float x : wide.as<float>()) {
    const std::uint16_t bits = floatToHalf(x);
    std::memcpy(to, &bits, sizeof bits);
    to += sizeof bits;
  }
  return half;
}

}  // namespace

Result<Graph> halveWeights(const Graph& graph) {
  GraphCopy copy(graph);
  copy.addInputs();
  for (std::size_t i = 0; i < graph.valueCount(); ++i) {
    const ValueId id(i);
    const Value& value = graph.value(id);
    if (!canBeHalved(value)) continue;
    const ValueId half = copy.graph().addConstant(value.name + ".half", halved(*value.constant));
    NARROWS_TRY(wide, copy.graph().add(Cast{DType::f32}, {half}, value.name + ".cast", value.name));
    copy.map(id, wide);
  }
  for (std::size_t i = 0; i < graph.nodeCount(); ++i) NARROWS_CHECK(copy.copyNode(NodeId(i)));
  NARROWS_CHECK(copy.setOutputs(graph.outputs()));
  return std::move(copy).take();
}

}  // namespace narrows
