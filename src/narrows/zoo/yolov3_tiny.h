#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// YOLOv3-tiny (Redmon and Farhadi 2018; darknet cfg/yolov3-tiny.cfg): input 416 x 416, 80 classes,
/// 2.782 GMAC, 8.86 M parameters. `size` is a multiple of 32.
Result<ZooModel> buildTinyYolov3(const ZooOptions& options);

/// The same at 160 x 160 with a quarter of the channels and 8 classes: runs in a millisecond or so.
Result<ZooModel> buildMiniYolo(const ZooOptions& options);

}  // namespace narrows
