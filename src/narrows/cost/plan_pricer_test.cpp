#include "narrows/cost/plan_pricer.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <random>

#include "narrows/cost/profiles.h"
#include "narrows/graph/cuts.h"
#include "narrows/plan/split.h"
#include "narrows/zoo/zoo.h"
#include "tests/support/figure.h"

namespace narrows {
namespace {

const TensorType kDot{DType::f32, Shape{1, 1, 1, 1}};

LinkModel link(const std::string& name) {
  auto found = findLinkModel(name);
  EXPECT_TRUE(found.ok()) << found.error().message;
  return *found;
}

DeviceModel device(const std::string& name) {
  auto found = findDeviceModel(name);
  EXPECT_TRUE(found.ok()) << found.error().message;
  return *found;
}

DeviceModel plainDevice(double compute_w, double idle_w) {
  DeviceModel model;
  model.compute_power = Watts(compute_w);
  model.idle_power = Watts(idle_w);
  return model;
}

Transfer move(Endpoint source, Endpoint destination) {
  const Region all = Region::whole(kDot.shape);
  return {source, all, destination, all, TransferMode::copy, InterfaceId()};
}

/// Head on device 0, tail on device 1; outputs wanted on device 1.
Plan twoPieces() {
  Plan plan;
  plan.devices = {{"node"}, {"server"}};
  plan.source_device = DeviceId(0);
  plan.sink_device = DeviceId(1);
  plan.inputs = {{"x", kDot}};
  plan.outputs = {{"y", kDot}};
  plan.pieces = {{"head", DeviceId(0), {{"x", kDot}}, {{"m", kDot}}},
                 {"tail", DeviceId(1), {{"m", kDot}}, {{"y", kDot}}}};
  plan.transfers = {move({PieceId(), 0}, {PieceId(0), 0}), move({PieceId(0), 0}, {PieceId(1), 0}),
                    move({PieceId(1), 0}, {PieceId(), 0})};
  return plan;
}

LinkModel simpleLink() {
  LinkModel model;
  model.payload = 100;
  model.up = BitsPerSecond(8e5);  // 100 B in 1 ms
  model.down = BitsPerSecond(4e5);
  model.setup = milliseconds(2);
  model.tail = milliseconds(50);
  model.setup_power = Watts(0.5);
  model.transmit_power = Watts(1);
  model.receive_power = Watts(0.25);
  model.tail_power = Watts(0.1);
  model.idle_power = Watts(0.01);
  return model;
}

PieceCost piece(double ms, double mj, std::size_t weights, std::size_t activations) {
  PieceCost cost;
  cost.time = milliseconds(ms);
  cost.energy = Joules(mj / 1e3);
  cost.weights = weights;
  cost.activations = activations;
  return cost;
}

/// Frames for the transfers of `twoPieces`.
std::vector<FrameCost> frame(double bytes, double encode_ms, double decode_ms) {
  return {{}, {Bytes(bytes), milliseconds(encode_ms), milliseconds(decode_ms)}, {}};
}

PlanPricer twoPiecePricer(Bytes answer) {
  PlanSetting setting;
  setting.devices = {plainDevice(2, 0.5), plainDevice(100, 20)};
  setting.cabled = {false, true};
  setting.links = {simpleLink()};
  setting.answer = answer;
  auto pricer = PlanPricer::create(twoPieces(), setting,
                                   {piece(10, 25, 1000, 300), piece(4, 400, 5000, 200)});
  EXPECT_TRUE(pricer.ok()) << pricer.error().message;
  return *pricer;
}

TEST(PlanPricer, TwoPiecesAsComputedByHand) {
  PlanPricer pricer = twoPiecePricer(Bytes(0));
  const Price& price = pricer.price(frame(450, 3, 1));
  // 10 compute, 3 encode, 2 + 4.5 link, 1 decode, 4 compute.
  EXPECT_NEAR(toMilliseconds(price.latency), 24.5, 1e-9);
  EXPECT_NEAR(toMilliseconds(price.link_time), 6.5, 1e-9);
  EXPECT_EQ(price.origin, Origin::modelled);
  EXPECT_NEAR(toMilliseconds(price.bottleneck), 13, 1e-9);
  EXPECT_FALSE(price.bottleneck_is_link);
  EXPECT_EQ(price.bottleneck_index, 0u);
  EXPECT_NEAR(price.framesPerSecond(), 1 / 0.013, 1e-9);
  EXPECT_EQ(price.bytes.value(), 450);
  EXPECT_EQ(price.bytes_on_link.value(), 450);
  const DevicePrice& node = price.devices[0];
  // Equation 1: layers 25 mJ, coding 2 W x 3 ms, link 0.5 W x 2 ms + 1 W x 4.5 ms + 0.1 W x 50 ms.
  EXPECT_NEAR(node.compute_energy.value(), 25e-3, 1e-12);
  EXPECT_NEAR(node.coding_energy.value(), 6e-3, 1e-12);
  EXPECT_NEAR(node.link_energy.value(), 10.5e-3, 1e-12);
  EXPECT_NEAR(node.energy().value(), 41.5e-3, 1e-12);
  EXPECT_EQ(node.memory(), 1300u);
  const DevicePrice& server = price.devices[1];
  EXPECT_NEAR(server.energy().value(), 0.4 + 100 * 1e-3, 1e-12);
  EXPECT_EQ(server.link_energy.value(), 0);

  // At 10 frames a second the tail is cut to 100 - 6.5 ms, which it does not fill: 50 ms.
  // Idle: board 0.5 W x 87 ms, radio 0.01 W x 43.5 ms.
  EXPECT_NEAR(pricer.energyAtRate(price, 0, 10)->value(),
              31e-3 + 0.5 * 87e-3 + 5.5e-3 + 5e-3 + 0.01 * 43.5e-3, 1e-12);
  // At 50 frames a second 13.5 ms of tail are left.
  EXPECT_NEAR(pricer.energyAtRate(price, 0, 50)->value(),
              31e-3 + 0.5 * 7e-3 + 5.5e-3 + 0.1 * 13.5e-3, 1e-12);
  EXPECT_FALSE(pricer.energyAtRate(price, 0, 80).has_value());
  EXPECT_FALSE(pricer.energyAtRate(price, 0, 0).has_value());
  EXPECT_NEAR(pricer.batteryLife(price, 0, 10, Joules(3600))->value(),
              3600 / pricer.energyAtRate(price, 0, 10)->value() / 10, 1e-6);
}

TEST(PlanPricer, TheAnswerComesBackOverTheSameLink) {
  PlanPricer pricer = twoPiecePricer(Bytes(50));
  const Price& price = pricer.price(frame(450, 3, 1));
  EXPECT_NEAR(toMilliseconds(price.answer_time), 3, 1e-9);
  EXPECT_NEAR(toMilliseconds(price.latency), 27.5, 1e-9);
  EXPECT_EQ(price.bytes.value(), 450);
  // Receiving 1 ms at 0.25 W and another set-up; one tail, after the last message.
  EXPECT_NEAR(price.devices[0].link_energy.value(), 10.5e-3 + 0.25e-3 + 1e-3, 1e-12);
}

TEST(PlanPricer, PricesDoNotDependOnWhatWasPricedBefore) {
  PlanPricer one = twoPiecePricer(Bytes(50));
  const Price first = one.price(frame(450, 3, 1));
  one.price(frame(9999, 1, 30));
  const Price again = one.price(frame(450, 3, 1));
  EXPECT_EQ(first.latency, again.latency);
  EXPECT_EQ(first.bottleneck, again.bottleneck);
  EXPECT_EQ(first.bytes, again.bytes);
  EXPECT_EQ(first.devices[0].energy(), again.devices[0].energy());
  EXPECT_EQ(first.devices[1].energy(), again.devices[1].energy());
}

TEST(PlanPricer, MoreBytesSlowerCodersAndSlowerLinksNeverPay) {
  std::mt19937_64 random(77);
  std::uniform_real_distribution<double> size(0, 5000);
  std::uniform_real_distribution<double> time(0, 30);
  for (int i = 0; i < 500; ++i) {
    PlanPricer pricer = twoPiecePricer(Bytes(50));
    const double bytes = size(random);
    const double encode = time(random);
    const double decode = time(random);
    const Price base = pricer.price(frame(bytes, encode, decode));
    const auto notBetter = [&](const Price& other, const char* what) {
      EXPECT_GE(other.latency, base.latency) << what;
      EXPECT_GE(other.bottleneck, base.bottleneck) << what;
      EXPECT_GE(other.devices[0].energy(), base.devices[0].energy()) << what;
    };
    notBetter(pricer.price(frame(bytes + size(random), encode, decode)), "bytes");
    notBetter(pricer.price(frame(bytes, encode + time(random), decode)), "encode");
    notBetter(pricer.price(frame(bytes, encode, decode + time(random))), "decode");
    PlanSetting slower = pricer.setting();
    slower.links[0].up = slower.links[0].up / 2;
    auto other = PlanPricer::create(twoPieces(), slower,
                                    {piece(10, 25, 1000, 300), piece(4, 400, 5000, 200)});
    ASSERT_TRUE(other.ok());
    notBetter(other->price(frame(bytes, encode, decode)), "rate");
  }
}

TEST(PlanPricer, RefusesSettingsThatDoNotFitThePlan) {
  PlanSetting setting;
  setting.devices = {plainDevice(1, 1)};
  const auto errorOf = [&] {
    auto pricer = PlanPricer::create(twoPieces(), setting, {piece(1, 1, 1, 1), piece(1, 1, 1, 1)});
    return pricer.ok() ? "" : pricer.error().message;
  };
  EXPECT_EQ(errorOf(), "1 device models for 2 devices");
  setting.devices.push_back(plainDevice(1, 1));
  EXPECT_EQ(errorOf(), "no link from device node to server");
  setting.links = {simpleLink()};
  EXPECT_EQ(errorOf(), "");
  setting.routes = {0};
  EXPECT_EQ(errorOf(), "1 routes for 2 devices");
  auto few = PlanPricer::create(twoPieces(), {setting.devices, {}, setting.links, {}, Bytes()},
                                {piece(1, 1, 1, 1)});
  ASSERT_FALSE(few.ok());
  EXPECT_EQ(few.error().message, "costs of 1 pieces for 2");
}

/// A random plan: pieces read the model's input or earlier pieces; what no piece reads is an
/// output.
Plan randomPlan(std::mt19937_64& random) {
  Plan plan;
  const std::size_t devices = 1 + random() % 4;
  const std::size_t pieces = 1 + random() % 7;
  for (std::size_t d = 0; d < devices; ++d) plan.devices.push_back({fmt::format("d{}", d)});
  plan.source_device = DeviceId(random() % devices);
  plan.sink_device = DeviceId(random() % devices);
  plan.inputs = {{"x", kDot}};
  std::vector<bool> read(pieces);
  for (std::size_t p = 0; p < pieces; ++p) {
    Piece made{fmt::format("p{}", p), DeviceId(random() % devices), {}, {{"out", kDot}}};
    const std::size_t inputs = 1 + random() % 3;
    for (std::size_t i = 0; i < inputs; ++i) {
      made.inputs.push_back({fmt::format("in{}", i), kDot});
      const std::size_t source = random() % (p + 1);
      if (source < p) read[source] = true;
      plan.transfers.push_back(
          move({source < p ? PieceId(source) : PieceId(), 0}, {PieceId(p), i}));
    }
    plan.pieces.push_back(made);
  }
  for (std::size_t p = 0; p < pieces; ++p) {
    if (read[p]) continue;
    plan.transfers.push_back(move({PieceId(p), 0}, {PieceId(), plan.outputs.size()}));
    plan.outputs.push_back({fmt::format("y{}", p), kDot});
  }
  return plan;
}

/// The longest path through all activities of a frame, by plain recursion: an activity waits for
/// what it needs and for the one before it on its device or link.
class LongestPath {
 public:
  LongestPath(const Plan& plan, const std::vector<PieceCost>& pieces, const LinkModel& link,
              const std::vector<FrameCost>& frames) {
    std::map<std::pair<std::size_t, std::size_t>, std::vector<std::size_t>> messages;
    for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
      const std::size_t from = plan.deviceOf(plan.transfers[t].source, true).index();
      const std::size_t to = plan.deviceOf(plan.transfers[t].destination, false).index();
      if (from != to) messages[{key(plan.transfers[t].source), to}].push_back(t);
    }
    // Messages of a source leave in the order of their first transfers.
    std::map<std::size_t, std::vector<std::vector<std::size_t>>> leaving;
    for (const auto& [id, transfers] : messages) leaving[id.first].push_back(transfers);
    for (auto& [source, list] : leaving) std::sort(list.begin(), list.end());

    std::map<std::size_t, std::string> last_on_device;
    std::map<std::size_t, std::string> decoded;  // by transfer
    std::string last_on_link;
    const auto after = [&](const std::string& name, std::size_t device) {
      if (last_on_device.contains(device)) needs_[name].push_back(last_on_device[device]);
      last_on_device[device] = name;
    };
    const auto send = [&](std::size_t source, std::size_t device) {
      for (const auto& transfers : leaving[source]) {
        const std::string id = fmt::format("{}", transfers.front());
        double bytes = 0;
        for (std::size_t t : transfers) {
          bytes += frames[t].bytes.value();
          takes_["encode" + id] += frames[t].encode.value();
        }
        after("encode" + id, device);
        const bool down = plan.deviceOf(plan.transfers[transfers.front()].destination, false) ==
                          plan.source_device;
        takes_["link" + id] =
            messageTime(link, Bytes(bytes), down ? LinkWay::down : LinkWay::up).arrival().value();
        needs_["link" + id].push_back("encode" + id);
        if (!last_on_link.empty()) needs_["link" + id].push_back(last_on_link);
        last_on_link = "link" + id;
      }
    };
    const auto receive = [&](PieceId reader, std::size_t device) {
      for (const auto& [source, list] : leaving) {
        for (const auto& transfers : list) received_.emplace(transfers.front(), transfers);
      }
      for (const auto& [first, transfers] : received_) {
        const bool wanted = std::any_of(transfers.begin(), transfers.end(), [&](std::size_t t) {
          return plan.transfers[t].destination.piece == reader;
        });
        const std::string id = fmt::format("{}", first);
        if (!wanted || takes_.contains("decode" + id)) continue;
        takes_["decode" + id] = 0;
        for (std::size_t t : transfers) takes_["decode" + id] += frames[t].decode.value();
        needs_["decode" + id].push_back("link" + id);
        after("decode" + id, device);
      }
    };
    send(key({}), plan.source_device.index());
    for (std::size_t p = 0; p < plan.pieces.size(); ++p) {
      const std::size_t device = plan.pieces[p].device.index();
      receive(PieceId(p), device);
      const std::string id = fmt::format("piece{}", p);
      takes_[id] = pieces[p].time.value();
      after(id, device);
      send(p, device);
    }
    receive(PieceId(), plan.sink_device.index());
    for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
      const Transfer& transfer = plan.transfers[t];
      if (transfer.destination.piece.valid()) continue;
      if (plan.deviceOf(transfer.source, true) == plan.sink_device) {
        end_ = std::max(end_, finish(fmt::format("piece{}", transfer.source.piece.index())));
        continue;
      }
      for (const auto& [first, transfers] : received_) {
        if (std::find(transfers.begin(), transfers.end(), t) != transfers.end())
          end_ = std::max(end_, finish(fmt::format("decode{}", first)));
      }
    }
  }

  double length() const { return end_; }

 private:
  static std::size_t key(const Endpoint& end) {
    return end.piece.valid() ? end.piece.index() : 1000;
  }
  double finish(const std::string& activity) {
    const auto known = finished_.find(activity);
    if (known != finished_.end()) return known->second;
    double start = 0;
    for (const std::string& need : needs_[activity]) start = std::max(start, finish(need));
    return finished_[activity] = start + takes_.at(activity);
  }

  std::map<std::string, std::vector<std::string>> needs_;
  std::map<std::string, double> takes_;
  std::map<std::string, double> finished_;
  std::map<std::size_t, std::vector<std::size_t>> received_;  // messages by their first transfer
  double end_ = 0;
};

TEST(PlanPricer, LatencyIsTheLongestPathOfRandomPlans) {
  std::mt19937_64 random(4711);
  std::uniform_real_distribution<double> time(0, 20);
  std::size_t crossing = 0;
  for (int i = 0; i < 3000; ++i) {
    const Plan plan = randomPlan(random);
    std::vector<PieceCost> pieces;
    for (std::size_t p = 0; p < plan.pieces.size(); ++p)
      pieces.push_back(piece(time(random), time(random), 1, 1));
    std::vector<FrameCost> frames;
    for (std::size_t t = 0; t < plan.transfers.size(); ++t) {
      frames.push_back({Bytes(static_cast<double>(random() % 1500)), milliseconds(time(random)),
                        milliseconds(time(random))});
    }
    PlanSetting setting;
    for (std::size_t d = 0; d < plan.devices.size(); ++d)
      setting.devices.push_back(plainDevice(1, 0.1));
    setting.links = {simpleLink()};
    auto pricer = PlanPricer::create(plan, setting, pieces);
    ASSERT_TRUE(pricer.ok()) << "plan " << i << ": " << pricer.error().message;
    const Price& price = pricer->price(frames);
    const double expected = LongestPath(plan, pieces, simpleLink(), frames).length();
    ASSERT_NEAR(price.latency.value(), expected, 1e-12) << "plan " << i << " of seed 4711";
    crossing += price.radios.empty() ? 0 : 1;

    // The busiest resource is no busier than a frame is long, but for what no output waits for.
    double compute = 0;
    for (const PieceCost& cost : pieces) compute += cost.time.value();
    double in_devices = 0;
    for (const DevicePrice& own : price.devices) in_devices += own.compute.value();
    EXPECT_NEAR(in_devices, compute, 1e-12);
    for (const DevicePrice& own : price.devices) EXPECT_GE(price.bottleneck, own.busy());
    EXPECT_GE(price.bottleneck, Seconds(price.link_time.value() - 1e-15));
  }
  EXPECT_GT(crossing, 1500u);
}

/// tiny-yolov3 on the stick, with a server and a link.
class PruningStudy : public testing::Test {
 protected:
  void SetUp() override {
    auto model = buildZooModel("zoo:tiny-yolov3", 1);
    ASSERT_TRUE(model.ok());
    graph_ = model->graph;
  }
  PlanPricer pricer(const SplitModel& split, const std::string& link_name) {
    PlanSetting setting;
    std::vector<PieceCost> pieces;
    std::map<std::string, DeviceModel> models{{"node", device("ncs2")},
                                              {"server", device("gpu-server")}};
    for (const Device& own : split.plan.devices) {
      setting.devices.push_back(models[own.name]);
      setting.cabled.push_back(own.name == "server");
    }
    setting.links = {link(link_name)};
    for (std::size_t p = 0; p < split.pieces.size(); ++p) {
      auto compute =
          ComputeModel::create(setting.devices[split.plan.pieces[p].device.index()], graph_);
      EXPECT_TRUE(compute.ok());
      auto cost = compute->cost(split.pieces[p]);
      EXPECT_TRUE(cost.ok());
      pieces.push_back(*cost);
    }
    auto made = PlanPricer::create(split.plan, setting, pieces);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return *made;
  }
  /// One frame of the plan's only message, coding left out.
  Price priced(const SplitModel& split, const std::string& link_name, double bytes) {
    std::vector<FrameCost> frames(split.plan.transfers.size());
    bool placed = false;
    for (std::size_t t = 0; t < frames.size() && !placed; ++t) {
      const Transfer& transfer = split.plan.transfers[t];
      placed = split.plan.deviceOf(transfer.source, true) !=
               split.plan.deviceOf(transfer.destination, false);
      if (placed) frames[t].bytes = Bytes(bytes);
    }
    return pricer(split, link_name).price(frames);
  }
  Graph graph_;
};

constexpr double kRawImage = 416 * 416 * 3;

TEST_F(PruningStudy, TheEndsArePricedLikeAnyPlan) {
  auto on_node = allOnNode(graph_);
  ASSERT_TRUE(on_node.ok());
  const Price node = priced(*on_node, "wifi", 0);
  EXPECT_NEAR(toMilliseconds(node.latency), 40.57, 0.011);
  EXPECT_NEAR(node.devices[0].energy().value() * 1e3, 91.37, 0.025);
  EXPECT_EQ(node.origin, Origin::published);
  EXPECT_EQ(node.bytes.value(), 0);

  auto on_server = allOnServer(graph_, {ImageCoding::raw, 100});
  ASSERT_TRUE(on_server.ok());
  const Price server = priced(*on_server, "wifi", kRawImage);
  EXPECT_EQ(server.bytes.value(), 519168);
  EXPECT_TRUE(server.bottleneck_is_link);
  // 519,168 B at 20 Mbit/s.
  EXPECT_NEAR(toMilliseconds(server.link_time), 207.7 + 2, 0.5);
  EXPECT_EQ(server.origin, Origin::modelled);
}

// T(all edge)/T(all node) of the study is 1.95 from its columns without pruning and 1.98 from those
// with; the nominal 54 Mbit/s and the stick's own time give it. E(all node)/E(all edge) is 3.02 and
// 2.96: what it needs of the radio is stated here, and is not what an ESP32 draws when it sends.
TEST_F(PruningStudy, TheRatioOfTimesFollowsFromTheNominalLink) {
  auto on_node = allOnNode(graph_);
  auto on_server = allOnServer(graph_, {ImageCoding::raw, 100});
  ASSERT_TRUE(on_node.ok() && on_server.ok());
  const Price node = priced(*on_node, "wifi54", 0);
  const Joules node_energy = node.devices[0].energy();
  const Price server = priced(*on_server, "wifi54", kRawImage);
  EXPECT_NEAR(server.latency / node.latency, 1.95, 0.05 * 1.95);
  // Between the ESP32's receiving (0.322 W) and sending (0.627 W) power.
  const double needed_w = node_energy.value() / 3.0 / server.link_time.value();
  EXPECT_GT(needed_w, link("wifi54").receive_power.value());
  EXPECT_LT(needed_w, link("wifi54").transmit_power.value());

  const Price measured_rate = priced(*on_server, "wifi", kRawImage);
  const auto record = [&](const char* name, const Price& other) {
    test::recordFigure(fmt::format("ratio_T0_T6{}", name), other.latency / node.latency, "ratio",
                       "modelled");
    test::recordFigure(fmt::format("ratio_E6_E0{}", name), node_energy / other.devices[0].energy(),
                       "ratio", "modelled");
  };
  record("_wifi_tcp", measured_rate);
  test::recordFigure("radio_watts_for_ratio_E6_E0_of_3", needed_w, "W", "modelled");
}

TEST_F(PruningStudy, OrderingsThatTheStudyReports) {
  // After pruning every cut sends under 5 kB: BLE 4 costs the node more than any other link there,
  // BLE 5 less than Wi-Fi.
  for (const char* cut_name : {"pool1", "pool2", "pool3", "pool4"}) {
    auto cut = findCut(graph_, cut_name);
    ASSERT_TRUE(cut.ok());
    std::vector<FeatureInterface> interfaces{plainInterface(graph_.type(cut->values[0]))};
    auto split = splitAt(graph_, *cut, interfaces);
    ASSERT_TRUE(split.ok());
    const auto energy = [&](const char* name) {
      return priced(*split, name, 4000).devices[0].link_energy.value();
    };
    const auto latency = [&](const char* name) {
      return priced(*split, name, 4000).latency.value();
    };
    EXPECT_GT(energy("ble4"), energy("ble5"));
    EXPECT_LT(latency("wifi"), latency("ble5"));
    EXPECT_LT(latency("ble5"), latency("ble4"));
  }
}

TEST_F(PruningStudy, ManyDesignsASecond) {
  auto cut = findCut(graph_, "pool2");
  ASSERT_TRUE(cut.ok());
  auto split = splitAt(graph_, *cut, {plainInterface(graph_.type(cut->values[0]))});
  ASSERT_TRUE(split.ok());
  PlanPricer pricing = pricer(*split, "ble5");
  std::vector<FrameCost> frames(split->plan.transfers.size());
  constexpr int kDesigns = 200'000;
  double sum = 0;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kDesigns; ++i) {
    for (FrameCost& own : frames)
      own = {Bytes(1000 + i % 5000), microseconds(i % 700), microseconds(i % 300)};
    sum += pricing.price(frames).latency.value();
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_GT(sum, 0);
  test::recordFigure("prices_per_second", kDesigns / seconds, "designs/s");
}

}  // namespace
}  // namespace narrows
