#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/bundle/bundle_files.h"
#include "narrows/bundle/manifest.h"
#include "narrows/graph/graph.h"
#include "narrows/plan/plan.h"
#include "narrows/vision/description.h"

namespace narrows {

/// A bundle whose pieces are read one at a time.
class BundlePieces {
 public:
  struct Options {
    /// Compare every file with its SHA-256 when it is read.
    bool verify_checksums = true;
    /// Leave out the files of weights in that: comparing reads all of them.
    bool verify_weights = true;
  };
  /// Reads plan and description. Errors name the file in the bundle.
  static Result<BundlePieces> open(const std::filesystem::path& path, const Options& options);

  const std::string& name() const { return manifest_.name; }
  const std::string& digest() const { return manifest_.digest; }
  const Plan& plan() const { return plan_; }
  const ModelDescription& description() const { return description_; }
  const BundleFiles& files() const { return files_; }

  struct Opened {
    Graph graph;
    /// Mapped as long as somebody holds it; null for a piece without large weights.
    std::shared_ptr<const MappedFile> weights;
    BundleFiles::Place place;  // of the weights
  };
  /// Checks the graph against the plan.
  Result<Opened> read(PieceId id) const;

  /// Every file is listed and every listed file has a use.
  Status checkNothingElse() const;

 private:
  explicit BundlePieces(BundleFiles files, const Options& options)
      : files_(std::move(files)), options_(options) {}
  Status readTexts();
  Result<std::shared_ptr<const MappedFile>> file(const std::string& name, bool verify) const;
  Result<std::string> text(const std::string& name) const;
  static std::string modelPath(const Piece& piece);
  static std::string weightsPath(const Piece& piece);

  BundleFiles files_;
  Options options_;
  Manifest manifest_;
  Plan plan_;
  ModelDescription description_;
};

}  // namespace narrows
