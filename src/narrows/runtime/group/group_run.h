#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "narrows/runtime/group/coordinator.h"
#include "narrows/runtime/group/deployment.h"
#include "narrows/runtime/group/peer.h"

namespace narrows {

/// A plan that all its workers have taken.
struct ActivePlan {
  std::uint64_t session = 0;
  std::uint32_t epoch = 0;
  Deployment deployment;
  /// By device of the plan; null for those without a part. They outlive the plan.
  std::vector<Peer*> peers;
  double since = 0;
};

/// Why a run broke.
struct Trouble {
  std::uint32_t epoch = 0;
  RunEnd end = RunEnd::done;
  /// Name of the device that is to blame.
  std::string device;
  std::string message;
};

/// One run of a frame through the group: asks every device for its share and gathers what they
/// say. Answers may come after the run was given up, so it is shared with the calls.
class GroupRun : public std::enable_shared_from_this<GroupRun> {
 public:
  GroupRun(std::shared_ptr<const ActivePlan> plan, std::uint64_t frame, bool outputs);

  void start(const GroupInput& input, Seconds timeout);
  /// Gives up.
  void abort();

  struct Outcome {
    /// Without attempts and times but `run`.
    std::optional<GroupAnswer> answer;
    std::optional<Trouble> trouble;
  };
  /// Waits until all devices have said that they are done, one of them that it is not, or the run
  /// was given up. The answer may be there although something broke after it.
  Outcome wait();

 private:
  void replied(std::size_t device, const CallStatus& status, ByteVector bytes);
  std::optional<Trouble> judge(std::size_t device, const CallStatus& status, ByteSpan bytes);
  Status take(std::size_t device, const RunReply& reply);

  const std::shared_ptr<const ActivePlan> plan_;
  const std::uint64_t frame_;
  const bool outputs_;
  double started_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t missing_ = 0;
  bool aborted_ = false;
  GroupAnswer answer_;
  bool answered_ = false;
  std::optional<Trouble> trouble_;
};

}  // namespace narrows
