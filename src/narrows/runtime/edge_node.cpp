#include "narrows/runtime/edge_node.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <random>
#include <thread>

#include "narrows/pipeline/fnv1a.h"
#include "narrows/runtime/message.h"
#include "narrows/runtime/served_device.h"

namespace narrows {
namespace {

constexpr std::size_t kEnvelopeBytes = std::size_t{64} << 10;

std::string madeUpId() {
  std::random_device entropy;
  return fmt::format("node-{:08x}{:08x}", entropy(), entropy());
}

/// What the server's answers say to the encoders, which work on another thread.
class StreamState {
 public:
  /// The server has the frames of this sequence.
  void confirm(std::uint32_t sequence) {
    const std::lock_guard lock(mutex_);
    confirmed_ = sequence;
  }
  /// The server lacks what frames refer to.
  void startAnew() {
    const std::lock_guard lock(mutex_);
    start_anew_ = true;
    confirmed_.reset();
  }
  /// Between two pictures.
  void apply(DevicePipeline& pipeline) {
    const std::lock_guard lock(mutex_);
    if (start_anew_) pipeline.startAnew();
    if (confirmed_) pipeline.acknowledge(*confirmed_);
    start_anew_ = false;
    confirmed_.reset();
  }

 private:
  std::mutex mutex_;
  std::optional<std::uint32_t> confirmed_;
  bool start_anew_ = false;
};

/// One picture between its two halves: computed by the node, then answered.
struct Task {
  FrameRecord record;
  std::optional<Picture> picture;
  ImageSize size;
  Seconds started;
  std::vector<ChannelFrame> frames;
  std::optional<OutgoingRequest> request;  // absent when the record is complete already
};

/// Hands tasks from the computing thread to the answering one, a bounded number at a time.
class TaskQueue {
 public:
  explicit TaskQueue(std::size_t room) : room_(room) {}

  /// False when the other side has given up.
  bool push(Task task) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || tasks_.size() < room_; });
    if (closed_) return false;
    tasks_.push_back(std::move(task));
    changed_.notify_all();
    return true;
  }
  /// Absent when there is nothing more to come.
  std::optional<Task> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || ended_ || !tasks_.empty(); });
    if (closed_ || tasks_.empty()) return std::nullopt;
    std::optional<Task> task(std::move(tasks_.front()));
    tasks_.pop_front();
    changed_.notify_all();
    return task;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const std::size_t room_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool ended_ = false;
  bool closed_ = false;
};

}  // namespace

WireLimits replyLimits(const Bundle& bundle) {
  WireLimits limits;
  limits.message_bytes = 2 * kEnvelopeBytes;
  const auto exchange = planExchange(bundle.plan);
  if (exchange.ok()) {
    for (const Channel& channel : exchange->channels) {
      if (channel.to != bundle.plan.source_device) continue;
      limits.message_bytes += maxFrameBytes(channel, bundle.description.preprocessing);
    }
  }
  for (const Port& port : bundle.plan.outputs) limits.message_bytes += port.type.bytes();
  return limits;
}

class EdgeNode::Impl {
 public:
  Impl(std::shared_ptr<const Bundle> bundle, const EdgeNodeOptions& options, DevicePipeline own,
       DeviceId server, std::unique_ptr<Transport> transport, Clock& clock)
      : bundle_(std::move(bundle)),
        options_(options),
        clock_(clock),
        id_(options.id.empty() ? madeUpId() : options.id),
        fingerprint_(bundleFingerprint(bundle_->plan, bundle_->description)),
        own_(std::move(own)),
        server_device_(server),
        to_server_(own_.exchange().channelsFrom(own_.device(), server)),
        from_server_(own_.exchange().channelsFrom(server, own_.device())),
        can_finish_(options.fallback && DevicePipeline::carries(*bundle_, server)),
        link_(std::move(transport), options.server, replyLimits(*bundle_), clock) {}

  Result<NodeSummary> run(FrameSource& source, const RecordSink& records, EventSink events,
                          const std::atomic<bool>& stop);

  const std::string& id() const { return id_; }
  bool canFinish() const { return can_finish_; }

 private:
  Result<std::optional<Task>> nextTask(FrameSource& source);
  Status compute(Task& task);
  void prepareRequest(Task& task);
  CallStatus ask(Task& task, InferReply& reply, ExchangeCost& cost);
  void answer(Task& task);
  Status takeReply(Task& task, const InferReply& reply);
  Status finishHere(Task& task);
  Status finishOwnShare(Task& task);
  void takePrediction(Task& task, const DevicePipeline& pipeline) const;
  Status complete(Task task, const RecordSink& records);
  Status runOneByOne(FrameSource& source, const RecordSink& records, const std::atomic<bool>& stop);
  Status runAhead(FrameSource& source, const RecordSink& records, const std::atomic<bool>& stop);

  std::uint64_t next_frame_ = 0;
  Seconds next_time_;
  StreamState stream_;
  NodeSummary summary_;

  const std::shared_ptr<const Bundle> bundle_;
  const EdgeNodeOptions options_;
  Clock& clock_;
  const std::string id_;
  const std::uint64_t fingerprint_;
  DevicePipeline own_;
  const DeviceId server_device_;
  const std::vector<std::size_t> to_server_;
  const std::vector<std::size_t> from_server_;
  const bool can_finish_;
  ServerLink link_;
  std::optional<DevicePipeline> server_share_;
};

Result<std::optional<Task>> EdgeNode::Impl::nextTask(FrameSource& source) {
  clock_.sleep(next_time_ - clock_.now());
  next_time_ = std::max(next_time_, clock_.now()) + options_.interval;
  NARROWS_TRY(frame, source.next());
  if (!frame) return std::optional<Task>();
  Task task;
  task.record.frame = next_frame_++;
  task.record.input = frame->name;
  task.started = clock_.now();
  if (!frame->picture.ok()) {
    task.picture = Picture::fromImage({});
    task.record.error = frame->picture.error().message;
    return std::optional<Task>(std::move(task));
  }
  task.picture = std::move(*frame->picture);
  const Status computed = compute(task);
  if (!computed.ok()) task.record.error = computed.error().message;
  return std::optional<Task>(std::move(task));
}

/// Runs the node's pieces as far as they go without the server.
Status EdgeNode::Impl::compute(Task& task) {
  NARROWS_TRY(size, task.picture->size());
  task.size = size;
  stream_.apply(own_);
  NARROWS_CHECK(own_.start(*task.picture, static_cast<std::uint32_t>(task.record.frame)));
  NARROWS_TRY(frames, own_.advance());
  const PipelineTimes& times = own_.times();
  task.record.node = times.picture + times.compute + times.head;
  task.record.encode = times.encode;
  task.record.prepare = times.picture;
  Fnv1a hash;
  for (const ChannelFrame& frame : frames) {
    task.record.frame_bytes += frame.bytes.size();
    hash.add(frame.bytes);
  }
  if (!frames.empty()) task.record.frame_digest = hash.value();
  if (to_server_.empty() && from_server_.empty()) {
    if (!own_.finished()) return makeError("the plan leaves a piece without its inputs");
    takePrediction(task, own_);
    task.record.answered = AnsweredBy::node;
    return {};
  }
  if (frames.size() != to_server_.size()) {
    return makeError("the plan needs more than one exchange for a picture");
  }
  task.frames = std::move(frames);
  prepareRequest(task);
  return {};
}

void EdgeNode::Impl::prepareRequest(Task& task) {
  InferRequest request;
  request.model = bundle_->name;
  request.id = fmt::format("{}/{}", id_, task.record.frame);
  request.sequence = static_cast<std::uint32_t>(task.record.frame);
  request.bundle = fingerprint_;
  request.picture = task.size;
  for (const ChannelFrame& frame : task.frames) {
    request.frames.push_back({own_.exchange().channels[frame.channel].name, frame.bytes});
  }
  OutgoingRequest outgoing;
  outgoing.frame = task.record.frame;
  outgoing.id = request.id;
  outgoing.digest = digest(request);
  outgoing.bytes = writeRequest(request);
  const std::size_t message = framedBytes(outgoing.bytes.size());
  task.record.wire_bytes += options_.server.link ? wireBytes(*options_.server.link, message).value()
                                                 : static_cast<double>(message);
  task.request = std::move(outgoing);
}

void EdgeNode::Impl::takePrediction(Task& task, const DevicePipeline& pipeline) const {
  task.record.prediction = pipeline.prediction();
  if (bundle_->description.head.kind != HeadKind::none) return;
  for (std::size_t i = 0; i < pipeline.outputs().size(); ++i) {
    task.record.outputs.push_back(summarize(bundle_->plan.outputs[i].name, pipeline.outputs()[i]));
  }
}

/// The server's reply. Where it lacks what the frames refer to, they are sent standing alone, and
/// those after them start anew.
CallStatus EdgeNode::Impl::ask(Task& task, InferReply& reply, ExchangeCost& cost) {
  const auto sequence = static_cast<std::uint32_t>(task.record.frame);
  CallStatus status = link_.exchange(*task.request, can_finish_, reply, cost);
  if (status.ok()) stream_.confirm(sequence);
  if (status.code != CallCode::aborted) return status;
  stream_.startAnew();
  bool changed = false;
  for (ChannelFrame& frame : task.frames) {
    if (frame.alone.empty()) continue;
    changed = true;
    frame.bytes = std::move(frame.alone);
    frame.alone.clear();
    task.record.frame_bytes += frame.bytes.size();
  }
  if (!changed) return status;
  prepareRequest(task);
  return link_.exchange(*task.request, can_finish_, reply, cost);
}

/// Gets the answer of a task that needs one, from the server or here.
void EdgeNode::Impl::answer(Task& task) {
  if (!task.request) return;
  FrameRecord& record = task.record;
  InferReply reply;
  ExchangeCost cost;
  const CallStatus status = ask(task, reply, cost);
  record.attempts = cost.attempts;
  record.link = cost.link;
  Status answered;
  if (status.ok()) {
    record.server = reply.queued + reply.computed;
    const std::size_t message = framedBytes(cost.reply_bytes);
    record.reply_bytes = options_.server.link ? wireBytes(*options_.server.link, message).value()
                                              : static_cast<double>(message);
    answered = takeReply(task, reply);
    record.answered = AnsweredBy::server;
  } else if (can_finish_) {
    answered = finishHere(task);
    record.answered = AnsweredBy::fallback;
  } else {
    answered = makeError("{}", toString(status));
  }
  if (!answered.ok()) {
    record.answered = AnsweredBy::nobody;
    record.error = answered.error().message;
  }
}

Status EdgeNode::Impl::takeReply(Task& task, const InferReply& reply) {
  if (!from_server_.empty()) {
    const std::vector<Channel>& channels = own_.exchange().channels;
    for (const NamedFrame& frame : reply.frames) {
      const auto found =
          std::find_if(channels.begin(), channels.end(),
                       [&](const Channel& channel) { return channel.name == frame.name; });
      if (found == channels.end()) return makeError("the answer has an unknown \"{}\"", frame.name);
      NARROWS_CHECK(own_.receive(static_cast<std::size_t>(found - channels.begin()), frame.bytes));
    }
    NARROWS_CHECK(finishOwnShare(task));
  }
  if (own_.decodesHead()) return {};
  NARROWS_TRY(prediction, predictionOf(reply.tensors));
  task.record.prediction = std::move(prediction);
  if (bundle_->description.head.kind == HeadKind::none) {
    for (const NamedTensor& output : reply.tensors) {
      task.record.outputs.push_back(summarize(output.name, output.tensor));
    }
  }
  return {};
}

/// The pieces that wait for the server's frames, and the head when it is decoded here.
Status EdgeNode::Impl::finishOwnShare(Task& task) {
  const Seconds before = own_.times().total();
  NARROWS_TRY(frames, own_.advance());
  task.record.finish += own_.times().total() - before;
  if (!frames.empty() || !own_.finished()) {
    return makeError("the plan needs more than one exchange for a picture");
  }
  if (own_.decodesHead()) takePrediction(task, own_);
  return {};
}

/// The server's share, on this machine, from the very frames that it would have got, or from ones
/// that hold the same.
Status EdgeNode::Impl::finishHere(Task& task) {
  if (!server_share_) {
    const std::string& name = bundle_->plan.devices[server_device_.index()].name;
    NARROWS_TRY(share, DevicePipeline::create(bundle_, name, options_.pipeline));
    server_share_ = std::move(share);
  }
  server_share_->startRemote(static_cast<std::uint32_t>(task.record.frame), task.size);
  for (const ChannelFrame& frame : task.frames) {
    NARROWS_CHECK(server_share_->receive(frame.channel, frame.standingAlone()));
  }
  NARROWS_TRY(frames, server_share_->advance());
  task.record.finish += server_share_->times().total();
  if (!server_share_->finished()) {
    return makeError("the plan needs more than one exchange for a picture");
  }
  for (const ChannelFrame& frame : frames) NARROWS_CHECK(own_.receive(frame.channel, frame.bytes));
  if (server_share_->decodesHead()) takePrediction(task, *server_share_);
  if (!from_server_.empty()) return finishOwnShare(task);
  return {};
}

Status EdgeNode::Impl::complete(Task task, const RecordSink& records) {
  task.record.total = clock_.now() - task.started;
  ++summary_.frames;
  summary_.frame_bytes += static_cast<double>(task.record.frame_bytes);
  switch (task.record.answered) {
    case AnsweredBy::node:
      ++summary_.by_node;
      break;
    case AnsweredBy::server:
      ++summary_.by_server;
      break;
    case AnsweredBy::fallback:
      ++summary_.by_fallback;
      break;
    case AnsweredBy::group:  // not from a node
    case AnsweredBy::nobody:
      ++summary_.failed;
      break;
  }
  return records(task.record, *task.picture);
}

Status EdgeNode::Impl::runOneByOne(FrameSource& source, const RecordSink& records,
                                   const std::atomic<bool>& stop) {
  while (!stop) {
    NARROWS_TRY(task, nextTask(source));
    if (!task) return {};
    answer(*task);
    NARROWS_CHECK(complete(std::move(*task), records));
  }
  return {};
}

Status EdgeNode::Impl::runAhead(FrameSource& source, const RecordSink& records,
                                const std::atomic<bool>& stop) {
  TaskQueue queue(options_.depth - 1);
  Status answered;
  std::thread answering([&] {
    while (std::optional<Task> task = queue.pop()) {
      answer(*task);
      answered = complete(std::move(*task), records);
      if (!answered.ok()) {
        queue.close();
        return;
      }
    }
  });
  Status computed;
  while (!stop) {
    auto task = nextTask(source);
    if (!task.ok()) {
      computed = task.takeError();
      break;
    }
    if (!*task || !queue.push(std::move(**task))) break;
  }
  queue.end();
  answering.join();
  if (!answered.ok()) return answered;
  return computed;
}

Result<NodeSummary> EdgeNode::Impl::run(FrameSource& source, const RecordSink& records,
                                        EventSink events, const std::atomic<bool>& stop) {
  summary_ = {};
  link_.onEvent(std::move(events));
  const Seconds begin = clock_.now();
  const bool ahead = options_.depth > 1 && from_server_.empty();
  NARROWS_CHECK(ahead ? runAhead(source, records, stop) : runOneByOne(source, records, stop));
  summary_.elapsed = clock_.now() - begin;
  return summary_;
}

EdgeNode::EdgeNode(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EdgeNode::~EdgeNode() = default;

Result<std::unique_ptr<EdgeNode>> EdgeNode::create(std::shared_ptr<const Bundle> bundle,
                                                   const EdgeNodeOptions& options,
                                                   std::unique_ptr<Transport> transport,
                                                   Clock& clock) {
  if (options.depth < 1 || options.depth > 64) {
    return makeError("a depth of {}; expected 1 to 64", options.depth);
  }
  if (options.server.deadline <= Seconds(0)) return makeError("the deadline must be positive");
  const Plan& plan = bundle->plan;
  NARROWS_TRY(exchange, planExchange(plan));
  NARROWS_TRY(server, servedDevice(plan, options.server_device));
  for (const Channel& channel : exchange.channels) {
    const bool ours = (channel.from == plan.source_device && channel.to == server) ||
                      (channel.from == server && channel.to == plan.source_device);
    if (!ours) return makeError("a node works with one server; the plan has more devices");
  }
  const std::string& own_name = plan.devices[plan.source_device.index()].name;
  NARROWS_TRY(own, DevicePipeline::create(bundle, own_name, options.pipeline));
  return std::unique_ptr<EdgeNode>(new EdgeNode(std::make_unique<Impl>(
      std::move(bundle), options, std::move(own), server, std::move(transport), clock)));
}

Result<NodeSummary> EdgeNode::run(FrameSource& source, const RecordSink& records, EventSink events,
                                  const std::atomic<bool>& stop) {
  return impl_->run(source, records, std::move(events), stop);
}
const std::string& EdgeNode::id() const {
  return impl_->id();
}
bool EdgeNode::canFinish() const {
  return impl_->canFinish();
}

}  // namespace narrows
