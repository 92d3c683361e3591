#include "narrows/formats/onnx_operators.h"

#include <array>

namespace narrows {
namespace {

template <UnaryKind kKind>
Status unary(NodeImport& node) {
  return mapUnary(node, kKind);
}

template <BinaryKind kKind>
Status binary(NodeImport& node) {
  return mapBinary(node, kKind);
}

template <BinaryKind kKind>
Status variadic(NodeImport& node) {
  return mapVariadic(node, kKind);
}

template <ReduceKind kKind>
Status reduce(NodeImport& node) {
  return mapReduce(node, kKind);
}

template <bool kLargest>
Status argReduce(NodeImport& node) {
  return mapArgReduce(node, kLargest);
}

struct Entry {
  std::string_view name;
  OnnxMapper mapper;
};

constexpr std::array kOperators = {
    Entry{"Abs", unary<UnaryKind::abs>},
    Entry{"Acos", unary<UnaryKind::acos>},
    Entry{"Acosh", unary<UnaryKind::acosh>},
    Entry{"Add", binary<BinaryKind::add>},
    Entry{"And", binary<BinaryKind::logical_and>},
    Entry{"ArgMax", argReduce<true>},
    Entry{"ArgMin", argReduce<false>},
    Entry{"Asin", unary<UnaryKind::asin>},
    Entry{"Asinh", unary<UnaryKind::asinh>},
    Entry{"Atan", unary<UnaryKind::atan>},
    Entry{"Atanh", unary<UnaryKind::atanh>},
    Entry{"AveragePool", mapAveragePool},
    Entry{"BatchNormalization", mapBatchNormalization},
    Entry{"Cast", mapCast},
    Entry{"CastLike", mapCastLike},
    Entry{"Ceil", unary<UnaryKind::ceil>},
    Entry{"Celu", mapCelu},
    Entry{"Clip", mapClip},
    Entry{"Concat", mapConcat},
    Entry{"Constant", mapConstant},
    Entry{"ConstantOfShape", mapConstantOfShape},
    Entry{"Conv", mapConv},
    Entry{"ConvInteger", mapConvInteger},
    Entry{"ConvTranspose", mapConvTranspose},
    Entry{"Cos", unary<UnaryKind::cos>},
    Entry{"Cosh", unary<UnaryKind::cosh>},
    Entry{"DepthToSpace", mapDepthToSpace},
    Entry{"DequantizeLinear", mapDequantizeLinear},
    Entry{"Div", binary<BinaryKind::div>},
    Entry{"Dropout", mapDropout},
    Entry{"DynamicQuantizeLinear", mapDynamicQuantizeLinear},
    Entry{"Elu", mapElu},
    Entry{"Equal", binary<BinaryKind::equal>},
    Entry{"Erf", unary<UnaryKind::erf>},
    Entry{"Exp", unary<UnaryKind::exp>},
    Entry{"Expand", mapExpand},
    Entry{"Flatten", mapFlatten},
    Entry{"Floor", unary<UnaryKind::floor>},
    Entry{"Gather", mapGather},
    Entry{"GatherElements", mapGatherElements},
    Entry{"GatherND", mapGatherNd},
    Entry{"Gelu", mapGelu},
    Entry{"Gemm", mapGemm},
    Entry{"GlobalAveragePool", mapGlobalAveragePool},
    Entry{"GlobalLpPool", mapGlobalLpPool},
    Entry{"GlobalMaxPool", mapGlobalMaxPool},
    Entry{"Greater", binary<BinaryKind::greater>},
    Entry{"GreaterOrEqual", binary<BinaryKind::greater_equal>},
    Entry{"GroupNormalization", mapGroupNormalization},
    Entry{"HardSigmoid", mapHardSigmoid},
    Entry{"HardSwish", unary<UnaryKind::hard_swish>},
    Entry{"Identity", mapIdentity},
    Entry{"InstanceNormalization", mapInstanceNormalization},
    Entry{"IsInf", mapIsInf},
    Entry{"IsNaN", unary<UnaryKind::is_nan>},
    Entry{"LRN", mapLrn},
    Entry{"LayerNormalization", mapLayerNormalization},
    Entry{"LeakyRelu", mapLeakyRelu},
    Entry{"Less", binary<BinaryKind::less>},
    Entry{"LessOrEqual", binary<BinaryKind::less_equal>},
    Entry{"Log", unary<UnaryKind::log>},
    Entry{"LogSoftmax", mapLogSoftmax},
    Entry{"LpNormalization", mapLpNormalization},
    Entry{"LpPool", mapLpPool},
    Entry{"MatMul", mapMatMul},
    Entry{"MatMulInteger", mapMatMulInteger},
    Entry{"Max", variadic<BinaryKind::max>},
    Entry{"MaxPool", mapMaxPool},
    Entry{"Mean", mapMean},
    Entry{"MeanVarianceNormalization", mapMeanVarianceNormalization},
    Entry{"Min", variadic<BinaryKind::min>},
    Entry{"Mish", unary<UnaryKind::mish>},
    Entry{"Mod", mapMod},
    Entry{"Mul", binary<BinaryKind::mul>},
    Entry{"Neg", unary<UnaryKind::neg>},
    Entry{"NonMaxSuppression", mapNonMaxSuppression},
    Entry{"Not", unary<UnaryKind::logical_not>},
    Entry{"Or", binary<BinaryKind::logical_or>},
    Entry{"PRelu", mapPRelu},
    Entry{"Pad", mapPad},
    Entry{"Pow", binary<BinaryKind::pow>},
    Entry{"QLinearConv", mapQLinearConv},
    Entry{"QLinearMatMul", mapQLinearMatMul},
    Entry{"QuantizeLinear", mapQuantizeLinear},
    Entry{"RMSNormalization", mapRmsNormalization},
    Entry{"Range", mapRange},
    Entry{"Reciprocal", unary<UnaryKind::reciprocal>},
    Entry{"ReduceL1", reduce<ReduceKind::l1>},
    Entry{"ReduceL2", reduce<ReduceKind::l2>},
    Entry{"ReduceLogSum", reduce<ReduceKind::log_sum>},
    Entry{"ReduceLogSumExp", reduce<ReduceKind::log_sum_exp>},
    Entry{"ReduceMax", reduce<ReduceKind::max>},
    Entry{"ReduceMean", reduce<ReduceKind::mean>},
    Entry{"ReduceMin", reduce<ReduceKind::min>},
    Entry{"ReduceProd", reduce<ReduceKind::prod>},
    Entry{"ReduceSum", reduce<ReduceKind::sum>},
    Entry{"ReduceSumSquare", reduce<ReduceKind::sum_square>},
    Entry{"Relu", unary<UnaryKind::relu>},
    Entry{"Reshape", mapReshape},
    Entry{"Resize", mapResize},
    Entry{"Round", unary<UnaryKind::round>},
    Entry{"Scatter", mapScatterElements},
    Entry{"ScatterElements", mapScatterElements},
    Entry{"ScatterND", mapScatterNd},
    Entry{"Selu", mapSelu},
    Entry{"Shape", mapShape},
    Entry{"Shrink", mapShrink},
    Entry{"Sigmoid", unary<UnaryKind::sigmoid>},
    Entry{"Sign", unary<UnaryKind::sign>},
    Entry{"Sin", unary<UnaryKind::sin>},
    Entry{"Sinh", unary<UnaryKind::sinh>},
    Entry{"Size", mapSize},
    Entry{"Slice", mapSlice},
    Entry{"Softmax", mapSoftmax},
    Entry{"Softplus", unary<UnaryKind::softplus>},
    Entry{"Softsign", unary<UnaryKind::softsign>},
    Entry{"SpaceToDepth", mapSpaceToDepth},
    Entry{"Split", mapSplit},
    Entry{"Sqrt", unary<UnaryKind::sqrt>},
    Entry{"Squeeze", mapSqueeze},
    Entry{"Sub", binary<BinaryKind::sub>},
    Entry{"Sum", variadic<BinaryKind::add>},
    Entry{"Swish", mapSwish},
    Entry{"Tan", unary<UnaryKind::tan>},
    Entry{"Tanh", unary<UnaryKind::tanh>},
    Entry{"ThresholdedRelu", mapThresholdedRelu},
    Entry{"Tile", mapTile},
    Entry{"TopK", mapTopK},
    Entry{"Transpose", mapTranspose},
    Entry{"Unsqueeze", mapUnsqueeze},
    Entry{"Upsample", mapUpsample},
    Entry{"Where", mapWhere},
    Entry{"Xor", binary<BinaryKind::logical_xor>},
};

}  // namespace

OnnxMapper findOnnxMapper(std::string_view operator_name) {
  for (const Entry& entry : kOperators) {
    if (entry.name == operator_name) return entry.mapper;
  }
  return nullptr;
}

}  // namespace narrows
