#include "narrows/bundle/bundle.h"
#include "narrows/bundle/bundle_pieces.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

Status checkDevice(const Plan& plan, const std::string& wanted) {
  if (wanted.empty()) return {};
  std::string known;
  for (const Device& device : plan.devices) {
    if (device.name == wanted) return {};
    known += (known.empty() ? "" : ", ") + device.name;
  }
  return makeError("plan.json: there is no device \"{}\"; known are {}", wanted, known);
}

Result<Bundle> readAll(const BundlePieces& pieces, const std::string& only_device) {
  NARROWS_CHECK(checkDevice(pieces.plan(), only_device));
  Bundle bundle;
  bundle.name = pieces.name();
  bundle.digest = pieces.digest();
  bundle.plan = pieces.plan();
  bundle.description = pieces.description();
  for (std::size_t i = 0; i < bundle.plan.pieces.size(); ++i) {
    const DeviceId device = bundle.plan.pieces[i].device;
    if (!only_device.empty() && bundle.plan.devices[device.index()].name != only_device) {
      bundle.pieces.emplace_back();
      continue;
    }
    NARROWS_TRY(opened, pieces.read(PieceId(i)));
    bundle.pieces.push_back(std::move(opened.graph));
  }
  NARROWS_CHECK(pieces.checkNothingElse());
  return bundle;
}

}  // namespace

Result<Bundle> readBundle(const fs::path& path, const BundleReadOptions& options) {
  NARROWS_TRY(pieces, BundlePieces::open(path, {options.verify_checksums, true}));
  return readAll(pieces, options.only_device).within(path.string());
}

Result<FileMap> openBundleFiles(const fs::path& path) {
  NARROWS_TRY(source, BundleFiles::open(path).within(path.string()));
  NARROWS_TRY(names, source.names().within(path.string()));
  names.emplace_back(kManifestPath);
  FileMap files;
  for (const std::string& name : names) {
    NARROWS_CHECK(checkMemberName(name).within(path.string()));
    NARROWS_TRY(file, source.file(name).within(path.string()));
    files.emplace(name, file);
  }
  return files;
}

}  // namespace narrows
