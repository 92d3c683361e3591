#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// MobileNetV2 (Sandler et al. 2018, table 2) as torchvision builds it: 3,504,872 parameters,
/// 0.301 GMAC at 224 x 224. `width` is the paper's multiplier: the last convolution never gets
/// narrower than 1280.
Result<ZooModel> buildMobilenetV2(const ZooOptions& given);

}  // namespace narrows
