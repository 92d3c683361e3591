#include "narrows/runtime/group/member.h"

#include <algorithm>

#include "narrows/plan/move.h"

namespace narrows {
namespace {

constexpr std::size_t kPartBytes = std::size_t{1} << 20;
/// Longest wait for an answer that needs no computing, and for one that compiles pieces.
constexpr Seconds kAnswerTimeout = Seconds(20);
constexpr Seconds kActivateTimeout = Seconds(300);

Status sendFile(Peer& peer, std::uint64_t session, const std::string& sha256, ByteSpan bytes) {
  std::size_t offset = 0;
  do {
    const std::size_t length = std::min(kPartBytes, bytes.size() - offset);
    StoreRequest part{session, sha256, bytes.size(), offset, bytes.subspan(offset, length)};
    ByteVector answer;
    NARROWS_CHECK(
        ask<StoreReply>(peer, WorkerCall::store, writeMessage(part), kAnswerTimeout, answer));
    offset += length;
  } while (offset < bytes.size());
  return {};
}

}  // namespace

Result<DeployReport> deployTo(Peer& peer, const Deployment& deployment,
                              const Assignment& assignment) {
  PrepareRequest prepare;
  prepare.session = assignment.session;
  prepare.manifest = deployment.manifest();
  for (const ManifestFile& file : deployment.filesFor(assignment.device)) {
    prepare.paths.push_back(file.path);
  }
  ByteVector answer;
  NARROWS_TRY(lacks, ask<PrepareReply>(peer, WorkerCall::prepare, writeMessage(prepare),
                                       kAnswerTimeout, answer));
  DeployReport report;
  for (const std::string& sha256 : lacks.missing) {
    const auto file = deployment.file(sha256);
    if (file == nullptr) return makeError("the worker asks for a file that the plan lacks");
    NARROWS_CHECK(sendFile(peer, assignment.session, sha256, file->bytes()));
    report.sent_bytes += file->bytes().size();
  }
  ActivateRequest activate;
  activate.session = assignment.session;
  activate.epoch = assignment.epoch;
  activate.device = deployment.plan().devices[assignment.device.index()].name;
  activate.manifest = deployment.manifest();
  activate.peers = assignment.peers;
  activate.slots = assignment.slots;
  NARROWS_TRY(memory, ask<ActivateReply>(peer, WorkerCall::activate, writeMessage(activate),
                                         kActivateTimeout, answer));
  report.memory = memory;
  return report;
}

Result<Deployment> withoutDevices(const Deployment& deployment, const std::vector<bool>& alive) {
  const std::size_t count = deployment.plan().devices.size();
  NARROWS_ASSERT(alive.size() == count);
  std::vector<std::int64_t> work;
  for (std::size_t d = 0; d < count; ++d) work.push_back(deployment.macs(DeviceId(d)));
  NARROWS_TRY(to, takeOver(deployment.plan(), work, alive));
  return deployment.moved(to);
}

}  // namespace narrows
