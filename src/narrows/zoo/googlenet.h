#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// The network that partitioning studies on Darknet call GoogLeNet: "Extraction" (darknet
/// cfg/extraction.cfg), whose 1 x 1 and 3 x 3 convolutions replace the inception modules; the trunk
/// of the first YOLO (Redmon et al. 2016). 4.259 GMAC at 224 x 224 (published: 8.52 Bn operations).
/// `size` is a multiple of 32.
Result<ZooModel> buildGooglenet(const ZooOptions& given);

}  // namespace narrows
