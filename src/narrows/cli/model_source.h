#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/vision/description.h"

namespace narrows {

/// How a command's user names a model.
struct ModelOptions {
  /// PATH.onnx, PATH.cfg or zoo:NAME...
  std::string model;
  /// Of a .cfg, when not beside it.
  std::string weights;
  /// MODEL.toml.
  std::string description;
  /// For random weights of zoo networks and of a .cfg without a weights file.
  std::uint64_t seed = 1;
  /// Clean-up passes to leave out.
  std::vector<std::string> without_passes;
  /// The caller counts and does not run: networks without trained weights get none at all.
  bool types_only = false;
};

/// A model, simplified and ready to be cut.
struct LoadedModel {
  std::string name;
  Graph graph;
  /// Absent when none was given, found or derived.
  std::optional<ModelDescription> description;
  /// Where the description came from, for a line to the user.
  std::string description_origin;
  /// The weights are random: predictions mean nothing.
  bool untrained = false;
};

/// The networks of the zoo, one line each.
std::string zooSummary();

/// Adds the positional MODEL and the options that belong to it.
void addModelOptions(CLI::App& app, ModelOptions& options);
/// The words that make `addModelOptions` read these options again, for another command.
std::vector<std::string> modelArguments(const ModelOptions& options);

/// Reads, simplifies and names the model. The description comes from the option, else MODEL.toml or
/// STEM.toml beside the model, else the shipped one of that stem, else the sections of a .cfg.
Result<LoadedModel> loadModel(const ModelOptions& options);

/// The description, or an error that says how to give one.
Result<ModelDescription> requireDescription(const LoadedModel& model);

}  // namespace narrows
