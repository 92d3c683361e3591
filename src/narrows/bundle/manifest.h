#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "narrows/base/result.h"

/// `bundle.json`:
///
///   {"format": "narrows-bundle", "version": 1, "name": "yolo at conv8",
///    "files": [{"path": "plan.json", "size": 1234, "sha256": "..."}, ...],
///    "digest": "..."}
///
/// The digest is the SHA-256 of the same document without it, formatted as `formatJson` does.
namespace narrows {

struct ManifestFile {
  std::string path;
  std::uint64_t size = 0;
  std::string sha256;
};

struct Manifest {
  std::string name;
  /// All files but bundle.json, by path.
  std::vector<ManifestFile> files;
  std::string digest;

  /// Null when there is no such file.
  const ManifestFile* find(std::string_view path) const;
};

/// Sets the digest.
std::string formatManifest(Manifest& manifest);
/// Fails on another format or version, paths that are no plain relative ones or occur twice, and a
/// digest that does not fit.
Result<Manifest> parseManifest(std::string_view text, std::string_view origin);

}  // namespace narrows
