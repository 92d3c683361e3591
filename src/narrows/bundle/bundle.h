#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"
#include "narrows/plan/plan.h"
#include "narrows/vision/description.h"

/// What is deployed: a plan, its pieces and the model's description, as a directory or as one file.
///
///   bundle.json      format version, name, files with size and SHA-256
///   plan.json        the plan with its interfaces
///   MODEL.toml       the description
///   pieces/P.onnx    one graph each; weights beside it in pieces/P.weights, aligned and mapped
///
/// The one-file form is the same tree as an uncompressed ustar archive with 64-byte aligned
/// members.
namespace narrows {

struct Bundle {
  std::string name;
  Plan plan;
  /// Graphs of `plan.pieces`, in that order.
  std::vector<Graph> pieces;
  ModelDescription description;
};

/// Current version of the format; readers refuse others by name.
inline constexpr int kBundleVersion = 1;

/// Checks the plan against the pieces, then writes. `path` must not exist; it appears whole or not
/// at all. A name that ends in ".narrows" gives the one-file form, any other a directory.
Status writeBundle(const Bundle& bundle, const std::filesystem::path& path);

struct BundleReadOptions {
  /// Pieces of other devices are left as empty graphs; an empty name reads all.
  std::string only_device;
  /// Compare every file with its SHA-256.
  bool verify_checksums = true;
};

/// Reads either form. Weights stay mapped. The error names the file in the bundle.
Result<Bundle> readBundle(const std::filesystem::path& path, const BundleReadOptions& options = {});

}  // namespace narrows
