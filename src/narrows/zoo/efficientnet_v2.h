#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// EfficientNetV2-S (Tan and Le 2021, table 4) as torchvision builds it, with squeeze-and-excite by
/// SiLU and sigmoid: 21,458,488 parameters, 8.366 GMAC at 384 x 384.
Result<ZooModel> buildEfficientnetV2S(const ZooOptions& given);

}  // namespace narrows
