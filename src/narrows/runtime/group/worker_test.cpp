#include "narrows/runtime/group/worker.h"

#include <gtest/gtest.h>

#include <random>

#include "narrows/runtime/group/coordinator.h"
#include "narrows/runtime/group/deployment.h"
#include "narrows/runtime/group/inprocess_peer.h"
#include "narrows/runtime/group/member.h"
#include "narrows/runtime/runtime_case.h"

namespace narrows::test {
namespace {

/// Workers of this process, one for each device of a bundle's plan.
struct Workers {
  InprocessGroup group;
  std::vector<GroupMember> members;
  std::vector<std::unique_ptr<Worker>> workers;

  explicit Workers(const Plan& plan) {
    for (const Device& device : plan.devices) {
      WorkerOptions options;
      options.pipeline = referencePipeline();
      options.lease = Seconds(0.3);
      workers.push_back(must(Worker::create(options, group.connector())));
      group.add(device.name, *workers.back());
      members.push_back({device.name, device.name});
    }
  }
  ~Workers() {
    // Their open calls are to each other.
    for (const auto& worker : workers) worker->stop();
  }

  Result<std::unique_ptr<Coordinator>> lead(const Deployment& deployment,
                                            const CoordinatorOptions& options = {}) {
    return Coordinator::start(deployment, members, group.connector(), options, nullptr);
  }
  std::unique_ptr<Peer> peer(const std::string& device) {
    return must(group.connector()->connect(device));
  }
};

void expectAnswers(Coordinator& coordinator, const std::vector<Prediction>& expected) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    Picture picture = Picture::fromImage(smallPicture(i));
    const ByteSpan file = must(picture.file());
    auto answer = coordinator.infer({RunInput::picture, file, must(picture.size())});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->prediction, expected[i]) << "picture " << i;
  }
}

TEST(Worker, GroupsAnswerAsOneProcessDoes) {
  for (const auto& bundle : {tiledBundle(), smallSplit(SmallHead::classification, true),
                             smallSplit(SmallHead::yolov2)}) {
    const Deployment deployment = must(Deployment::of(*bundle));
    Workers workers(deployment.plan());
    auto coordinator = must(workers.lead(deployment));
    expectAnswers(*coordinator, expectedPredictions(bundle, 4));
  }
}

TEST(Worker, SharesMoveToTheDevicesThatAreLeft) {
  const auto bundle = tiledBundle();
  const Deployment deployment = must(Deployment::of(*bundle));
  for (std::size_t left = 0; left < deployment.plan().devices.size(); ++left) {
    Workers workers(deployment.plan());
    workers.group = InprocessGroup();  // the others cannot be reached
    workers.group.add(workers.members[left].device, *workers.workers[left]);
    CoordinatorOptions options;
    options.wait = Seconds(0.2);
    auto coordinator = must(workers.lead(deployment, options));
    EXPECT_EQ(coordinator->deployment().plan().source_device, DeviceId(left));
    expectAnswers(*coordinator, expectedPredictions(bundle, 2));
  }
}

TEST(Worker, APictureThatDoesNotDecodeIsItsOwnError) {
  const auto bundle = tiledBundle();
  const Deployment deployment = must(Deployment::of(*bundle));
  Workers workers(deployment.plan());
  auto coordinator = must(workers.lead(deployment));
  const ByteVector noise(100, std::byte{7});
  const auto answer = coordinator->infer({RunInput::picture, noise, ImageSize{4, 4}});
  EXPECT_FALSE(answer.ok());
  expectAnswers(*coordinator, expectedPredictions(bundle, 2));
}

TEST(Worker, OneCoordinatorLeadsUntilItIsSilent) {
  const Deployment deployment = must(Deployment::of(*tiledBundle()));
  Workers workers(deployment.plan());
  CoordinatorOptions options;
  options.wait = Seconds(0.5);
  {
    auto first = must(workers.lead(deployment, options));
    EXPECT_FALSE(workers.lead(deployment, options).ok()) << "while the first one lives";
  }
  options.wait = Seconds(5);
  EXPECT_TRUE(workers.lead(deployment, options).ok()) << "after its lease";
}

TEST(Worker, HandsOutWhatIsMissingOnce) {
  const Deployment deployment = must(Deployment::of(*tiledBundle()));
  Workers workers(deployment.plan());
  Assignment assignment;
  assignment.session = 5;
  assignment.epoch = 1;
  assignment.device = DeviceId(0);
  for (std::uint32_t d = 0; d < workers.members.size(); ++d) {
    assignment.peers.push_back({d, workers.members[d].address});
  }
  const auto peer = workers.peer(workers.members[0].address);
  const auto first = must(deployTo(*peer, deployment, assignment));
  std::uint64_t bytes = 0;
  for (const ManifestFile& file : deployment.filesFor(DeviceId(0))) bytes += file.size;
  EXPECT_EQ(first.sent_bytes, bytes);
  assignment.epoch = 2;
  EXPECT_EQ(must(deployTo(*peer, deployment, assignment)).sent_bytes, 0u);
}

/// Any bytes, and real messages with a few bytes changed, are answered by an error or taken.
TEST(Worker, TakesAnyBytes) {
  const std::uint32_t seed = 1;
  std::mt19937 random(seed);
  const auto bundle = tiledBundle();
  const Deployment deployment = must(Deployment::of(*bundle));
  Workers workers(deployment.plan());
  {
    auto coordinator = must(workers.lead(deployment));
    const auto peer = workers.peer(workers.members[1].address);
    ActivateRequest activate;
    activate.session = 9;
    activate.device = "none";
    activate.manifest = deployment.manifest();
    const std::vector<ByteVector> seeds = {writeMessage(PingRequest{3}), writeMessage(activate),
                                           writeMessage(RunRequest()),
                                           writeMessage(RegionsRequest())};
    for (int round = 0; round < 500; ++round) {
      ByteVector body = seeds[random() % seeds.size()];
      for (int change = 0; change < 3; ++change) {
        body[random() % body.size()] = static_cast<std::byte>(random());
      }
      if (random() % 4 == 0) body.resize(random() % 100);
      const auto call = static_cast<WorkerCall>(random() % 8);
      ByteVector answer;
      const CallStatus status = callAndWait(*peer, call, body, Seconds(1), answer);
      EXPECT_TRUE(!status.ok() || call == WorkerCall::ping) << "seed " << seed << " " << round;
    }
    expectAnswers(*coordinator, expectedPredictions(bundle, 2));
  }
}

}  // namespace
}  // namespace narrows::test
