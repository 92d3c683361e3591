#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// SqueezeNet 1.0 (Iandola et al. 2016) as torchvision builds it: 1,248,424 parameters, 0.819 GMAC
/// at 224 x 224. The Caffe release takes 227 x 227 and pads its last convolution by 1.
Result<ZooModel> buildSqueezenet(const ZooOptions& given);

}  // namespace narrows
