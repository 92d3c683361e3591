#include "narrows/cost/group_simulator.h"

#include <algorithm>
#include <map>
#include <queue>
#include <set>

namespace narrows {
namespace {

constexpr std::size_t kMostFrames = 10'000;

struct Message {
  std::size_t from = 0;
  std::size_t to = 0;
  PieceId source;
  /// A message or the answer.
  Activity activity = Activity::message;
  FrameCost cost;
  /// Pieces that read it, once each; the model's outputs count as piece `pieces`, the end of the
  /// frame as one more.
  std::vector<std::size_t> readers;
};

/// What keeps a device busy: a piece or the coding of a message.
struct Job {
  Activity activity = Activity::compute;
  /// Of a piece or a message.
  std::size_t index = 0;
  std::size_t device = 0;
  Seconds time;
};

/// What waits for a device or for a way, oldest frame first. `index` is that of a job or a message.
struct Waiting {
  std::size_t frame = 0;
  std::size_t index = 0;
  friend auto operator<=>(const Waiting&, const Waiting&) = default;
};

struct Event {
  double time = 0;
  std::size_t order = 0;  // of equal times
  bool is_message = false;
  Waiting what;
  friend bool operator>(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.order > b.order;
  }
};

class Simulator {
 public:
  Simulator(const DeviceGroup& group, const Plan& plan, std::span<const PieceCost> pieces,
            const SimulationOptions& options)
      : group_(group),
        plan_(plan),
        pieces_(pieces),
        options_(options),
        ready_(group.devices.size()),
        running_(group.devices.size(), false),
        sending_(group.devices.size(), false),
        receiving_(group.devices.size(), false) {
    result_.devices.resize(group.devices.size());
  }

  Result<Simulation> run() {
    layOutMessages();
    layOutJobs();
    while (next_frame_ < std::min(options_.frames, options_.in_flight)) startFrame(0);
    startWaiting();
    while (!events_.empty() || !sharing_.empty()) {
      const Event event = nextEvent();
      now_ = event.time;
      if (event.is_message) {
        arrived(event.what);
      } else {
        ran(event.what);
      }
      startWaiting();
    }
    if (finished_ != options_.frames)
      return makeError("the plan leaves a piece without its inputs");
    finish();
    return std::move(result_);
  }

 private:
  std::size_t deviceOf(std::size_t piece) const { return plan_.pieces[piece].device.index(); }
  /// Readers behind the pieces.
  std::size_t outputs() const { return plan_.pieces.size(); }
  std::size_t frameEnd() const { return plan_.pieces.size() + 1; }
  /// The model's inputs count as one more source, behind the pieces.
  std::size_t inputs() const { return plan_.pieces.size(); }

  void layOutMessages() {
    needs_.assign(frameEnd() + 1, 0);
    local_readers_.resize(inputs() + 1);
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> index;
    std::set<std::pair<std::size_t, std::size_t>> local;
    for (std::size_t t = 0; t < plan_.transfers.size(); ++t) {
      const Transfer& transfer = plan_.transfers[t];
      const std::size_t source =
          transfer.source.piece.valid() ? transfer.source.piece.index() : inputs();
      const std::size_t reader =
          transfer.destination.piece.valid() ? transfer.destination.piece.index() : outputs();
      const std::size_t from = plan_.deviceOf(transfer.source, true).index();
      const std::size_t to = plan_.deviceOf(transfer.destination, false).index();
      if (from == to) {
        if (!local.emplace(source, reader).second) continue;
        local_readers_[source].push_back(reader);
        ++needs_[reader];
        continue;
      }
      const auto [found, added] = index.emplace(std::pair(source, to), messages_.size());
      if (added) messages_.push_back({from, to, transfer.source.piece, Activity::message, {}, {}});
      Message& message = messages_[found->second];
      const FrameCost cost = costOf(t);
      message.cost.bytes += cost.bytes;
      message.cost.envelope += cost.envelope;
      message.cost.encode += cost.encode;
      message.cost.decode += cost.decode;
      if (std::find(message.readers.begin(), message.readers.end(), reader) ==
          message.readers.end()) {
        message.readers.push_back(reader);
        ++needs_[reader];
      }
    }
    sent_by_.resize(inputs() + 1);
    for (std::size_t m = 0; m < messages_.size(); ++m) {
      const Seconds handling = options_.handling.of(messages_[m].cost.bytes);
      messages_[m].cost.encode += handling;
      messages_[m].cost.decode += handling;
      const PieceId source = messages_[m].source;
      sent_by_[source.valid() ? source.index() : inputs()].push_back(m);
    }
    layOutAnswer();
  }

  void layOutAnswer() {
    const std::size_t from = plan_.sink_device.index();
    const std::size_t to = plan_.source_device.index();
    if (!(options_.answer.value() > 0) || from == to) return;
    answer_ = messages_.size();
    messages_.push_back(
        {from, to, PieceId(), Activity::answer, {options_.answer, {}, {}}, {frameEnd()}});
    needs_[frameEnd()] = 1;
  }

  FrameCost costOf(std::size_t transfer) const {
    if (!options_.transfers.empty()) return options_.transfers[transfer];
    const Transfer& crossing = plan_.transfers[transfer];
    const auto bytes = static_cast<double>(crossing.from.elements()) *
                       static_cast<double>(byteSize(typeOf(crossing.source).dtype));
    return {Bytes(bytes * options_.wire_ratio) + options_.frame_overhead, {}, {}};
  }

  /// In the order in which a device prefers them: what a piece needs is decoded, the piece runs,
  /// what leaves it is encoded.
  void layOutJobs() {
    encoding_.resize(messages_.size());
    decoding_.resize(messages_.size());
    const auto addEncoding = [&](std::size_t source) {
      for (const std::size_t m : sent_by_[source])
        addCoding(Activity::encode, m, messages_[m].from, messages_[m].cost.encode, encoding_[m]);
    };
    const auto addDecoding = [&](std::size_t reader) {
      for (std::size_t m = 0; m < messages_.size(); ++m) {
        const std::vector<std::size_t>& readers = messages_[m].readers;
        if (decoding_[m] || *std::min_element(readers.begin(), readers.end()) != reader) continue;
        addCoding(Activity::decode, m, messages_[m].to, messages_[m].cost.decode, decoding_[m]);
      }
    };
    addEncoding(inputs());
    for (std::size_t piece = 0; piece < plan_.pieces.size(); ++piece) {
      addDecoding(piece);
      computing_.push_back(jobs_.size());
      jobs_.push_back({Activity::compute, piece, deviceOf(piece), pieces_[piece].time});
      addEncoding(piece);
    }
    addDecoding(outputs());
  }

  /// Coding that takes no time is no job.
  void addCoding(Activity activity, std::size_t message, std::size_t device, Seconds time,
                 std::optional<std::size_t>& job) {
    if (!(time.value() > 0)) return;
    job = jobs_.size();
    jobs_.push_back({activity, message, device, time});
  }

  const TensorType& typeOf(const Endpoint& source) const {
    return source.piece.valid() ? plan_.piece(source.piece).outputs[source.port].type
                                : plan_.inputs[source.port].type;
  }

  void startFrame(double time) {
    const std::size_t frame = next_frame_++;
    missing_.push_back(needs_);
    started_.push_back(time);
    for (std::size_t piece = 0; piece < plan_.pieces.size(); ++piece) {
      if (needs_[piece] == 0) makeReady(frame, computing_[piece]);
    }
    done(frame, inputs());
  }

  void makeReady(std::size_t frame, std::size_t job) {
    ready_[jobs_[job].device].insert({frame, job});
  }

  /// What `source` made is there: readers beside it, messages to the others.
  void done(std::size_t frame, std::size_t source) {
    for (const std::size_t reader : local_readers_[source]) satisfy(frame, reader);
    for (const std::size_t message : sent_by_[source]) {
      if (encoding_[message]) {
        makeReady(frame, *encoding_[message]);
      } else {
        queued_.insert({frame, message});
      }
    }
  }

  void satisfy(std::size_t frame, std::size_t reader) {
    if (--missing_[frame][reader] > 0) return;
    if (reader < plan_.pieces.size()) {
      makeReady(frame, computing_[reader]);
      return;
    }
    if (reader == outputs() && answer_) {
      queued_.insert({frame, *answer_});
      return;
    }
    ++finished_;
    if (frame == 0) result_.latency = Seconds(now_ - started_[0]);
    end_ = now_;
    if (next_frame_ < options_.frames) startFrame(now_);
  }

  /// The event that comes first; of jobs on shared cores the one that ends first as things stand.
  Event nextEvent() {
    auto first = std::min_element(sharing_.begin(), sharing_.end(),
                                  [](const Shared& a, const Shared& b) { return a.left < b.left; });
    if (first == sharing_.end() || (!events_.empty() && events_.top().time <= endOf(*first))) {
      const Event event = events_.top();
      events_.pop();
      share(event.time);
      return event;
    }
    const double end = endOf(*first);
    const Waiting what = first->what;
    result_.timeline[first->entry].end = Seconds(end);
    share(end);
    sharing_.erase(first);
    return {end, order_++, false, what};
  }

  /// Cores that a job has now, at most one.
  double coresOfEach() const {
    return std::min(
        1.0, static_cast<double>(*options_.shared_cores) / static_cast<double>(sharing_.size()));
  }
  struct Shared;
  double endOf(const Shared& job) const { return shared_until_ + job.left / coresOfEach(); }

  /// Jobs on shared cores get on until `time`.
  void share(double time) {
    for (Shared& job : sharing_) job.left -= (time - shared_until_) * coresOfEach();
    shared_until_ = time;
  }

  void startWaiting() {
    for (std::size_t device = 0; device < ready_.size(); ++device) startJob(device);
    startMessages();
  }

  void startJob(std::size_t device) {
    if (running_[device] || ready_[device].empty()) return;
    const Waiting next = *ready_[device].begin();
    ready_[device].erase(ready_[device].begin());
    running_[device] = true;
    const Job& job = jobs_[next.index];
    const bool coding = job.activity != Activity::compute;
    (coding ? result_.devices[device].coding : result_.devices[device].compute) += job.time;
    result_.timeline.push_back({next.frame, job.activity,
                                coding ? messages_[job.index].source : PieceId(job.index), device,
                                std::nullopt, coding ? messages_[job.index].cost.bytes : Bytes(),
                                Seconds(now_), Seconds(now_) + job.time});
    if (options_.shared_cores) {
      share(now_);
      sharing_.push_back({next, job.time.value(), result_.timeline.size() - 1});
      return;
    }
    events_.push({now_ + job.time.value(), order_++, false, next});
  }

  void ran(const Waiting& what) {
    const Job& job = jobs_[what.index];
    running_[job.device] = false;
    if (job.activity == Activity::compute) {
      done(what.frame, job.index);
    } else if (job.activity == Activity::encode) {
      queued_.insert({what.frame, job.index});
    } else {
      received(what.frame, job.index);
    }
  }

  bool free(const Message& message) const {
    if (group_.medium == GroupMedium::shared) return !medium_busy_;
    return !sending_[message.from] && !receiving_[message.to];
  }
  void occupy(const Message& message, bool busy) {
    sending_[message.from] = receiving_[message.to] = medium_busy_ = busy;
  }

  void startMessages() {
    for (auto next = queued_.begin(); next != queued_.end();) {
      const Message& message = messages_[next->index];
      if (!free(message)) {
        ++next;
        continue;
      }
      occupy(message, true);
      const Bytes bytes = message.cost.bytes;
      const MessageTime time =
          groupMessageTime(group_, message.from, message.to, bytes + message.cost.envelope);
      chargeLinks(message, time);
      result_.timeline.push_back({next->frame, message.activity, message.source, message.from,
                                  message.to, bytes, Seconds(now_),
                                  Seconds(now_) + time.arrival()});
      events_.push({now_ + time.arrival().value(), order_++, true, *next});
      next = queued_.erase(next);
    }
  }

  void chargeLinks(const Message& message, const MessageTime& time) {
    result_.traffic += message.cost.bytes;
    result_.devices[message.from].sent += message.cost.bytes;
    result_.devices[message.to].received += message.cost.bytes;
    link_energy_[message.from] += sendEnergy(group_.devices[message.from].link, time);
    link_energy_[message.to] += receiveEnergy(group_.devices[message.to].link, time);
  }

  void arrived(const Waiting& what) {
    occupy(messages_[what.index], false);
    if (decoding_[what.index]) {
      makeReady(what.frame, *decoding_[what.index]);
    } else {
      received(what.frame, what.index);
    }
  }

  void received(std::size_t frame, std::size_t message) {
    for (const std::size_t reader : messages_[message].readers) satisfy(frame, reader);
  }

  void finish() {
    const auto frames = static_cast<double>(options_.frames);
    result_.period = Seconds(end_ / frames);
    result_.traffic = result_.traffic / frames;
    for (std::size_t d = 0; d < result_.devices.size(); ++d) {
      SimulatedDevice& device = result_.devices[d];
      const DeviceModel& model = group_.devices[d].model;
      device.compute = device.compute / frames;
      device.coding = device.coding / frames;
      device.sent = device.sent / frames;
      device.received = device.received / frames;
      for (std::size_t p = 0; p < pieces_.size(); ++p) {
        if (deviceOf(p) != d) continue;
        device.weights += pieces_[p].weights;
        device.activations = std::max(device.activations, pieces_[p].activations);
      }
      const Seconds busy = device.compute + device.coding;
      const bool used = d == plan_.source_device.index() || d == plan_.sink_device.index() ||
                        busy.value() > 0 || device.received.value() > 0;
      if (!model.compute_power || !used) continue;
      device.energy = *model.compute_power * busy + model.idle_power * (result_.period - busy) +
                      link_energy_[d] / frames;
    }
  }

  const DeviceGroup& group_;
  const Plan& plan_;
  std::span<const PieceCost> pieces_;
  const SimulationOptions& options_;
  std::vector<Message> messages_;
  std::vector<Job> jobs_;
  std::vector<std::size_t> computing_;                // jobs, by piece
  std::vector<std::optional<std::size_t>> encoding_;  // jobs, by message
  std::vector<std::optional<std::size_t>> decoding_;
  std::optional<std::size_t> answer_;                    // a message
  std::vector<std::size_t> needs_;                       // by reader
  std::vector<std::vector<std::size_t>> local_readers_;  // by source
  std::vector<std::vector<std::size_t>> sent_by_;        // by source
  std::vector<std::vector<std::size_t>> missing_;        // by frame and reader
  std::vector<double> started_;                          // by frame
  std::vector<std::set<Waiting>> ready_;                 // by device
  std::set<Waiting> queued_;                             // messages
  std::vector<bool> running_, sending_, receiving_;      // by device
  std::map<std::size_t, Joules> link_energy_;
  /// A job on shared cores: seconds of one core that it still needs.
  struct Shared {
    Waiting what;
    double left = 0;
    std::size_t entry = 0;  // in the timeline
  };
  std::vector<Shared> sharing_;
  double shared_until_ = 0;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  Simulation result_;
  double now_ = 0;
  double end_ = 0;
  std::size_t order_ = 0;
  std::size_t next_frame_ = 0;
  std::size_t finished_ = 0;
  bool medium_busy_ = false;
};

}  // namespace

std::string_view toString(Activity activity) {
  switch (activity) {
    case Activity::compute:
      return "compute";
    case Activity::encode:
      return "encode";
    case Activity::decode:
      return "decode";
    case Activity::message:
      return "message";
    case Activity::answer:
      return "answer";
  }
  return {};
}

Joules Simulation::energy() const {
  Joules total;
  for (const SimulatedDevice& device : devices) total += device.energy.value_or(Joules());
  return total;
}

std::size_t Simulation::largestMemory() const {
  std::size_t largest = 0;
  for (const SimulatedDevice& device : devices) largest = std::max(largest, device.memory());
  return largest;
}

MessageTime groupMessageTime(const DeviceGroup& group, std::size_t from, std::size_t to,
                             Bytes bytes) {
  const MessageTime up = messageTime(group.devices[from].link, bytes, LinkWay::up);
  const MessageTime down = messageTime(group.devices[to].link, bytes, LinkWay::down);
  return up.arrival() > down.arrival() ? up : down;
}

Result<std::vector<PieceCost>> groupCosts(const DeviceGroup& group, const Graph& network,
                                          const Plan& plan, std::span<const Graph> pieces) {
  if (plan.devices.size() != group.devices.size()) {
    return makeError("a plan for {} devices and a group of {}", plan.devices.size(),
                     group.devices.size());
  }
  std::map<std::size_t, ComputeModel> models;
  std::vector<PieceCost> costs;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    const std::size_t d = plan.pieces[p].device.index();
    const DeviceModel& device = group.devices[d].model;
    if ((device.rates || device.predictor) && device.tables.empty()) {
      NARROWS_TRY(own, ComputeModel::create(device, pieces[p]));
      NARROWS_TRY(cost, own.cost(pieces[p]));
      costs.push_back(cost);
      continue;
    }
    auto found = models.find(d);
    if (found == models.end()) {
      NARROWS_TRY(model, ComputeModel::create(device, network));
      found = models.emplace(d, std::move(model)).first;
    }
    NARROWS_TRY(cost, found->second.cost(pieces[p]));
    costs.push_back(cost);
  }
  return costs;
}

Result<Simulation> simulateGroup(const DeviceGroup& group, const Plan& plan,
                                 std::span<const PieceCost> pieces,
                                 const SimulationOptions& options) {
  NARROWS_CHECK(checkPlan(plan));
  if (plan.devices.size() != group.devices.size()) {
    return makeError("a plan for {} devices and a group of {}", plan.devices.size(),
                     group.devices.size());
  }
  if (pieces.size() != plan.pieces.size()) {
    return makeError("costs of {} pieces for {}", pieces.size(), plan.pieces.size());
  }
  if (!options.transfers.empty() && options.transfers.size() != plan.transfers.size()) {
    return makeError("costs of {} transfers for {}", options.transfers.size(),
                     plan.transfers.size());
  }
  if (options.shared_cores && *options.shared_cores < 1) {
    return makeError("no cores to share");
  }
  if (options.frames < 1 || options.frames > kMostFrames || options.in_flight < 1) {
    return makeError("{} frames, {} in flight; expected 1 to {}, and at least 1", options.frames,
                     options.in_flight, kMostFrames);
  }
  return Simulator(group, plan, pieces, options).run();
}

}  // namespace narrows
