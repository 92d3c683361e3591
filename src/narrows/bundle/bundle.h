#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/bundle/archive.h"
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
/// The one-file form is the same tree as an uncompressed ustar archive, whose members lie at
/// multiples of 512 bytes and are mapped in place. Any `tar` unpacks it into the directory form.
namespace narrows {

struct Bundle {
  std::string name;
  Plan plan;
  /// Graphs of `plan.pieces`, in that order.
  std::vector<Graph> pieces;
  ModelDescription description;
  /// SHA-256 over names and contents of all files, in hexadecimal: equal on two machines that hold
  /// the same bundle. Set by `readBundle`; `writeBundle` does not look at it.
  std::string digest;
};

/// Current version of the format; readers refuse others by name.
inline constexpr int kBundleVersion = 1;

/// Checks the plan against the pieces, then writes. `path` must not exist; it appears whole or not
/// at all. A name that ends in ".narrows" gives the one-file form, any other a directory. The same
/// bundle gives the same bytes. Names of pieces become file names: 1 to 64 letters, digits, "-",
/// "_" and ".", not starting with ".".
Status writeBundle(const Bundle& bundle, const std::filesystem::path& path);

struct BundleReadOptions {
  /// Pieces of other devices are left as empty graphs, and their files are neither opened nor
  /// needed; an empty name reads all. A name that the plan lacks is an error.
  std::string only_device;
  /// Compare every file with its SHA-256.
  bool verify_checksums = true;
};

/// Reads either form. Weights stay mapped. The error names the file in the bundle.
Result<Bundle> readBundle(const std::filesystem::path& path, const BundleReadOptions& options = {});

/// All files of a bundle in either form as they are, by name, bundle.json among them; nothing is
/// compared.
Result<FileMap> openBundleFiles(const std::filesystem::path& path);

}  // namespace narrows
