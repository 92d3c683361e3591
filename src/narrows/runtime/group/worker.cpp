#include "narrows/runtime/group/worker.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "narrows/runtime/clock.h"
#include "narrows/runtime/group/share_maker.h"
#include "narrows/runtime/group/worker_share.h"

namespace narrows {
namespace {

std::uint64_t randomId() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

CallStatus refused(const Error& error, CallCode code = CallCode::invalid_argument) {
  return {code, error.message};
}

}  // namespace

class Worker::Impl {
 public:
  Impl(const WorkerOptions& options, FileStore store, std::unique_ptr<PeerConnector> connector)
      : options_(options), shares_(options, std::move(store), std::move(connector)) {
    thread_ = std::thread([this] { work(); });
  }

  ~Impl() {
    stop();
    share_.reset();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    dropFrames("the worker stops");
    for (auto& job : jobs_) job(true);
    jobs_.clear();
  }

  void handle(WorkerCall call, ByteVector body, const CallDone& done) {
    switch (call) {
      case WorkerCall::ping:
        return ping(body, done);
      case WorkerCall::prepare:
        return prepare(body, done);
      case WorkerCall::store:
        return store(body, done);
      case WorkerCall::activate:
        return activate(body, done);
      case WorkerCall::run:
        return run(std::move(body), done);
      case WorkerCall::regions:
        return regions(std::move(body), done);
    }
    done({CallCode::invalid_argument, "there is no such call"}, {});
  }

  const WorkerOptions& options() const { return options_; }

 private:
  /// Whether this coordinator may lead. Others may when the one that led has been silent.
  CallStatus lead(std::uint64_t session) {
    const double now = clock_.now().value();
    if (session == 0) return {CallCode::invalid_argument, "a session of 0"};
    if (stopping_) return {CallCode::unavailable, "the worker stops"};
    if (leader_ != 0 && leader_ != session && now - heard_ < options_.lease.value()) {
      return {CallCode::failed_precondition, "another coordinator leads this worker"};
    }
    leader_ = session;
    heard_ = now;
    return {};
  }

  void ping(ByteSpan body, const CallDone& done) {
    auto request = readMessage<PingRequest>(body);
    if (!request.ok()) return done(refused(request.error()), {});
    PingReply reply;
    {
      const std::lock_guard lock(mutex_);
      if (request->session != 0 && request->session == leader_) heard_ = clock_.now().value();
      reply.instance = instance_;
      if (clock_.now().value() - heard_ < options_.lease.value()) reply.leader = leader_;
      if (share_) {
        reply.session = share_->session;
        reply.epoch = share_->epoch;
      }
    }
    done({}, writeMessage(reply));
  }

  void prepare(ByteSpan body, const CallDone& done) {
    auto request = readMessage<PrepareRequest>(body);
    if (!request.ok()) return done(refused(request.error()), {});
    if (const CallStatus status = leadLocked(request->session); !status.ok()) {
      return done(status, {});
    }
    const auto reply = shares_.missing(*request);
    if (!reply.ok()) return done(refused(reply.error()), {});
    done({}, writeMessage(*reply));
  }

  void store(ByteSpan body, const CallDone& done) {
    auto request = readMessage<StoreRequest>(body);
    if (!request.ok()) return done(refused(request.error()), {});
    if (const CallStatus status = leadLocked(request->session); !status.ok()) {
      return done(status, {});
    }
    const Status stored = shares_.store(*request);
    if (!stored.ok()) return done(refused(stored.error()), {});
    done({}, writeMessage(StoreReply()));
  }

  CallStatus leadLocked(std::uint64_t session) {
    const std::lock_guard lock(mutex_);
    return lead(session);
  }

  void activate(const ByteVector& body, const CallDone& done) {
    auto request = readMessage<ActivateRequest>(body);
    if (!request.ok()) return done(refused(request.error()), {});
    CallStatus status;
    {
      const std::lock_guard lock(mutex_);
      status = lead(request->session);
      if (status.ok()) {
        jobs_.emplace_back([this, wanted = std::move(*request), done](bool stopping) {
          if (stopping) return done({CallCode::unavailable, "the worker stops"}, {});
          takeShare(wanted, done);
        });
      }
    }
    if (!status.ok()) return done(status, {});
    wake_.notify_all();
  }

  void run(ByteVector body, const CallDone& done) {
    auto request = readMessage<RunRequest>(body);
    if (!request.ok()) return done(refused(request.error()), {});
    CallStatus status;
    {
      const std::lock_guard lock(mutex_);
      status = current(request->session, request->epoch);
      WorkerFrame* frame = status.ok() ? frameOf(request->frame) : nullptr;
      if (status.ok() && (frame == nullptr || frame->asked)) {
        status = {CallCode::resource_exhausted,
                  frame == nullptr ? "too many frames" : "the frame came twice"};
      }
      if (status.ok()) {
        heard_ = clock_.now().value();
        frame->asked = true;
        frame->dirty = true;
        frame->deadline = heard_ + request->timeout.value();
        frame->request = *request;
        frame->body = std::move(body);
        frame->done = done;
        if (share_->accused) {
          frame->fail(RunEnd::peer_wrong, "a message that cannot be read", share_->accused);
        }
      }
    }
    if (!status.ok()) return done(status, {});
    wake_.notify_all();
  }

  void regions(ByteVector body, const CallDone& done) {
    auto request = readMessage<RegionsRequest>(body);
    if (!request.ok()) {
      accuse(body, request.error().message);
      return done(refused(request.error()), {});
    }
    CallStatus status;
    {
      const std::lock_guard lock(mutex_);
      status = current(request->session, request->epoch);
      WorkerFrame* frame = status.ok() ? frameOf(request->frame) : nullptr;
      if (status.ok() && frame == nullptr) {
        status = {CallCode::resource_exhausted, "too many frames"};
      }
      if (status.ok()) {
        const Status accepted =
            acceptRegions(*share_, std::move(*request), std::move(body), *frame);
        if (!accepted.ok()) status = refused(accepted.error());
      }
    }
    wake_.notify_all();
    done(status, status.ok() ? writeMessage(RegionsReply()) : ByteVector());
  }

  /// A message of regions that cannot be read spoils the frames that wait for it.
  void accuse(ByteSpan body, const std::string& error) {
    const auto origin = originOfRegions(body);
    const std::lock_guard lock(mutex_);
    if (!origin || !current(origin->session, origin->epoch).ok()) return;
    if (origin->from >= share_->bundle->plan.devices.size()) return;
    share_->accused = origin->from;
    for (auto& [number, frame] : frames_) frame.fail(RunEnd::peer_wrong, error, origin->from);
    wake_.notify_all();
  }

  CallStatus current(std::uint64_t session, std::uint32_t epoch) const {
    if (stopping_) return {CallCode::unavailable, "the worker stops"};
    if (share_ && share_->session == session && share_->epoch == epoch) return {};
    return {CallCode::failed_precondition, "of a plan that is not active here"};
  }

  /// Null when there are too many.
  WorkerFrame* frameOf(std::uint64_t number) {
    const auto found = frames_.find(number);
    if (found != frames_.end()) return &found->second;
    // A frame may be ahead here of where the coordinator has seen the one before it end.
    if (frames_.size() >= 2 * share_->pipelines.size()) return nullptr;
    return &frames_[number];
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (!jobs_.empty()) {
        const auto job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        job(false);
        lock.lock();
        continue;
      }
      const auto next = nextFrame();
      if (next == frames_.end()) {
        wake_.wait_for(lock, std::chrono::milliseconds(100));
        expireFrames();
        continue;
      }
      next->second.dirty = false;
      advance(lock, next);
    }
  }

  /// The oldest frame with something to do.
  std::map<std::uint64_t, WorkerFrame>::iterator nextFrame() {
    for (auto at = frames_.begin(); at != frames_.end(); ++at) {
      const WorkerFrame& frame = at->second;
      if (!frame.asked || !frame.dirty) continue;
      if (frame.failed() || frame.slot || !share_->free.empty()) return at;
    }
    return frames_.end();
  }

  void expireFrames() {
    const double now = clock_.now().value();
    for (auto& [number, frame] : frames_) {
      if (frame.asked && now > frame.deadline)
        frame.fail(RunEnd::expired, "its deadline has passed");
    }
  }

  /// Does one step of a frame, without the lock while it computes. Only this thread removes frames,
  /// and only it replaces the share.
  void advance(std::unique_lock<std::mutex>& lock,
               std::map<std::uint64_t, WorkerFrame>::iterator at) {
    WorkerFrame& frame = at->second;
    std::vector<RegionsRequest> inbox;
    std::vector<ByteVector> bodies;
    inbox.swap(frame.inbox);
    bodies.swap(frame.bodies);
    const bool starts = !frame.slot && !frame.failed();
    if (starts) {
      frame.slot = share_->free.back();
      share_->free.pop_back();
    }
    bool moved = false;
    if (!frame.failed()) {
      lock.unlock();
      Step step = compute(frame, starts, inbox);
      lock.lock();
      moved = step.moved;
      if (!step.error.empty()) {
        frame.fail(step.blamed ? RunEnd::peer_wrong : RunEnd::frame_fault, step.error, step.blamed);
      }
      std::vector<Outgoing> outgoing = packRegions(*share_, at->first, step.frames, frame.reply);
      frame.sending += outgoing.size();
      if (!outgoing.empty()) {
        lock.unlock();
        for (Outgoing& message : outgoing) send(at->first, std::move(message), frame.deadline);
        lock.lock();
      }
    }
    if (moved) frame.dirty = true;
    const bool finished =
        !moved && frame.sending == 0 && frame.slot && share_->pipelines[*frame.slot].finished();
    if (frame.failed() || finished) finish(lock, at);
  }

  struct Step {
    bool moved = false;
    std::vector<ChannelFrame> frames;
    std::string error;
    std::optional<std::uint32_t> blamed;
  };

  Step compute(WorkerFrame& frame, bool starts, const std::vector<RegionsRequest>& inbox) {
    Step step;
    DevicePipeline& pipeline = share_->pipelines[*frame.slot];
    if (starts) {
      if (const Status started = startFrame(*share_, frame); !started.ok()) {
        step.error = started.error().message;
        return step;
      }
    }
    for (const RegionsRequest& request : inbox) {
      for (const RegionFrame& region : request.frames) {
        const Status received = pipeline.receive(region.channel, region.bytes);
        if (received.ok()) continue;
        step.error = received.error().message;
        step.blamed = request.from;
        return step;
      }
    }
    const auto moved = pipeline.step(step.frames);
    if (moved.ok()) {
      step.moved = *moved;
    } else {
      step.error = moved.error().message;
    }
    return step;
  }

  void send(std::uint64_t number, Outgoing message, double deadline) {
    const std::uint32_t to = message.device;
    const std::uint32_t epoch = share_->epoch;
    Peer* peer = share_->peers[to].get();
    NARROWS_ASSERT(peer != nullptr);
    const Seconds left(std::max(0.001, deadline - clock_.now().value()));
    peer->call(WorkerCall::regions, std::move(message.body), left,
               [this, number, to, epoch](const CallStatus& status, const ByteVector&) {
                 sent(number, to, epoch, status);
               });
  }

  void sent(std::uint64_t number, std::uint32_t to, std::uint32_t epoch, const CallStatus& status) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = frames_.find(number);
      if (!share_ || share_->epoch != epoch || found == frames_.end()) return;
      WorkerFrame& frame = found->second;
      --frame.sending;
      frame.dirty = true;
      if (!status.ok()) {
        frame.fail(RunEnd::peer_unreachable,
                   fmt::format("regions for {} did not arrive: {}",
                               share_->bundle->plan.devices[to].name, toString(status)),
                   to);
      }
    }
    wake_.notify_all();
  }

  void finish(std::unique_lock<std::mutex>& lock,
              std::map<std::uint64_t, WorkerFrame>::iterator at) {
    const ByteVector reply = finishedReply(*share_, at->second);
    const CallDone done = std::move(at->second.done);
    if (at->second.slot) share_->free.push_back(*at->second.slot);
    frames_.erase(at);
    // Another frame may wait for the slot.
    lock.unlock();
    done({}, reply);
    lock.lock();
  }

  void dropFrames(const std::string& why) {
    std::map<std::uint64_t, WorkerFrame> frames;
    {
      const std::lock_guard lock(mutex_);
      frames.swap(frames_);
    }
    RunReply reply;
    reply.end = RunEnd::superseded;
    reply.error = why;
    for (auto& [number, frame] : frames) {
      if (frame.done) frame.done({}, writeMessage(reply));
    }
  }

  void takeShare(const ActivateRequest& request, const CallDone& done) {
    std::unique_ptr<WorkerShare> old;
    {
      const std::lock_guard lock(mutex_);
      old = std::move(share_);
    }
    dropFrames("another plan takes over");
    auto made = shares_.make(request, old.get());
    // Outside of the lock: its calls that are still open end here.
    old.reset();
    if (!made.ok()) return done(refused(made.error(), CallCode::failed_precondition), {});
    const ProgramMemory memory = (*made)->pipelines.front().memory();
    {
      const std::lock_guard lock(mutex_);
      share_ = std::move(*made);
    }
    done({}, writeMessage(ActivateReply{memory.weights, memory.arena, memory.scratch}));
  }

  const WorkerOptions options_;
  const std::uint64_t instance_ = randomId();
  ShareMaker shares_;
  SystemClock clock_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void(bool stopping)>> jobs_;
  std::unique_ptr<WorkerShare> share_;
  std::map<std::uint64_t, WorkerFrame> frames_;  // oldest first
  std::uint64_t leader_ = 0;
  double heard_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

Worker::Worker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Worker::~Worker() = default;

Result<std::unique_ptr<Worker>> Worker::create(const WorkerOptions& options,
                                               std::unique_ptr<PeerConnector> connector) {
  NARROWS_TRY(store, FileStore::open(options.store, options.store_limit));
  return std::unique_ptr<Worker>(
      new Worker(std::make_unique<Impl>(options, std::move(store), std::move(connector))));
}

void Worker::handle(WorkerCall call, ByteVector body, const CallDone& done) {
  impl_->handle(call, std::move(body), done);
}
void Worker::stop() {
  impl_->stop();
}
const WorkerOptions& Worker::options() const {
  return impl_->options();
}

}  // namespace narrows
