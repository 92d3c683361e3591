#include "narrows/runtime/group/share_maker.h"

#include <map>
#include <system_error>

namespace narrows {
namespace {

namespace fs = std::filesystem;

/// Those of the manifest's files that are named.
Result<std::vector<ManifestFile>> pick(const Manifest& manifest,
                                       const std::vector<std::string>& paths) {
  std::vector<ManifestFile> files;
  for (const std::string& path : paths) {
    const ManifestFile* file = manifest.find(path);
    if (file == nullptr) return makeError("{}: bundle.json does not list it", path);
    files.push_back(*file);
  }
  return files;
}

}  // namespace

Result<PrepareReply> ShareMaker::missing(const PrepareRequest& request) {
  NARROWS_TRY(manifest, parseManifest(request.manifest, "bundle.json"));
  NARROWS_TRY(files, pick(manifest, request.paths));
  const std::lock_guard lock(mutex_);
  NARROWS_TRY(missing, store_.missing(files));
  return PrepareReply{std::move(missing)};
}

Status ShareMaker::store(const StoreRequest& request) {
  const std::lock_guard lock(mutex_);
  return store_.store(request.sha256, request.size, request.offset, request.bytes);
}

Result<std::unique_ptr<WorkerShare>> ShareMaker::make(const ActivateRequest& request,
                                                      WorkerShare* old) {
  NARROWS_TRY(manifest, parseManifest(request.manifest, "bundle.json"));
  auto share = std::make_unique<WorkerShare>();
  share->session = request.session;
  share->epoch = request.epoch;
  share->digest = manifest.digest + request.device;
  if (old != nullptr && old->digest == share->digest && old->pipelines.size() == request.slots) {
    share->bundle = old->bundle;
    share->pipelines = std::move(old->pipelines);
  } else {
    NARROWS_TRY(bundle, load(request, manifest));
    share->bundle = std::make_shared<const Bundle>(std::move(bundle));
    NARROWS_TRY(pipeline, DevicePipeline::create(share->bundle, request.device, options_.pipeline));
    share->pipelines.push_back(std::move(pipeline));
    while (share->pipelines.size() < request.slots) {
      NARROWS_TRY(twin, share->pipelines.front().twin());
      share->pipelines.push_back(std::move(twin));
    }
  }
  share->device = share->pipelines.front().device();
  for (std::size_t slot = request.slots; slot-- > 0;) share->free.push_back(slot);
  NARROWS_CHECK(checkMessageSizes(*share));
  share->peers.resize(share->bundle->plan.devices.size());
  for (const PeerAddress& peer : request.peers) {
    if (peer.device >= share->peers.size()) return makeError("a peer that is no device");
    NARROWS_TRY(connected, connector_->connect(peer.address));
    share->peers[peer.device] = std::move(connected);
  }
  for (const Channel& channel : share->exchange().channels) {
    if (channel.from == share->device && share->peers[channel.to.index()] == nullptr) {
      return makeError("no address for device \"{}\"",
                       share->bundle->plan.devices[channel.to.index()].name);
    }
  }
  return share;
}

Result<Bundle> ShareMaker::load(const ActivateRequest& request, const Manifest& manifest) {
  const std::lock_guard lock(mutex_);
  NARROWS_TRY(directory, store_.assemble(request.manifest, manifest.files));
  BundleReadOptions options;
  options.only_device = request.device;
  Result<Bundle> bundle = readBundle(directory, options);
  // What is mapped stays.
  std::error_code ignored;
  fs::remove_all(directory, ignored);
  return bundle;
}

Status ShareMaker::checkMessageSizes(const WorkerShare& share) const {
  std::map<std::pair<std::size_t, DeviceId>, std::size_t> bytes;
  for (const Channel& channel : share.exchange().channels) {
    if (channel.from != share.device && channel.to != share.device) continue;
    const PieceId source = share.bundle->plan.transfers[channel.transfers.front()].source.piece;
    std::size_t& sum = bytes[{source.index(), channel.to}];
    sum += maxFrameBytes(channel, share.bundle->description.preprocessing) + 8;
    if (sum + regionsOverhead(0) > options_.max_message) {
      return makeError("the plan sends messages of {} bytes and more, this worker takes {}", sum,
                       options_.max_message);
    }
  }
  return {};
}

}  // namespace narrows
