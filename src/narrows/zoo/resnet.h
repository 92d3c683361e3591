#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// ResNet-18 (He et al. 2016, table 1) as torchvision builds it: 11,689,512 parameters, 1.814 GMAC
/// at 224 x 224.
Result<ZooModel> buildResnet18(const ZooOptions& options);

/// ResNet-50 as torchvision builds it, with the stride in the 3 x 3 convolution of a bottleneck:
/// 25,557,032 parameters, 4.089 GMAC at 224 x 224.
Result<ZooModel> buildResnet50(const ZooOptions& options);

}  // namespace narrows
