#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// AlexNet in one tower (Krizhevsky 2014, "One weird trick", without response normalisation) as
/// torchvision builds it: 61,100,840 parameters, 0.714 GMAC at 224 x 224. The two-tower network of
/// 2012 has other counts. At other sizes the last map is averaged to 6 x 6.
Result<ZooModel> buildAlexnet(const ZooOptions& given);

}  // namespace narrows
