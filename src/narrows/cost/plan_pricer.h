#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cost/compute_model.h"
#include "narrows/cost/device_model.h"
#include "narrows/cost/frame_cost.h"
#include "narrows/cost/link_model.h"
#include "narrows/plan/plan.h"

namespace narrows {

/// The device models and links under a plan.
struct PlanSetting {
  /// One for each device of the plan, in its order.
  std::vector<DeviceModel> devices;
  /// For each of them: its links cost its battery nothing. Empty: none is.
  std::vector<bool> cabled;
  /// Media; each carries one message at a time.
  std::vector<LinkModel> links;
  /// Index of the link from device a to device b, at [a * devices + b]. Empty: all use link 0.
  std::vector<std::size_t> routes;
  /// What goes back from where the outputs are wanted to where the inputs arise; 0 for nothing.
  Bytes answer;
};

/// A device's part of a link, for one frame.
struct RadioPrice {
  std::size_t device = 0;
  std::size_t link = 0;
  /// Sending, receiving and set-up; then the tail after the last message.
  Seconds busy;
  Joules energy;
  Seconds tail;
  Joules tail_energy;
};

/// One device, for one frame on its own.
struct DevicePrice {
  Seconds compute;
  Seconds coding;
  /// 0 on a device whose power is not known, and link energy of one that is cabled.
  Joules compute_energy;
  Joules coding_energy;
  Joules link_energy;
  /// Bytes of weights, and the largest arena of its pieces, which run one after another.
  std::size_t weights = 0;
  std::size_t activations = 0;

  Seconds busy() const { return compute + coding; }
  /// Equation 1 of Sanchez Leal et al. (SAS 2023): sum of E_P over the layers plus E_C, with coding
  /// as work of the processor. Waiting and sensing are left out.
  Joules energy() const { return compute_energy + coding_energy + link_energy; }
  std::size_t memory() const { return weights + activations; }
};

/// One frame on its own. Everything but the bytes is modelled unless an origin says otherwise.
struct Price {
  /// Critical path over pieces, coding and messages, from the input to the outputs (and the answer,
  /// where there is one).
  Seconds latency;
  /// Of latency and energies: that of the pieces' figures when nothing crosses a link.
  Origin origin = Origin::modelled;
  /// Of the busiest device or link.
  Seconds bottleneck;
  /// It: a device, or the link of that index.
  bool bottleneck_is_link = false;
  std::size_t bottleneck_index = 0;
  /// Over all links: frames, and with the envelopes and what packets carry around them; the answer
  /// left out.
  Bytes bytes;
  Bytes bytes_on_link;
  /// Time of the messages, tails left out; of the answer.
  Seconds link_time;
  Seconds answer_time;
  std::vector<DevicePrice> devices;
  std::vector<RadioPrice> radios;

  /// When frames follow each other as fast as they can; infinite for a plan that takes no time.
  double framesPerSecond() const { return 1 / bottleneck.value(); }
};

/// Prices one plan for many frame sizes and coders. All that does not depend on them is computed
/// once.
///
/// A device works in order: for each of its pieces as the plan lists them it decodes what the piece
/// needs, runs it, then encodes what leaves. Everything that one piece (or the model's input) sends
/// to one device is one message. A link carries its messages in the order in which they are made.
class PlanPricer {
 public:
  /// `pieces` in the plan's order. Fails on a plan that `checkPlan` rejects, on a setting of the
  /// wrong size and on a transfer between devices without a link.
  static Result<PlanPricer> create(const Plan& plan, PlanSetting setting,
                                   std::vector<PieceCost> pieces);

  /// `frames` holds one entry for each transfer of the plan; those within a device are ignored.
  /// The result is valid until the next call. Allocates nothing.
  const Price& price(std::span<const FrameCost> frames);

  const PlanSetting& setting() const { return setting_; }
  const Plan& plan() const { return plan_; }
  /// In the plan's order.
  const std::vector<PieceCost>& pieces() const { return pieces_; }
  std::size_t transferCount() const { return plan_.transfers.size(); }
  /// The first transfer between devices; nothing when all are within one.
  std::optional<std::size_t> firstCrossing() const {
    if (messages_.empty()) return std::nullopt;
    return messages_.front().transfers.front();
  }

  /// Energy of a device for each frame at `frames_per_second`: that of the frame, idle power of
  /// device and links for the rest of the period, and a tail that the next frame cuts short.
  /// Nothing when the price's bottleneck cannot keep up, or the device's power is not known.
  std::optional<Joules> energyAtRate(const Price& price, std::size_t device,
                                     double frames_per_second) const;
  /// How long a battery drives the device at that rate; without self-discharge and converters.
  std::optional<Seconds> batteryLife(const Price& price, std::size_t device,
                                     double frames_per_second, Joules capacity) const;

 private:
  struct Message {
    std::size_t from = 0;
    std::size_t to = 0;
    std::size_t link = 0;
    LinkWay way = LinkWay::up;
    PieceId source;
    std::vector<std::size_t> transfers;
    bool received = false;  // while steps are laid out
  };
  enum class StepKind : std::uint8_t { send, receive, compute };
  struct Step {
    StepKind kind = StepKind::compute;
    /// Of a message or a piece.
    std::size_t index = 0;
  };

  PlanPricer() = default;
  Status layOutMessages(const Plan& plan);
  void layOutSteps(const Plan& plan);
  void receiveFor(const Plan& plan, const Endpoint& destination);
  std::size_t routeOf(std::size_t from, std::size_t to) const;
  void send(std::size_t index, std::span<const FrameCost> frames);
  void chargeLink(const Message& message, const MessageTime& time);
  RadioPrice& radio(std::size_t device, std::size_t link);
  void finish();

  Plan plan_;
  PlanSetting setting_;
  std::vector<PieceCost> pieces_;
  std::vector<std::size_t> piece_device_;
  std::vector<Message> messages_;
  std::vector<Step> steps_;
  std::vector<std::size_t> output_messages_;
  std::vector<std::size_t> output_pieces_;
  std::size_t source_device_ = 0;
  std::size_t sink_device_ = 0;
  Origin compute_origin_ = Origin::modelled;
  // Of the frame being priced.
  Price price_;
  std::vector<Seconds> device_free_;
  std::vector<Seconds> link_free_;
  std::vector<Seconds> link_busy_;
  std::vector<Seconds> arrival_;   // of messages
  std::vector<Seconds> received_;  // of messages, decoded
  std::vector<Seconds> piece_end_;
};

}  // namespace narrows
