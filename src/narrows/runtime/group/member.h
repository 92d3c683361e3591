#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "narrows/runtime/group/deployment.h"
#include "narrows/runtime/group/peer.h"

namespace narrows {

enum class MemberState : std::uint8_t {
  /// Does not answer, or has not yet.
  lost,
  alive,
  /// Answered what cannot be, or failed again and again: not taken back before it is restarted.
  dropped,
};

/// A worker as its coordinator sees it.
struct Member {
  std::string device;
  std::string address;
  MemberState state = MemberState::lost;
  /// Of the process that answered last; 0 before the first answer.
  std::uint64_t instance = 0;
  /// Why it is lost.
  std::string error;
  /// Failures in a row while it answered pings.
  int strikes = 0;

  /// The ping on its way, if any, and the last one that ended.
  bool pinging = false;
  double pinged = 0;
  std::optional<Result<PingReply>> answer;

  /// Goes first: the end of a ping on its way is still written above.
  std::unique_ptr<Peer> peer;
};

/// What a member is to become part of.
struct Assignment {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  std::uint32_t slots = 1;
  DeviceId device;
  std::vector<PeerAddress> peers;
};

/// Bytes that were sent because the worker lacked them, and what its programs take.
struct DeployReport {
  std::uint64_t sent_bytes = 0;
  ActivateReply memory;
};

/// Hands a worker its share: asks what it lacks, sends that, and makes it active. Waits for the
/// worker; `Peer::cancelAll` ends the wait.
Result<DeployReport> deployTo(Peer& peer, const Deployment& deployment,
                              const Assignment& assignment);

/// The plan with the shares of the lost devices moved to others, as `takeOver` says. `alive` is by
/// device of the plan; at least one is.
Result<Deployment> withoutDevices(const Deployment& deployment, const std::vector<bool>& alive);

}  // namespace narrows
