#pragma once

#include "narrows/cli/tighten_options.h"
#include "narrows/cli/train_options.h"

namespace narrows {

/// The commands of narrows-train. Exit codes as everywhere.
int trainCommand(const TrainOptions& options);
int tightenCommand(const TightenOptions& options);

}  // namespace narrows
