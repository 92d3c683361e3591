#include "narrows/runtime/group/coordinator.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <set>
#include <thread>

#include "narrows/runtime/clock.h"
#include "narrows/runtime/group/group_run.h"
#include "narrows/runtime/group/member.h"

namespace narrows {
namespace {

/// Failures in a row after which a worker that answers pings is dropped all the same.
constexpr int kMostStrikes = 3;
/// Lost workers are asked more rarely.
constexpr double kLostPause = 4;

std::uint64_t randomSession() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace

class Coordinator::Impl {
 public:
  Impl(Deployment deployment, std::unique_ptr<PeerConnector> connector,
       const CoordinatorOptions& options, EventSink events)
      : options_(options),
        events_(std::move(events)),
        connector_(std::move(connector)),
        original_(deployment),
        last_(std::move(deployment)) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      abortRuns();
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    // Their calls end here; what those say is still taken.
    members_.clear();
  }

  Status start(const std::vector<GroupMember>& members) {
    for (const GroupMember& member : members) {
      Member made;
      made.device = member.device;
      made.address = member.address;
      NARROWS_TRY(peer, connector_->connect(member.address).within(member.device));
      made.peer = std::move(peer);
      members_.push_back(std::move(made));
    }
    for (const Device& device : original_.plan().devices) {
      if (find(device.name) == nullptr) {
        return makeError("no worker is named for device \"{}\" of the plan", device.name);
      }
    }
    thread_ = std::thread([this] { supervise(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return active_ != nullptr || start_error_; });
    if (active_ == nullptr) return makeError("{}", *start_error_);
    return {};
  }

  Result<GroupAnswer> infer(const GroupInput& input);

  Deployment deployment() {
    const std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  double now() const { return clock_.now().value(); }

  Member* find(const std::string& device) {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const Member& member) { return member.device == device; });
    return found == members_.end() ? nullptr : &*found;
  }

  void tell(GroupEvent::Kind kind, const std::string& device, const std::string& message) {
    if (events_) events_({kind, device, message});
  }

  /// There is no plan before the group changes.
  void stick(const std::string& why) {
    tell(GroupEvent::Kind::stuck, "", why);
    if (!start_error_) start_error_ = why;
    changed_.notify_all();
  }

  void abortRuns() {
    for (const auto& run : runs_) run->abort();
  }

  /// No plan is active any more; frames on their way wait for the next one.
  void invalidate() {
    active_.reset();
    abortRuns();
    rebuild_ = true;
  }

  void lose(Member& member, MemberState state, const std::string& why) {
    if (member.state != MemberState::alive) return;
    member.state = state;
    tell(state == MemberState::dropped ? GroupEvent::Kind::dropped : GroupEvent::Kind::lost,
         member.device, why);
    const bool takes_part = takesPart(member);
    if (takes_part) invalidate();
    if (deploying_) cancelled_.push_back(member.peer.get());
    rebuild_ = true;
  }

  bool takesPart(const Member& member) const {
    if (!active_) return true;
    return std::find(active_->peers.begin(), active_->peers.end(), member.peer.get()) !=
           active_->peers.end();
  }

  void supervise();
  void tick(std::unique_lock<std::mutex>& lock);
  void judge(Member& member, const Result<PingReply>& answer);
  void ping(std::unique_lock<std::mutex>& lock, const std::vector<Member*>& members);
  void askAll(std::unique_lock<std::mutex>& lock);
  void handleTroubles(std::unique_lock<std::mutex>& lock);
  void drain(std::unique_lock<std::mutex>& lock);
  void rebuild(std::unique_lock<std::mutex>& lock);
  Result<Deployment> planFor(const std::set<std::string>& alive);
  bool deploy(std::unique_lock<std::mutex>& lock, Deployment deployment, double began);

  const CoordinatorOptions options_;
  const EventSink events_;
  const std::uint64_t session_ = randomSession();
  std::unique_ptr<PeerConnector> connector_;
  const Deployment original_;
  SystemClock clock_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Member> members_;
  std::shared_ptr<const ActivePlan> active_;
  Deployment last_;
  std::map<std::set<std::string>, Deployment> plans_;
  std::set<std::shared_ptr<GroupRun>> runs_;
  std::vector<Trouble> troubles_;
  std::vector<Peer*> cancelled_;
  std::optional<std::string> start_error_;
  std::uint32_t epoch_ = 0;
  std::uint64_t frames_ = 0;
  bool starting_ = true;
  bool rebuild_ = false;
  bool draining_ = false;
  bool deploying_ = false;
  bool answered_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

Result<GroupAnswer> Coordinator::Impl::infer(const GroupInput& input) {
  const double began = now();
  double planless = 0;
  int attempts = 0;
  std::string last_trouble = "no plan was active";
  std::unique_lock lock(mutex_);
  while (true) {
    double stuck = 0;
    while (!stopping_ && (!active_ || draining_ || runs_.size() >= options_.in_flight)) {
      const bool without = !active_ || draining_;
      const double before = now();
      changed_.wait_for(lock, std::chrono::milliseconds(50));
      const double waited = now() - before;
      if (without) planless += waited;
      stuck = without && !deploying_ ? stuck + waited : 0;
      if (stuck > options_.deadline.value() || now() - began - planless > options_.deadline.value())
        break;
    }
    if (stopping_) return makeError("the coordinator stops");
    const double left = options_.deadline.value() - (now() - began - planless);
    if (!active_ || left <= 0) return makeError("not answered in time: {}", last_trouble);

    const auto plan = active_;
    const auto run = std::make_shared<GroupRun>(plan, ++frames_, options_.outputs);
    runs_.insert(run);
    lock.unlock();
    run->start(input, Seconds(left));
    GroupRun::Outcome outcome = run->wait();
    lock.lock();
    runs_.erase(run);
    ++attempts;
    if (outcome.trouble) {
      last_trouble = fmt::format("{}: {}", outcome.trouble->device, outcome.trouble->message);
      if (outcome.trouble->epoch == epoch_) troubles_.push_back(*outcome.trouble);
      if (active_ == plan) invalidate();
    }
    changed_.notify_all();
    if (outcome.answer) {
      for (const DeviceWork& work : outcome.answer->work) {
        if (Member* member = find(work.device)) member->strikes = 0;
      }
      GroupAnswer answer = std::move(*outcome.answer);
      answer.attempts = attempts;
      answer.total = Seconds(now() - began);
      answer.replanning = Seconds(planless);
      return answer;
    }
    if (outcome.trouble && outcome.trouble->end == RunEnd::frame_fault) {
      return makeError("{}", outcome.trouble->message);
    }
  }
}

void Coordinator::Impl::supervise() {
  std::unique_lock lock(mutex_);
  const double patience = now() + options_.wait.value();
  while (!stopping_) {
    tick(lock);
    if (starting_) {
      const bool all = std::all_of(members_.begin(), members_.end(), [](const Member& member) {
        return member.state == MemberState::alive;
      });
      if (all || now() > patience) {
        starting_ = false;
        rebuild_ = true;
        for (const Member& member : members_) {
          if (member.state != MemberState::lost) continue;
          tell(GroupEvent::Kind::lost, member.device,
               "it did not answer at the start: " + member.error);
        }
      }
    }
    if (!troubles_.empty()) handleTroubles(lock);
    if (rebuild_ && !starting_) rebuild(lock);
    changed_.notify_all();
    const std::chrono::duration<double> pause(options_.heartbeat.value() / 2);
    changed_.wait_for(lock, pause, [&] {
      return stopping_ || answered_ || !troubles_.empty() || (rebuild_ && !starting_);
    });
  }
}

/// Sends the pings that are due and takes in what came of earlier ones.
void Coordinator::Impl::tick(std::unique_lock<std::mutex>& lock) {
  answered_ = false;
  std::vector<Member*> due;
  for (Member& member : members_) {
    if (member.answer) {
      const Result<PingReply> answer = std::move(*member.answer);
      member.answer.reset();
      judge(member, answer);
    }
    const bool rare = member.state != MemberState::alive && !starting_;
    const double pause = options_.heartbeat.value() * (rare ? kLostPause : 1);
    if (!member.pinging && now() - member.pinged >= pause) due.push_back(&member);
  }
  ping(lock, due);
  std::vector<Peer*> cancelled;
  cancelled.swap(cancelled_);
  if (cancelled.empty()) return;
  lock.unlock();
  for (Peer* peer : cancelled) peer->cancelAll();
  lock.lock();
}

void Coordinator::Impl::ping(std::unique_lock<std::mutex>& lock,
                             const std::vector<Member*>& members) {
  for (Member* member : members) {
    member->pinging = true;
    member->pinged = now();
  }
  lock.unlock();
  for (Member* member : members) {
    member->peer->call(WorkerCall::ping, writeMessage(PingRequest{session_}), options_.lost_after,
                       [this, member](const CallStatus& status, const ByteVector& bytes) {
                         Result<PingReply> answer =
                             status.ok() ? readMessage<PingReply>(bytes)
                                         : Result<PingReply>(makeError("{}", toString(status)));
                         {
                           const std::lock_guard guard(mutex_);
                           member->pinging = false;
                           member->answer = std::move(answer);
                           answered_ = true;
                         }
                         changed_.notify_all();
                       });
  }
  lock.lock();
}

void Coordinator::Impl::judge(Member& member, const Result<PingReply>& answer) {
  const bool taken = answer.ok() && answer->leader != 0 && answer->leader != session_;
  if (!answer.ok() || taken) {
    member.error = taken ? "another coordinator leads it" : answer.error().message;
    return lose(member, MemberState::lost, member.error);
  }
  const bool another = member.instance != answer->instance;
  const bool known = member.instance != 0;
  if (member.state == MemberState::alive) {
    if (another) {
      lose(member, MemberState::lost, "it was restarted");
    } else if (active_ && takesPart(member) && member.pinged > active_->since &&
               (answer->session != session_ || answer->epoch != active_->epoch)) {
      lose(member, MemberState::lost, "it has left the plan");
    } else {
      return;
    }
  }
  if (member.state == MemberState::dropped && !another) return;
  member.instance = answer->instance;
  member.state = MemberState::alive;
  member.strikes = 0;
  rebuild_ = true;
  if (known || !starting_) tell(GroupEvent::Kind::returned, member.device, "it answers again");
}

/// Asks every worker that counts as alive anew, and waits for what it says.
void Coordinator::Impl::askAll(std::unique_lock<std::mutex>& lock) {
  const double began = now();
  const auto pending = [&] {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.state == MemberState::alive && (member.pinging || member.pinged < began);
    });
  };
  while (pending() && !stopping_) {
    std::vector<Member*> due;
    for (Member& member : members_) {
      if (member.state == MemberState::alive && !member.pinging && member.pinged < began) {
        due.push_back(&member);
      }
    }
    ping(lock, due);
    changed_.wait_for(lock, std::chrono::milliseconds(20));
    for (Member& member : members_) {
      if (!member.answer) continue;
      const Result<PingReply> answer = std::move(*member.answer);
      member.answer.reset();
      judge(member, answer);
    }
  }
}

void Coordinator::Impl::handleTroubles(std::unique_lock<std::mutex>& lock) {
  std::vector<Trouble> troubles;
  troubles.swap(troubles_);
  invalidate();
  for (const Trouble& trouble : troubles) {
    Member* member = find(trouble.device);
    if (member != nullptr && trouble.end == RunEnd::peer_wrong) {
      lose(*member, MemberState::dropped, trouble.message);
    }
  }
  askAll(lock);
  for (const Trouble& trouble : troubles) {
    const bool counts = trouble.end == RunEnd::peer_unreachable || trouble.end == RunEnd::expired;
    Member* member = find(trouble.device);
    if (member == nullptr || !counts || member->state != MemberState::alive) continue;
    if (++member->strikes >= kMostStrikes) {
      lose(*member, MemberState::dropped, "it fails again and again: " + trouble.message);
    }
  }
}

/// Lets the frames on their way come to their end before a plan that works is replaced.
void Coordinator::Impl::drain(std::unique_lock<std::mutex>& lock) {
  draining_ = true;
  const double until = now() + options_.deadline.value();
  while (active_ && !runs_.empty() && now() < until && !stopping_) {
    tick(lock);
    changed_.wait_for(lock, std::chrono::milliseconds(20));
  }
  invalidate();
  draining_ = false;
}

Result<Deployment> Coordinator::Impl::planFor(const std::set<std::string>& alive) {
  const auto known = plans_.find(alive);
  if (known != plans_.end()) return known->second;
  std::vector<bool> by_device;
  bool all = true;
  for (const Device& device : original_.plan().devices) {
    by_device.push_back(alive.contains(device.name));
    all = all && by_device.back();
  }
  if (all) return original_;
  Result<Deployment> made =
      options_.replanner ? options_.replanner(std::vector<std::string>(alive.begin(), alive.end()))
                         : withoutDevices(original_, by_device);
  if (made.ok()) plans_.emplace(alive, *made);
  return made;
}

void Coordinator::Impl::rebuild(std::unique_lock<std::mutex>& lock) {
  while (rebuild_ && !stopping_) {
    if (active_) drain(lock);
    const double began = now();
    rebuild_ = false;
    std::set<std::string> alive;
    for (const Member& member : members_) {
      if (member.state == MemberState::alive) alive.insert(member.device);
    }
    if (alive.empty()) return stick("no worker of the group answers");
    deploying_ = true;
    lock.unlock();
    auto made = planFor(alive);
    lock.lock();
    if (!made.ok()) {
      deploying_ = false;
      return stick(made.error().message);
    }
    if (!deploy(lock, std::move(*made), began)) rebuild_ = true;
    deploying_ = false;
  }
}

/// False when a worker did not take its share; it is out then.
bool Coordinator::Impl::deploy(std::unique_lock<std::mutex>& lock, Deployment deployment,
                               double began) {
  const Plan& plan = deployment.plan();
  auto active = std::make_shared<ActivePlan>(ActivePlan{session_, ++epoch_, deployment, {}, 0});
  std::vector<std::size_t> members(plan.devices.size());
  Assignment assignment{session_, epoch_, static_cast<std::uint32_t>(options_.in_flight), {}, {}};
  for (std::size_t d = 0; d < plan.devices.size(); ++d) {
    Member* member = find(plan.devices[d].name);
    if (member == nullptr || !deployment.takesPart(DeviceId(d))) {
      active->peers.push_back(nullptr);
      continue;
    }
    members[d] = static_cast<std::size_t>(member - members_.data());
    active->peers.push_back(member->peer.get());
    assignment.peers.push_back({static_cast<std::uint32_t>(d), member->address});
  }
  std::vector<std::optional<Result<DeployReport>>> reports(plan.devices.size());
  std::size_t missing = assignment.peers.size();
  std::vector<std::thread> threads;
  for (const PeerAddress& address : assignment.peers) {
    Assignment own = assignment;
    own.device = DeviceId(address.device);
    threads.emplace_back([&, own, peer = active->peers[address.device]] {
      auto report = deployTo(*peer, deployment, own);
      const std::lock_guard guard(mutex_);
      reports[own.device.index()] = std::move(report);
      --missing;
      changed_.notify_all();
    });
  }
  while (missing > 0) {
    if (stopping_) {
      for (Peer* peer : active->peers) {
        if (peer != nullptr) cancelled_.push_back(peer);
      }
    }
    tick(lock);
    changed_.wait_for(lock, std::chrono::milliseconds(20), [&] { return missing == 0; });
  }
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  lock.lock();
  bool whole = true;
  std::uint64_t bytes = 0;
  std::uint64_t memory = 0;
  for (const PeerAddress& address : assignment.peers) {
    const auto& report = *reports[address.device];
    Member& member = members_[members[address.device]];
    if (report.ok()) {
      bytes += report->sent_bytes;
      const ActivateReply& takes = report->memory;
      memory = std::max(memory, takes.weights + takes.arena + takes.scratch);
      whole = whole && member.state == MemberState::alive;
      continue;
    }
    whole = false;
    askAll(lock);
    lose(member, MemberState::dropped, "it does not take its share: " + report.error().message);
  }
  if (!whole || stopping_) return false;
  active->since = now();
  active_ = active;
  last_ = deployment;
  tell(GroupEvent::Kind::planned, "",
       fmt::format("plan {} for {} of {} workers, ready after {:.0f} ms, {} B of pieces sent; "
                   "programs of a worker take {} B at most",
                   epoch_, assignment.peers.size(), members_.size(), (now() - began) * 1e3, bytes,
                   memory));
  changed_.notify_all();
  return true;
}

Coordinator::Coordinator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Coordinator::~Coordinator() = default;

Result<std::unique_ptr<Coordinator>> Coordinator::start(Deployment deployment,
                                                        const std::vector<GroupMember>& members,
                                                        std::unique_ptr<PeerConnector> connector,
                                                        const CoordinatorOptions& options,
                                                        EventSink events) {
  auto impl = std::make_unique<Impl>(std::move(deployment), std::move(connector), options,
                                     std::move(events));
  NARROWS_CHECK(impl->start(members));
  return std::unique_ptr<Coordinator>(new Coordinator(std::move(impl)));
}

Result<GroupAnswer> Coordinator::infer(const GroupInput& input) {
  return impl_->infer(input);
}
Deployment Coordinator::deployment() const {
  return impl_->deployment();
}

}  // namespace narrows
