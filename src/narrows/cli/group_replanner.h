#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "narrows/cli/model_source.h"
#include "narrows/runtime/group/coordinator.h"

namespace narrows {

/// The network and the devices of a plan, so that a group that changes is planned anew.
struct ReplanOptions {
  ModelOptions model;
  std::string devices;
  std::string objective = "latency";
};

void addReplanOptions(CLI::App& app, ReplanOptions& options);

/// Plans for the devices that are left. An empty function without a model: then shares move as they
/// are. The model is read once; its answers are read by `description`.
Result<Replanner> makeReplanner(const ReplanOptions& options, const ModelDescription& description);

}  // namespace narrows
