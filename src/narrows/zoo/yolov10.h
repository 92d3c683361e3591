#pragma once

#include "narrows/zoo/zoo.h"

namespace narrows {

/// YOLOv10-N (Wang et al. 2024) as it is deployed: the one-to-one head alone, and the 7 x 7 and 3 x
/// 3 depthwise branches of its large-kernel block merged into the former. 2,299,264 parameters once
/// normalisation is folded, 640 x 640, 80 classes; `size` is a multiple of 32. Layers carry the
/// names of the published code, "model.0" to "model.23". The output "boxes" (1, 4 + K, N) holds for
/// each cell of the three maps the distances to left, top, right and bottom in cells, then the
/// scores of the classes.
Result<ZooModel> buildYolov10n(const ZooOptions& given);

}  // namespace narrows
