#include "narrows/runtime/group/deployment.h"

#include <algorithm>

#include "narrows/bundle/sha256.h"
#include "narrows/graph/cost.h"
#include "narrows/plan/json.h"
#include "narrows/plan/move.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// A text as a file that stays readable while it is mapped.
Result<std::shared_ptr<const MappedFile>> mapText(const fs::path& path, std::string_view text) {
  NARROWS_CHECK(writeFileAtomically(path, asBytes(text)));
  return MappedFile::open(path);
}

}  // namespace

Result<Deployment> Deployment::open(const fs::path& path) {
  Deployment deployment;
  NARROWS_TRY(bundle, readBundle(path));
  NARROWS_TRY(files, openBundleFiles(path));
  NARROWS_TRY(exchange, planExchange(bundle.plan));
  deployment.files_ = std::move(files);
  deployment.exchange_ = std::make_shared<const Exchange>(std::move(exchange));
  deployment.bundle_ = std::make_shared<const Bundle>(std::move(bundle));
  deployment.manifest_text_ = std::string(asText(deployment.files_.at("bundle.json")->bytes()));
  NARROWS_TRY(manifest, parseManifest(deployment.manifest_text_, "bundle.json"));
  deployment.manifest_ = std::move(manifest);
  return deployment;
}

Result<Deployment> Deployment::of(const Bundle& bundle) {
  NARROWS_TRY(temporary, TemporaryDirectory::create("narrows-group"));
  const fs::path path = temporary.path() / "bundle";
  NARROWS_CHECK(writeBundle(bundle, path));
  NARROWS_TRY(deployment, open(path));
  deployment.temporary_ = std::make_shared<const TemporaryDirectory>(std::move(temporary));
  return std::move(deployment);
}

Result<Deployment> Deployment::moved(std::span<const DeviceId> to) const {
  Deployment deployment = *this;
  Bundle bundle;
  bundle.name = bundle_->name;
  bundle.description = bundle_->description;
  for (const Graph& piece : bundle_->pieces) bundle.pieces.push_back(piece);
  NARROWS_TRY(plan, moveDevices(bundle_->plan, to));
  NARROWS_TRY(exchange, planExchange(plan));
  // Its own directory: the plan's file must outlive this call.
  NARROWS_TRY(temporary, TemporaryDirectory::create("narrows-group"));
  const std::string plan_text = formatPlan(plan);
  NARROWS_TRY(plan_file, mapText(temporary.path() / "plan.json", plan_text));
  deployment.files_["plan.json"] = plan_file;
  for (ManifestFile& file : deployment.manifest_.files) {
    if (file.path != "plan.json") continue;
    file.size = plan_text.size();
    file.sha256 = sha256(asBytes(plan_text));
  }
  deployment.manifest_text_ = formatManifest(deployment.manifest_);
  bundle.plan = std::move(plan);
  bundle.digest = deployment.manifest_.digest;
  deployment.exchange_ = std::make_shared<const Exchange>(std::move(exchange));
  deployment.bundle_ = std::make_shared<const Bundle>(std::move(bundle));
  // Mapped files live on when their names are gone.
  return deployment;
}

bool Deployment::takesPart(DeviceId device) const {
  const Exchange& exchange = *exchange_;
  if (exchange.head == device || plan().source_device == device) return true;
  return std::any_of(plan().pieces.begin(), plan().pieces.end(), [&](const Piece& piece) {
    return piece.device == device || plan().devices[piece.device.index()].standby == device;
  });
}

std::vector<ManifestFile> Deployment::filesFor(DeviceId device) const {
  std::vector<ManifestFile> wanted;
  const auto add = [&](const std::string& path) {
    if (const ManifestFile* file = manifest_.find(path)) wanted.push_back(*file);
  };
  add("plan.json");
  add("MODEL.toml");
  for (const Piece& piece : plan().pieces) {
    const bool kept = plan().devices[piece.device.index()].standby == device;
    if (piece.device != device && !kept) continue;
    add(fmt::format("pieces/{}.onnx", piece.name));
    add(fmt::format("pieces/{}.weights", piece.name));
  }
  return wanted;
}

std::shared_ptr<const MappedFile> Deployment::file(const std::string& sha256) const {
  for (const ManifestFile& file : manifest_.files) {
    if (file.sha256 == sha256) return files_.at(file.path);
  }
  return nullptr;
}

std::int64_t Deployment::macs(DeviceId device) const {
  std::int64_t total = 0;
  for (std::size_t i = 0; i < plan().pieces.size(); ++i) {
    if (plan().pieces[i].device == device) total += cost(bundle_->pieces[i]).macs;
  }
  return total;
}

}  // namespace narrows
