#include "narrows/runtime/fault_plan.h"

#include <gtest/gtest.h>

#include <cmath>

#include "narrows/runtime/inprocess_transport.h"
#include "narrows/runtime/runtime_case.h"

namespace narrows {
namespace {

using test::must;

FaultRates badLink() {
  FaultRates rates;
  rates.drop = 0.2;
  rates.delay = 0.3;
  rates.max_delay = milliseconds(500);
  rates.duplicate = 0.1;
  rates.corrupt = 0.4;
  return rates;
}

TEST(FaultPlan, KeepsItsRates) {
  constexpr std::uint64_t kSeed = 5;
  constexpr int kCalls = 20000;
  const FaultRates rates = badLink();
  const FaultPlan plan(rates, kSeed);
  int dropped = 0;
  int delayed = 0;
  int duplicated = 0;
  int damaged = 0;
  Seconds delay;
  for (int call = 0; call < kCalls; ++call) {
    const CallFate fate = plan.fate(static_cast<std::uint64_t>(call));
    duplicated += fate.duplicated ? 1 : 0;
    for (const MessageFate* message : {&fate.request, &fate.reply}) {
      dropped += message->dropped ? 1 : 0;
      delayed += message->delay > Seconds(0) ? 1 : 0;
      damaged += message->damages.empty() ? 0 : 1;
      delay += message->delay;
      EXPECT_LE(message->delay, rates.max_delay);
      EXPECT_LE(message->damages.size(), 4U);
      for (const MessageFate::Damage& damage : message->damages) {
        EXPECT_NE(damage.change, std::byte{0});
      }
    }
  }
  // Within five standard deviations of a binomial count.
  const auto expectCount = [](int count, double rate, int trials) {
    const double deviation = std::sqrt(trials * rate * (1 - rate));
    EXPECT_NEAR(count, rate * trials, 5 * deviation);
  };
  expectCount(dropped, rates.drop, 2 * kCalls);
  expectCount(delayed, rates.delay, 2 * kCalls);
  expectCount(damaged, rates.corrupt, 2 * kCalls);
  expectCount(duplicated, rates.duplicate, kCalls);
  EXPECT_NEAR(delay.value() / delayed, rates.max_delay.value() / 2, 0.01);
}

TEST(FaultPlan, DamageStaysWithinTheMessage) {
  MessageFate fate;
  fate.damages = {{0, std::byte{1}}, {0.5, std::byte{2}}, {std::nextafter(1.0, 0), std::byte{4}}};
  for (std::size_t size = 0; size < 100; ++size) {
    ByteVector message(size);
    fate.damage(message);
    if (size < 3) continue;
    EXPECT_EQ(message.front(), std::byte{1});
    EXPECT_EQ(message[size / 2], std::byte{2});
    EXPECT_EQ(message.back(), std::byte{4});
  }
}

TEST(FaultPlan, OtherSeedsGiveOtherFates) {
  const FaultPlan one(badLink(), 1);
  const FaultPlan two(badLink(), 2);
  int differ = 0;
  for (std::uint64_t call = 0; call < 100; ++call) {
    differ += one.fate(call).request.dropped != two.fate(call).request.dropped ? 1 : 0;
  }
  EXPECT_GT(differ, 10);
}

/// Which requests vanish does not depend on what they hold, on how long they are, or on how the
/// calls and probes before ended.
TEST(FaultPlan, FatesDoNotDependOnMessages) {
  constexpr std::uint64_t kSeed = 11;
  const auto bundle = test::smallSplit(test::SmallHead::yolov2);
  ServiceOptions options;
  options.pipeline = test::referencePipeline();
  ManualClock clock;
  const auto service = must(InferenceService::create(bundle, options, clock));
  FaultRates rates = badLink();
  rates.delay = 0;
  const FaultPlan plan(rates, kSeed);
  InProcessTransport short_ones(service.get(), clock, rates, kSeed);
  InProcessTransport long_ones(service.get(), clock, rates, kSeed);
  InferRequest request;
  request.model = "another";
  ByteVector reply;
  for (std::uint64_t call = 0; call < 200; ++call) {
    if (call % 3 == 0) static_cast<void>(long_ones.ready(Seconds(1)));
    const CallFate fate = plan.fate(call);
    // Never answered but by a refusal.
    const CallStatus garbage =
        short_ones.infer(ByteVector(call % 7, std::byte{0xff}), Seconds(1), reply);
    EXPECT_EQ(garbage.code == CallCode::deadline_exceeded, fate.request.dropped) << call;
    request.id.assign(call, 'x');
    const CallStatus valid = long_ones.infer(writeRequest(request), Seconds(2), reply);
    if (fate.request.dropped) {
      EXPECT_EQ(valid.code, CallCode::deadline_exceeded) << call;
    } else if (!fate.request.damages.empty()) {
      // Refused at once, or asked for and lost like any other.
      EXPECT_TRUE(fate.reply.dropped || valid.code != CallCode::deadline_exceeded) << call;
    } else {
      EXPECT_EQ(valid.code == CallCode::deadline_exceeded, fate.reply.dropped) << call;
    }
  }
}

}  // namespace
}  // namespace narrows
