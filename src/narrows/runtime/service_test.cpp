#include "narrows/runtime/service.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <latch>

#include "narrows/pipeline/device_pipeline.h"
#include "narrows/runtime/answer_cache.h"
#include "narrows/runtime/runtime_case.h"
#include "narrows/vision/preprocess.h"

namespace narrows {
namespace {

using test::must;
using test::SmallHead;

/// What a node sends for the picture of a seed.
InferRequest requestFor(const std::shared_ptr<const Bundle>& bundle, std::uint64_t seed) {
  auto node = must(DevicePipeline::create(bundle, "node", test::referencePipeline()));
  Picture picture = Picture::fromImage(test::smallPicture(seed));
  InferRequest request;
  request.model = bundle->name;
  request.sequence = static_cast<std::uint32_t>(seed);
  request.id = fmt::format("n/{}", seed);
  request.picture = must(picture.size());
  EXPECT_OK(node.start(picture, request.sequence));
  for (ChannelFrame& frame : must(node.advance())) {
    request.frames.push_back(
        {node.exchange().channels[frame.channel].name, std::move(frame.bytes)});
  }
  return request;
}

ServiceOptions referenceService() {
  ServiceOptions options;
  options.pipeline = test::referencePipeline();
  return options;
}

/// Does something when it is looked at, to come between two steps of the service.
class HookedClock : public ManualClock {
 public:
  Seconds now() const override {
    std::function<void()> hook;
    {
      const std::lock_guard lock(mutex_);
      if (calls_left_ > 0 && --calls_left_ == 0) hook = std::move(hook_);
    }
    if (hook) hook();
    return ManualClock::now();
  }
  /// Before the `call`-th look from now on, the first being 1.
  void atCall(int call, std::function<void()> hook) {
    const std::lock_guard lock(mutex_);
    calls_left_ = call;
    hook_ = std::move(hook);
  }

 private:
  mutable std::mutex mutex_;
  mutable int calls_left_ = 0;
  mutable std::function<void()> hook_;
};

class ServiceTest : public ::testing::Test {
 protected:
  void start(const ServiceOptions& options = referenceService(), bool two = false) {
    bundle_ = test::smallSplit(SmallHead::yolov2, two);
    service_ = must(InferenceService::create(bundle_, options, clock_));
  }

  HookedClock clock_;
  std::shared_ptr<const Bundle> bundle_;
  std::unique_ptr<InferenceService> service_;
};

TEST_F(ServiceTest, AnswersAsOneProcessDoes) {
  start(referenceService(), true);
  const auto expected = test::expectedPredictions(bundle_, 4);
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const InferReply reply = service_->infer(requestFor(bundle_, seed), Seconds(1));
    ASSERT_TRUE(reply.status.ok()) << reply.status.message;
    EXPECT_EQ(must(predictionOf(reply.tensors)), expected[seed]);
  }
}

TEST_F(ServiceTest, RepeatedRequestGetsTheSameAnswerOnce) {
  start();
  const InferReply first = service_->infer(requestFor(bundle_, 1), Seconds(1));
  const InferReply again = service_->infer(requestFor(bundle_, 1), Seconds(1));
  EXPECT_EQ(digest(first), digest(again));
  EXPECT_EQ(service_->counters().answered, 1U);
  EXPECT_EQ(service_->counters().repeated, 1U);
  // The same id with other contents is another request.
  InferRequest other = requestFor(bundle_, 2);
  other.id = "n/1";
  const InferReply different = service_->infer(std::move(other), Seconds(1));
  EXPECT_TRUE(different.status.ok());
  EXPECT_EQ(service_->counters().answered, 2U);
}

TEST_F(ServiceTest, TensorImageIsTakenToo) {
  start();
  const Image image = test::smallPicture(3);
  InferRequest request;
  request.picture = image.size();
  request.tensors.push_back({"image", must(preprocess(image, bundle_->description.preprocessing))});
  const InferReply reply = service_->infer(std::move(request), Seconds(1));
  ASSERT_TRUE(reply.status.ok()) << reply.status.message;
  EXPECT_EQ(must(predictionOf(reply.tensors)), test::expectedPredictions(bundle_, 1, 3)[0]);
}

TEST_F(ServiceTest, RefusesWhatItCannotServe) {
  start();
  const auto codeOf = [&](auto&& change) {
    InferRequest request = requestFor(bundle_, 1);
    change(request);
    return service_->infer(std::move(request), Seconds(1)).status.code;
  };
  EXPECT_EQ(codeOf([](InferRequest& r) { r.model = "other"; }), CallCode::not_found);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.bundle = 5; }), CallCode::failed_precondition);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.id.assign(1000, 'x'); }), CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.frames.clear(); }), CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.frames[0].name = "x"; }), CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.frames[0].bytes[5] ^= std::byte{1}; }),
            CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.sequence = 9; }), CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) { r.frames.push_back(r.frames[0]); }),
            CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest& r) {
              r.frames.clear();
              r.tensors.push_back({"image", Tensor(DType::f32, {1, 3, 2, 2})});
            }),
            CallCode::invalid_argument);
  EXPECT_EQ(codeOf([](InferRequest&) {}), CallCode::ok);
}

/// Holds the service's one worker until told to go on, by blocking in an answer.
class HeldWorker {
 public:
  HeldWorker(InferenceService& service, InferRequest request) {
    service.submit(std::move(request), Seconds(1), [this](const InferReply&) {
      held_.count_down();
      go_on_.get_future().wait();
    });
    held_.wait();
  }
  void release() { go_on_.set_value(); }

 private:
  std::latch held_{1};
  std::promise<void> go_on_;
};

TEST_F(ServiceTest, QueueIsBounded) {
  ServiceOptions options = referenceService();
  options.max_in_flight = 3;
  start(options);
  HeldWorker held(*service_, requestFor(bundle_, 0));
  std::promise<CallStatus> waiting[2];
  for (std::uint64_t seed = 0; seed < 2; ++seed) {
    service_->submit(requestFor(bundle_, seed + 1), Seconds(1),
                     [&, seed](const InferReply& reply) { waiting[seed].set_value(reply.status); });
  }
  // One being computed and two waiting: the fourth is refused without waiting.
  const InferReply refused = service_->infer(requestFor(bundle_, 3), Seconds(1));
  EXPECT_EQ(refused.status.code, CallCode::resource_exhausted);
  EXPECT_EQ(service_->counters().refused_full, 1U);
  held.release();
  for (auto& promise : waiting) EXPECT_TRUE(promise.get_future().get().ok());
  service_->drain();
}

TEST_F(ServiceTest, ExpiredRequestsAreNotComputed) {
  start();
  HeldWorker held(*service_, requestFor(bundle_, 0));
  std::promise<CallStatus> late;
  service_->submit(requestFor(bundle_, 1), milliseconds(100),
                   [&](const InferReply& reply) { late.set_value(reply.status); });
  std::promise<CallStatus> patient;
  service_->submit(requestFor(bundle_, 2), Seconds(10),
                   [&](const InferReply& reply) { patient.set_value(reply.status); });
  clock_.sleep(Seconds(1));
  held.release();
  EXPECT_EQ(late.get_future().get().code, CallCode::deadline_exceeded);
  EXPECT_TRUE(patient.get_future().get().ok());
  EXPECT_EQ(service_->counters().expired, 1U);
  EXPECT_EQ(service_->counters().answered, 2U);
}

TEST_F(ServiceTest, DuplicateInFlightWaitsForTheFirst) {
  start();
  HeldWorker held(*service_, requestFor(bundle_, 0));
  std::promise<std::uint64_t> first;
  std::promise<std::uint64_t> second;
  service_->submit(requestFor(bundle_, 1), Seconds(1),
                   [&](const InferReply& reply) { first.set_value(digest(reply)); });
  service_->submit(requestFor(bundle_, 1), Seconds(1),
                   [&](const InferReply& reply) { second.set_value(digest(reply)); });
  held.release();
  EXPECT_EQ(first.get_future().get(), second.get_future().get());
  EXPECT_EQ(service_->counters().answered, 2U);
  EXPECT_EQ(service_->counters().repeated, 1U);
}

/// Between an expired request's turn and its refusal the same request comes again, with time left:
/// it is computed, not refused with the first.
TEST_F(ServiceTest, RequestThatComesAgainDoesNotExpireWithTheFirst) {
  start();
  HeldWorker held(*service_, requestFor(bundle_, 0));
  std::promise<CallCode> first;
  service_->submit(requestFor(bundle_, 1), milliseconds(100),
                   [&](const InferReply& reply) { first.set_value(reply.status.code); });
  clock_.sleep(Seconds(1));
  std::promise<CallCode> again;
  // The worker looks at the clock twice for a job that expired: at its turn, and for its reply.
  clock_.atCall(2, [&] {
    service_->submit(requestFor(bundle_, 1), Seconds(1),
                     [&](const InferReply& reply) { again.set_value(reply.status.code); });
  });
  held.release();
  EXPECT_EQ(first.get_future().get(), CallCode::deadline_exceeded);
  EXPECT_EQ(again.get_future().get(), CallCode::ok);
  EXPECT_EQ(service_->counters().answered, 2U);
  // And it left nothing behind: a third one gets the stored answer.
  EXPECT_TRUE(service_->infer(requestFor(bundle_, 1), Seconds(1)).status.ok());
  EXPECT_EQ(service_->counters().answered, 2U);
}

TEST_F(ServiceTest, DrainFinishesWhatWasBegunAndRefusesTheRest) {
  start();
  HeldWorker held(*service_, requestFor(bundle_, 0));
  std::promise<CallStatus> begun;
  service_->submit(requestFor(bundle_, 1), Seconds(1),
                   [&](const InferReply& reply) { begun.set_value(reply.status); });
  std::thread draining([this] { service_->drain(); });
  while (service_->ready()) std::this_thread::yield();
  EXPECT_EQ(service_->infer(requestFor(bundle_, 2), Seconds(1)).status.code, CallCode::unavailable);
  held.release();
  EXPECT_TRUE(begun.get_future().get().ok());
  draining.join();
}

TEST_F(ServiceTest, ManyCallersAtOnce) {
  ServiceOptions options = referenceService();
  options.workers = 3;
  start(options);
  const auto expected = test::expectedPredictions(bundle_, 8);
  std::vector<std::thread> callers;
  std::atomic<int> wrong = 0;
  for (std::uint64_t caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (int round = 0; round < 10; ++round) {
        InferRequest request = requestFor(bundle_, caller);
        request.id = fmt::format("{}/{}", caller, round);
        const InferReply reply = service_->infer(std::move(request), Seconds(60));
        const auto prediction = predictionOf(reply.tensors);
        if (!reply.status.ok() || !prediction.ok() || *prediction != expected[caller]) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(service_->counters().answered, 80U);
}

TEST_F(ServiceTest, LimitsComeFromTheBundle) {
  start();
  // One frame of 1x4x16x24 floats at most, or the input 1x3x16x24 as unpacked floats.
  EXPECT_LT(service_->requestLimits().message_bytes, 200'000U);
  EXPECT_GT(service_->requestLimits().message_bytes, 4U * 16 * 24 * 4);
  const auto inputs = service_->inputs();
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs[0].name, "frame0");
  EXPECT_EQ(inputs[0].datatype, "BYTES");
  EXPECT_EQ(inputs[1].name, "image");
  EXPECT_EQ(service_->outputs().size(), 3U);
}

TEST(AnswerCache, KeepsTheLatestWithinItsBounds) {
  AnswerCache cache(2, 100'000);
  const auto reply = [](std::size_t bytes) {
    auto made = std::make_shared<InferReply>();
    made->frames.push_back({"f", ByteVector(bytes)});
    return made;
  };
  cache.insert("a", reply(10));
  cache.insert("b", reply(10));
  EXPECT_NE(cache.find("a"), nullptr);
  cache.insert("c", reply(10));
  EXPECT_EQ(cache.find("b"), nullptr) << "least recently used";
  EXPECT_NE(cache.find("a"), nullptr);
  EXPECT_NE(cache.find("c"), nullptr);
  cache.insert("large", reply(99'700));
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_LE(cache.bytes(), 100'000U);
  cache.insert("too large", reply(200'000));
  EXPECT_EQ(cache.find("too large"), nullptr);
  EXPECT_NE(cache.find("large"), nullptr);
}

}  // namespace
}  // namespace narrows
