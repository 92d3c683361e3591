#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// YOLOv2 (Redmon and Farhadi 2017; darknet cfg/yolov2.cfg): 608 x 608, 80 classes, 31.47 GMAC
/// (published: 62.94 Bn operations). `size` is a multiple of 32. The pass-through layer is
/// Darknet's reorg, whose order of elements is not that of a space-to-depth.
Result<ZooModel> buildYolov2(const ZooOptions& given);

}  // namespace narrows
