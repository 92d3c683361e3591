#pragma once

#include <string_view>

#include "narrows/formats/onnx_import.h"

namespace narrows {

/// Maps one node of the file to operators of the graph.
using OnnxMapper = Status (*)(NodeImport&);

/// Null for an operator that is not supported.
OnnxMapper findOnnxMapper(std::string_view operator_name);

Status mapConv(NodeImport& node);
Status mapConvTranspose(NodeImport& node);
Status mapMaxPool(NodeImport& node);
Status mapAveragePool(NodeImport& node);
Status mapGlobalAveragePool(NodeImport& node);
Status mapGlobalMaxPool(NodeImport& node);
Status mapLpPool(NodeImport& node);
Status mapGlobalLpPool(NodeImport& node);

Status mapUnary(NodeImport& node, UnaryKind kind);
Status mapBinary(NodeImport& node, BinaryKind kind);
Status mapVariadic(NodeImport& node, BinaryKind kind);
Status mapMean(NodeImport& node);
Status mapMod(NodeImport& node);
Status mapIsInf(NodeImport& node);
Status mapLeakyRelu(NodeImport& node);
Status mapElu(NodeImport& node);
Status mapSelu(NodeImport& node);
Status mapCelu(NodeImport& node);
Status mapHardSigmoid(NodeImport& node);
Status mapGelu(NodeImport& node);
Status mapSwish(NodeImport& node);
Status mapThresholdedRelu(NodeImport& node);
Status mapShrink(NodeImport& node);
Status mapClip(NodeImport& node);
Status mapPRelu(NodeImport& node);
Status mapWhere(NodeImport& node);
Status mapCast(NodeImport& node);
Status mapCastLike(NodeImport& node);
Status mapIdentity(NodeImport& node);

Status mapSoftmax(NodeImport& node);
Status mapLogSoftmax(NodeImport& node);
Status mapBatchNormalization(NodeImport& node);
Status mapLrn(NodeImport& node);
Status mapInstanceNormalization(NodeImport& node);
Status mapGroupNormalization(NodeImport& node);
Status mapLayerNormalization(NodeImport& node);
Status mapRmsNormalization(NodeImport& node);
Status mapLpNormalization(NodeImport& node);
Status mapMeanVarianceNormalization(NodeImport& node);
Status mapDropout(NodeImport& node);
Status mapGemm(NodeImport& node);
Status mapMatMul(NodeImport& node);

Status mapReduce(NodeImport& node, ReduceKind kind);
Status mapArgReduce(NodeImport& node, bool largest);

Status mapReshape(NodeImport& node);
Status mapFlatten(NodeImport& node);
Status mapSqueeze(NodeImport& node);
Status mapUnsqueeze(NodeImport& node);
Status mapTranspose(NodeImport& node);
Status mapConcat(NodeImport& node);
Status mapSplit(NodeImport& node);
Status mapSlice(NodeImport& node);
Status mapGather(NodeImport& node);
Status mapPad(NodeImport& node);
Status mapExpand(NodeImport& node);
Status mapTile(NodeImport& node);
Status mapDepthToSpace(NodeImport& node);
Status mapSpaceToDepth(NodeImport& node);
Status mapResize(NodeImport& node);
Status mapUpsample(NodeImport& node);

Status mapGatherElements(NodeImport& node);
Status mapGatherNd(NodeImport& node);
Status mapScatterElements(NodeImport& node);
Status mapScatterNd(NodeImport& node);
Status mapTopK(NodeImport& node);
Status mapNonMaxSuppression(NodeImport& node);

Status mapQuantizeLinear(NodeImport& node);
Status mapDequantizeLinear(NodeImport& node);
Status mapDynamicQuantizeLinear(NodeImport& node);
Status mapQLinearConv(NodeImport& node);
Status mapQLinearMatMul(NodeImport& node);
Status mapConvInteger(NodeImport& node);
Status mapMatMulInteger(NodeImport& node);

Status mapConstant(NodeImport& node);
Status mapConstantOfShape(NodeImport& node);
Status mapShape(NodeImport& node);
Status mapSize(NodeImport& node);
Status mapRange(NodeImport& node);

}  // namespace narrows
