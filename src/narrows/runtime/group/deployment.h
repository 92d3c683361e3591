#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/result.h"
#include "narrows/bundle/bundle.h"
#include "narrows/bundle/manifest.h"
#include "narrows/pipeline/exchange.h"

namespace narrows {

/// A bundle in the custody of a coordinator: its files, ready to be handed to the workers that
/// need them. Copies share the files.
class Deployment {
 public:
  /// Of a bundle on disk; its files are compared with their checksums and stay mapped.
  static Result<Deployment> open(const std::filesystem::path& path);
  /// Of a bundle in memory, whose files are written to a temporary directory first.
  static Result<Deployment> of(const Bundle& bundle);

  /// The same pieces, placed as `moveDevices` says.
  Result<Deployment> moved(std::span<const DeviceId> to) const;

  const Bundle& bundle() const { return *bundle_; }
  const Plan& plan() const { return bundle_->plan; }
  const Exchange& exchange() const { return *exchange_; }
  const std::string& manifest() const { return manifest_text_; }

  /// Whether a device has anything to do: pieces, of its own or to stand by with, something to
  /// send, or the head.
  bool takesPart(DeviceId device) const;
  /// What the device needs of the manifest: the plan, the description and its pieces, and
  /// the pieces of those that it stands by for.
  std::vector<ManifestFile> filesFor(DeviceId device) const;
  /// Contents of a file of the manifest; null when there is none with this SHA-256.
  std::shared_ptr<const MappedFile> file(const std::string& sha256) const;
  /// Multiply-accumulates of a device's pieces.
  std::int64_t macs(DeviceId device) const;

 private:
  Deployment() = default;

  std::shared_ptr<const TemporaryDirectory> temporary_;
  std::shared_ptr<const Bundle> bundle_;
  std::shared_ptr<const Exchange> exchange_;
  Manifest manifest_;
  std::string manifest_text_;
  FileMap files_;
};

}  // namespace narrows
