#pragma once

#include "narrows/vision/description.h"

namespace narrows {

/// Whether a network with such a head can be trained on the truth of a data set; any other one can
/// only imitate a teacher.
constexpr bool hasLabelLoss(HeadKind kind) {
  return kind == HeadKind::classification || kind == HeadKind::yolov2 || kind == HeadKind::yolov3 ||
         kind == HeadKind::yolov10;
}

}  // namespace narrows
