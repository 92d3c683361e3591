#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// VGG-16 (Simonyan and Zisserman 2015, configuration D, without normalisation) as torchvision
/// builds it: 138,357,544 parameters, 15.470 GMAC at 224 x 224. At other sizes the last map is
/// averaged to 7 x 7.
Result<ZooModel> buildVgg16(const ZooOptions& given);

}  // namespace narrows
