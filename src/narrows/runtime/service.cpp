#include "narrows/runtime/service.h"

#include <algorithm>
#include <future>

#include "narrows/runtime/served_device.h"

namespace narrows {
namespace {

/// Parameters, names and shapes of a request are far below this.
constexpr std::size_t kEnvelopeBytes = std::size_t{64} << 10;
/// The longest id that is taken, in bytes.
constexpr std::size_t kMaxId = 256;
constexpr std::string_view kImageTensor = "image";

InferReply failed(const InferRequest& request, CallStatus status) {
  InferReply reply;
  reply.id = request.id;
  reply.model = request.model;
  reply.status = std::move(status);
  return reply;
}

InferReply copyOf(const InferReply& reply) {
  InferReply copy;
  copy.status = reply.status;
  copy.model = reply.model;
  copy.id = reply.id;
  copy.request = reply.request;
  copy.queued = reply.queued;
  copy.computed = reply.computed;
  copy.frames = reply.frames;
  for (const NamedTensor& named : reply.tensors) {
    copy.tensors.push_back({named.name, named.tensor.clone()});
  }
  return copy;
}

}  // namespace

struct InferenceService::Worker {
  DevicePipeline share;
  /// The whole model, for requests that bring its input as a tensor; made when the first one comes.
  std::optional<LocalPipeline> whole;
  std::thread thread;
};

InferenceService::InferenceService(std::shared_ptr<const Bundle> bundle,
                                   const ServiceOptions& options, Clock& clock)
    : bundle_(std::move(bundle)),
      options_(options),
      clock_(clock),
      answers_(options.answers, options.answer_bytes) {}

Result<std::unique_ptr<InferenceService>> InferenceService::create(
    const std::shared_ptr<const Bundle>& bundle, const ServiceOptions& options, Clock& clock) {
  if (options.workers < 1 || options.workers > 1024) {
    return makeError("{} workers; expected 1 to 1024", options.workers);
  }
  if (options.max_in_flight < 1) return makeError("the queue needs room for one request");
  NARROWS_TRY(exchange, planExchange(bundle->plan));
  NARROWS_TRY(device, servedDevice(bundle->plan, options.device));
  const std::string& device_name = bundle->plan.devices[device.index()].name;
  std::unique_ptr<InferenceService> service(new InferenceService(bundle, options, clock));
  service->fingerprint_ = bundleFingerprint(bundle->plan, bundle->description);
  service->device_ = device;

  std::size_t frames = 0;
  for (const Channel& channel : exchange.channels) {
    if (channel.to != device) continue;
    if (channel.from != bundle->plan.source_device) {
      return makeError("\"{}\" gets frames from \"{}\"; a server takes them from the source only",
                       device_name, bundle->plan.devices[channel.from.index()].name);
    }
    frames += maxFrameBytes(channel, bundle->description.preprocessing);
  }
  std::size_t tensors = 0;
  std::size_t elements = 0;
  for (const Port& port : bundle->plan.inputs) {
    tensors += port.type.bytes();
    elements += static_cast<std::size_t>(port.type.elements());
  }
  // Typed contents take five bytes for each element when they are not packed.
  service->request_limits_.other_bytes = kEnvelopeBytes + 5 * elements;
  service->request_limits_.message_bytes =
      std::max(frames, std::max(tensors, 5 * elements)) + 2 * kEnvelopeBytes;
  service->streams_ = std::make_unique<StreamMemory>(exchange, device, options.stream_bytes);
  service->exchange_ = std::move(exchange);

  for (std::size_t i = 0; i < options.workers; ++i) {
    NARROWS_TRY(share, DevicePipeline::create(bundle, device_name, options.pipeline));
    service->workers_.push_back(
        std::make_unique<Worker>(Worker{std::move(share), std::nullopt, {}}));
  }
  for (const auto& worker : service->workers_) {
    worker->thread = std::thread(&InferenceService::work, service.get(), std::ref(*worker));
  }
  return service;
}

InferenceService::~InferenceService() {
  drain();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
}

bool InferenceService::ready() const {
  const std::lock_guard lock(mutex_);
  return !draining_;
}

ServiceCounters InferenceService::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

CallStatus InferenceService::admit(const InferRequest& request) const {
  if (!request.model.empty() && request.model != bundle_->name) {
    return {CallCode::not_found,
            fmt::format("model \"{}\" is not served here, \"{}\" is", request.model, model())};
  }
  if (request.bundle != 0 && request.bundle != fingerprint_) {
    return {
        CallCode::failed_precondition,
        "the sender's bundle is not the one served here: plan, interfaces or description differ"};
  }
  if (request.id.size() > kMaxId) {
    return {CallCode::invalid_argument,
            fmt::format("the id has {} bytes, at most {} are taken", request.id.size(), kMaxId)};
  }
  return {};
}

void InferenceService::submit(InferRequest request, Seconds timeout, Done done) {
  const CallStatus admitted = admit(request);
  if (!admitted.ok()) {
    done(failed(request, admitted));
    return;
  }
  const std::uint64_t contents = digest(request);
  std::string key;
  if (!request.id.empty()) key = fmt::format("{}#{:016x}", request.id, contents);
  const Seconds now = clock_.now();
  std::shared_ptr<const InferReply> known;
  CallStatus refusal;
  {
    const std::lock_guard lock(mutex_);
    if (!key.empty()) known = answers_.find(key);
    const auto open = key.empty() ? open_.end() : open_.find(key);
    if (known != nullptr) {
      ++counters_.repeated;
    } else if (draining_) {
      refusal = {CallCode::unavailable, "the server is stopping"};
    } else if (in_flight_ >= options_.max_in_flight) {
      ++counters_.refused_full;
      refusal = {CallCode::resource_exhausted,
                 fmt::format("{} requests are waiting or being computed, the limit is {}",
                             in_flight_, options_.max_in_flight)};
    } else if (open != open_.end()) {
      // The same picture again, while its first request is still on its way through.
      ++in_flight_;
      open->second->waiting.push_back(std::move(done));
      open->second->expires = std::max(open->second->expires, now + timeout);
      return;
    } else {
      auto job = std::make_shared<Job>();
      job->request = std::move(request);
      job->key = std::move(key);
      job->digest = contents;
      job->entered = now;
      job->expires = now + timeout;
      job->waiting.push_back(std::move(done));
      if (!job->key.empty()) open_[job->key] = job;
      queue_.push_back(std::move(job));
      ++in_flight_;
      wake_.notify_one();
      return;
    }
  }
  if (known != nullptr) {
    done(*known);
  } else {
    done(failed(request, refusal));
  }
}

InferReply InferenceService::infer(InferRequest request, Seconds timeout) {
  std::promise<InferReply> promise;
  std::future<InferReply> future = promise.get_future();
  submit(std::move(request), timeout,
         [&promise](const InferReply& reply) { promise.set_value(copyOf(reply)); });
  return future.get();
}

void InferenceService::work(Worker& worker) {
  for (;;) {
    std::shared_ptr<Job> job;
    bool expired = false;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      expired = clock_.now() > job->expires;
      if (expired) {
        ++counters_.expired;
        // The same request may come again in time: from here on it is computed on its own.
        close(*job);
      }
    }
    auto reply = std::make_shared<InferReply>(
        expired ? failed(job->request,
                         {CallCode::deadline_exceeded, "expired while waiting on the server"})
                : compute(worker, job->request));
    reply->request = job->digest;
    reply->queued = clock_.now() - job->entered - reply->computed;
    if (reply->queued < Seconds(0)) reply->queued = Seconds(0);
    finish(job, reply);
  }
}

void InferenceService::close(const Job& job) {
  const auto open = open_.find(job.key);
  if (open != open_.end() && open->second.get() == &job) open_.erase(open);
}

void InferenceService::finish(const std::shared_ptr<Job>& job,
                              const std::shared_ptr<const InferReply>& reply) {
  std::vector<Done> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting = std::move(job->waiting);
    close(*job);
    if (!job->key.empty() && reply->status.ok()) answers_.insert(job->key, reply);
    if (reply->status.ok()) {
      counters_.answered += 1;
      counters_.repeated += waiting.size() - 1;
    } else if (reply->status.code != CallCode::deadline_exceeded) {
      ++counters_.failed;
    }
  }
  for (const Done& done : waiting) done(*reply);
  {
    const std::lock_guard lock(mutex_);
    in_flight_ -= waiting.size();
    if (in_flight_ == 0) idle_.notify_all();
  }
}

void InferenceService::drain() {
  std::unique_lock lock(mutex_);
  draining_ = true;
  idle_.wait(lock, [&] { return in_flight_ == 0; });
}

namespace {

/// Frames by name into their channels; every incoming channel exactly once.
Status receiveFrames(DevicePipeline& pipeline, std::span<const NamedFrame> frames,
                     StreamHistory* stream) {
  const std::vector<Channel>& channels = pipeline.exchange().channels;
  std::size_t expected = 0;
  for (const Channel& channel : channels) expected += channel.to == pipeline.device() ? 1 : 0;
  for (const NamedFrame& frame : frames) {
    const auto found = std::find_if(channels.begin(), channels.end(), [&](const Channel& channel) {
      return channel.name == frame.name && channel.to == pipeline.device();
    });
    if (found == channels.end()) return makeError("input \"{}\" is not known", frame.name);
    NARROWS_CHECK(
        pipeline.receive(static_cast<std::size_t>(found - channels.begin()), frame.bytes, stream));
  }
  if (frames.size() != expected) {
    return makeError("{} frames came, {} are needed", frames.size(), expected);
  }
  return {};
}

void addAnswer(const Bundle& bundle, const Prediction& prediction, std::span<const Tensor> outputs,
               InferReply& reply) {
  if (bundle.description.head.kind == HeadKind::none) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      reply.tensors.push_back({bundle.plan.outputs[i].name, outputs[i].clone()});
    }
    return;
  }
  reply.tensors = predictionTensors(prediction, bundle.description.head.kind);
}

}  // namespace

InferReply InferenceService::compute(Worker& worker, const InferRequest& request) const {
  InferReply reply;
  reply.id = request.id;
  reply.model = bundle_->name;
  const Seconds begin = clock_.now();
  reply.status = answer(worker, request, reply);
  reply.computed = clock_.now() - begin;
  return reply;
}

CallStatus InferenceService::answer(Worker& worker, const InferRequest& request,
                                    InferReply& reply) const {
  if (!request.tensors.empty()) {
    if (request.tensors.size() != 1 || request.tensors[0].name != kImageTensor ||
        !request.frames.empty()) {
      return {CallCode::invalid_argument,
              "expected the interface's frames, or one FP32 tensor \"image\""};
    }
    if (!worker.whole) {
      auto whole = LocalPipeline::create(bundle_, options_.pipeline);
      if (!whole.ok()) {
        return {CallCode::failed_precondition, whole.error().message};
      }
      worker.whole = std::move(*whole);
    }
    const TensorView image = request.tensors[0].tensor;
    const Status ran = worker.whole->run(std::span(&image, 1), request.picture);
    if (!ran.ok()) {
      return {CallCode::invalid_argument, ran.error().message};
    }
    addAnswer(*bundle_, worker.whole->prediction(), worker.whole->outputs(), reply);
    return {};
  }
  worker.share.startRemote(request.sequence, request.picture);
  CallStatus received = receive(worker, request);
  if (!received.ok()) return received;
  auto frames = worker.share.advance();
  if (!frames.ok()) {
    return {CallCode::internal, frames.error().message};
  }
  if (!worker.share.finished()) {
    return {CallCode::failed_precondition, "the plan needs more than one exchange for a picture"};
  }
  for (ChannelFrame& frame : *frames) {
    reply.frames.push_back({exchange_.channels[frame.channel].name, std::move(frame.bytes)});
  }
  if (worker.share.decodesHead()) {
    addAnswer(*bundle_, worker.share.prediction(), worker.share.outputs(), reply);
  }
  return {};
}

CallStatus InferenceService::receive(Worker& worker, const InferRequest& request) const {
  // What a worker keeps itself is of whatever stream it met last.
  StreamHistory nothing(exchange_.channels.size());
  const std::shared_ptr<ReceivedStream> stream = streams_->find(request.id);
  std::unique_lock<std::mutex> lock;
  if (stream != nullptr) lock = std::unique_lock(stream->mutex);
  const Status received =
      receiveFrames(worker.share, request.frames, stream != nullptr ? &stream->of : &nothing);
  if (received.ok()) return {};
  return {worker.share.lacksReference() ? CallCode::aborted : CallCode::invalid_argument,
          received.error().message};
}

std::vector<TensorMetadata> InferenceService::inputs() const {
  std::vector<TensorMetadata> inputs;
  for (const Channel& channel : exchange_.channels) {
    if (channel.to == device_) inputs.push_back({channel.name, "BYTES", {1}});
  }
  if (bundle_->plan.inputs.size() == 1) {
    const auto extents = bundle_->plan.inputs[0].type.shape.extents();
    inputs.push_back({std::string(kImageTensor), "FP32", {extents.begin(), extents.end()}});
  }
  return inputs;
}

std::vector<TensorMetadata> InferenceService::outputs() const {
  std::vector<TensorMetadata> outputs;
  for (const Channel& channel : exchange_.channels) {
    if (channel.from == device_) outputs.push_back({channel.name, "BYTES", {1}});
  }
  if (exchange_.head != device_) return outputs;
  const HeadKind kind = bundle_->description.head.kind;
  if (kind == HeadKind::none) {
    for (const Port& port : bundle_->plan.outputs) {
      const auto extents = port.type.shape.extents();
      outputs.push_back({port.name,
                         std::string(protocolType(port.type.dtype)),
                         {extents.begin(), extents.end()}});
    }
  } else if (kind == HeadKind::classification) {
    outputs.push_back({"class_scores", "FP32", {-1}});
    outputs.push_back({"class_labels", "INT64", {-1}});
  } else {
    outputs.push_back({"boxes", "FP32", {-1, 4}});
    outputs.push_back({"scores", "FP32", {-1}});
    outputs.push_back({"labels", "INT64", {-1}});
  }
  return outputs;
}

}  // namespace narrows
