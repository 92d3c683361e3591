#include "narrows/runtime/group/group_run.h"

#include "narrows/runtime/clock.h"

namespace narrows {
namespace {

double now() {
  return SystemClock().now().value();
}

/// The outputs that follow one another in `bytes`.
Result<std::vector<Tensor>> splitOutputs(const Plan& plan, ByteSpan bytes) {
  std::vector<Tensor> outputs;
  for (const Port& port : plan.outputs) {
    if (port.type.bytes() > bytes.size()) {
      return makeError("output \"{}\" has {} bytes, {} came", port.name, port.type.bytes(),
                       bytes.size());
    }
    Tensor tensor(port.type);
    std::copy_n(bytes.begin(), port.type.bytes(), tensor.mutableView().bytes().begin());
    outputs.push_back(std::move(tensor));
    bytes = bytes.subspan(port.type.bytes());
  }
  if (!bytes.empty()) return makeError("{} bytes behind the outputs", bytes.size());
  return outputs;
}

}  // namespace

GroupRun::GroupRun(std::shared_ptr<const ActivePlan> plan, std::uint64_t frame, bool outputs)
    : plan_(std::move(plan)), frame_(frame), outputs_(outputs) {}

void GroupRun::start(const GroupInput& input, Seconds timeout) {
  const std::size_t source = plan_->deployment.plan().source_device.index();
  RunRequest request;
  request.session = plan_->session;
  request.epoch = plan_->epoch;
  request.frame = frame_;
  request.timeout = timeout;
  request.size = input.size;
  request.outputs = outputs_;
  std::vector<std::size_t> order;  // the source last: then all are ready for what it sends
  for (std::size_t d = 0; d < plan_->peers.size(); ++d) {
    if (plan_->peers[d] != nullptr && d != source) order.push_back(d);
  }
  order.push_back(source);
  started_ = now();
  missing_ = order.size();
  for (const std::size_t d : order) {
    if (d == source) {
      request.input = input.kind;
      request.payload = input.payload;
    }
    // Longer than the worker's own: it says more than a call that merely ends.
    plan_->peers[d]->call(
        WorkerCall::run, writeMessage(request), timeout + Seconds(1),
        [self = shared_from_this(), d](const CallStatus& status, ByteVector bytes) {
          self->replied(d, status, std::move(bytes));
        });
  }
}

void GroupRun::abort() {
  {
    const std::lock_guard lock(mutex_);
    aborted_ = true;
  }
  changed_.notify_all();
}

GroupRun::Outcome GroupRun::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return missing_ == 0 || trouble_ || aborted_; });
  Outcome outcome;
  outcome.trouble = trouble_;
  if (answered_) outcome.answer = std::move(answer_);
  answered_ = false;
  return outcome;
}

void GroupRun::replied(std::size_t device, const CallStatus& status, ByteVector bytes) {
  {
    const std::lock_guard lock(mutex_);
    --missing_;
    auto trouble = judge(device, status, bytes);
    const bool worse = trouble && trouble->end == RunEnd::peer_wrong;
    if (trouble && (!trouble_ || worse)) trouble_ = std::move(trouble);
  }
  changed_.notify_all();
}

std::optional<Trouble> GroupRun::judge(std::size_t device, const CallStatus& status,
                                       ByteSpan bytes) {
  const std::vector<Device>& devices = plan_->deployment.plan().devices;
  Trouble trouble;
  trouble.epoch = plan_->epoch;
  trouble.device = devices[device].name;
  if (!status.ok()) {
    trouble.end = RunEnd::peer_unreachable;
    trouble.message = toString(status);
    return trouble;
  }
  trouble.end = RunEnd::peer_wrong;
  auto reply = readMessage<RunReply>(bytes);
  if (!reply.ok()) {
    trouble.message = reply.error().message;
    return trouble;
  }
  if (reply->blamed && (*reply->blamed >= devices.size() || *reply->blamed == device)) {
    trouble.message = "it blames a device that cannot be to blame";
    return trouble;
  }
  if (reply->end != RunEnd::done) {
    trouble.end = reply->end;
    trouble.message = fmt::format("{} says: {}", devices[device].name, reply->error);
    if (reply->blamed) trouble.device = devices[*reply->blamed].name;
    return trouble;
  }
  if (const Status taken = take(device, *reply); !taken.ok()) {
    trouble.message = taken.error().message;
    return trouble;
  }
  return std::nullopt;
}

Status GroupRun::take(std::size_t device, const RunReply& reply) {
  const Plan& plan = plan_->deployment.plan();
  DeviceWork work;
  work.device = plan.devices[device].name;
  work.compute = reply.compute;
  work.coding = reply.coding;
  for (const SentTo& sent : reply.sent) {
    if (sent.device >= plan.devices.size()) return makeError("it sent to a device that is none");
    work.sent.push_back(
        {plan.devices[sent.device].name, sent.messages, sent.frame_bytes, sent.message_bytes});
  }
  const bool head = plan_->deployment.exchange().head.index() == device;
  if (reply.answered != head) {
    return makeError("{}", head ? "it decodes the head and gives no answer"
                                : "it answers and does not decode the head");
  }
  if (head) {
    if (outputs_) {
      NARROWS_TRY(outputs, splitOutputs(plan, reply.outputs));
      answer_.outputs = std::move(outputs);
    }
    answer_.prediction = reply.prediction;
    answer_.plan = plan_->epoch;
    answer_.run = Seconds(now() - started_);
    answered_ = true;
  }
  answer_.work.push_back(std::move(work));
  return {};
}

}  // namespace narrows
