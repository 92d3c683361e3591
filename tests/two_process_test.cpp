#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "narrows/base/file.h"
#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/pipeline/small_bundle.h"
#include "tests/support/figure.h"
#include "tests/support/process.h"
#include "tests/support/process_output.h"
#include "tests/support/shared_data.h"

/// `narrows serve` and `narrows node` as processes, against the same bundle run in this one.
namespace narrows {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::seconds;
using test::predictionOf;
using test::Process;
using test::readAll;
using test::readLines;
using test::waitFor;

template <class T>
T must(Result<T> result) {
  if (!result.ok()) ADD_FAILURE() << result.error().message;
  return std::move(*result);
}

#define EXPECT_OK(expression)                                               \
  do {                                                                      \
    const auto expect_ok_status = (expression);                             \
    EXPECT_TRUE(expect_ok_status.ok()) << expect_ok_status.error().message; \
  } while (false)

/// What the records of a run and of one process may differ in.
struct Comparison {
  std::size_t lost = 0;
  std::size_t doubled = 0;
  std::size_t failed = 0;
  std::size_t mismatched = 0;
};

Comparison compare(const std::vector<Json>& records, const std::vector<Prediction>& expected) {
  Comparison result;
  std::vector<std::size_t> answers(expected.size(), 0);
  for (const Json& record : records) {
    const auto frame = record["frame"].get<std::size_t>();
    if (frame >= expected.size()) {
      ++result.doubled;
      continue;
    }
    ++answers[frame];
    if (record["answered"] == "nobody") {
      ++result.failed;
    } else if (predictionOf(record) != expected[frame]) {
      ++result.mismatched;
    }
  }
  for (const std::size_t count : answers) {
    if (count == 0) ++result.lost;
    if (count > 1) ++result.doubled;
  }
  return result;
}

void expectFlawless(const Comparison& result) {
  EXPECT_EQ(result.lost, 0U);
  EXPECT_EQ(result.doubled, 0U);
  EXPECT_EQ(result.failed, 0U);
  EXPECT_EQ(result.mismatched, 0U);
}

/// A bundle on disk, a directory of pictures, and what one process answers to them.
class Scene {
 public:
  Scene(fs::path folder, fs::path bundle, fs::path pictures)
      : folder_(std::move(folder)), bundle_(std::move(bundle)), pictures_(std::move(pictures)) {
    const auto bundle_read = std::make_shared<const Bundle>(must(readBundle(bundle_)));
    auto pipeline = must(LocalPipeline::create(bundle_read, {}));
    std::vector<fs::path> files(fs::directory_iterator(pictures_), fs::directory_iterator{});
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      Picture picture = Picture::fromFile(must(readFile(file)));
      EXPECT_OK(pipeline.run(picture));
      expected_.push_back(pipeline.prediction());
    }
  }

  std::size_t pictures() const { return expected_.size(); }
  const fs::path& bundle() const { return bundle_; }
  fs::path logOf(const std::string& name) const { return folder_ / (name + ".jsonl"); }
  void usePort(std::uint16_t port) { port_ = port; }
  Comparison compareTo(const std::vector<Json>& records) const {
    return compare(records, expected_);
  }

  /// Starts a server and waits until it says where it listens.
  Process serve(std::uint16_t port = 0) {
    const fs::path log = logOf(fmt::format("serve{}", ++servers_));
    Process server = Process::start({NARROWS_BINARY, "serve", bundle_.string(), "--threads", "1",
                                     "--json", "--listen", fmt::format("127.0.0.1:{}", port)},
                                    log);
    EXPECT_TRUE(waitFor([&] { return !readLines(log).empty() || server.ended(); }));
    const auto lines = readLines(log);
    if (lines.empty()) {
      ADD_FAILURE() << readAll(log.string() + ".err");
    } else {
      port_ = lines[0]["port"].get<std::uint16_t>();
    }
    return server;
  }

  Process node(const std::string& name, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = {NARROWS_BINARY,
                                        "node",
                                        bundle_.string(),
                                        "--threads",
                                        "1",
                                        "--json",
                                        "--input",
                                        pictures_.string(),
                                        "--server",
                                        fmt::format("127.0.0.1:{}", port_)};
    command.insert(command.end(), more.begin(), more.end());
    return Process::start(command, logOf(name));
  }

  /// Node and server without trouble.
  Comparison runOnce(const std::vector<std::string>& options = {}) {
    Process server = serve();
    Process running = node("node", options);
    EXPECT_EQ(running.wait(), 0) << readAll(logOf("node").string() + ".err");
    stop(server);
    const auto records = readLines(logOf("node"));
    for (const Json& record : records) EXPECT_EQ(record["answered"], "server");
    return compareTo(records);
  }

  /// Kills the server without warning in mid-run, lets frames meet its absence, and starts it again
  /// on its port.
  Comparison killInMidRun(const std::vector<std::string>& options) {
    Process server = serve();
    Process running = node("killed", options);
    const fs::path log = logOf("killed");
    EXPECT_TRUE(
        waitFor([&] { return running.ended() || readLines(log).size() >= pictures() / 4; }));
    server.kill(SIGKILL);
    server.wait();
    EXPECT_LT(readLines(log).size(), pictures()) << "the run ended before the server did";
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    Process again = serve(port_);
    EXPECT_EQ(running.wait(), 0) << readAll(log.string() + ".err");
    stop(again);
    const auto records = readLines(log);
    // The server did answer before and after.
    EXPECT_TRUE(!records.empty() && records.front()["answered"] == "server");
    EXPECT_TRUE(!records.empty() && records.back()["answered"] == "server");
    return compareTo(records);
  }

  /// Nodes at once on one server; what all of them lost or got wrong together.
  Comparison swarm(int count) {
    Process server = serve();
    std::vector<Process> nodes;
    nodes.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) {
      nodes.push_back(node(fmt::format("swarm{}", i), {"--deadline", "60000"}));
    }
    Comparison sum;
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ(nodes[static_cast<std::size_t>(i)].wait(), 0);
      const auto records = readLines(logOf(fmt::format("swarm{}", i)));
      for (const Json& record : records) EXPECT_EQ(record["answered"], "server");
      const Comparison one = compareTo(records);
      sum.lost += one.lost;
      sum.doubled += one.doubled;
      sum.failed += one.failed;
      sum.mismatched += one.mismatched;
    }
    stop(server);
    return sum;
  }

  /// A server that is asked to stop ends well.
  static void stop(Process& server) {
    server.kill(SIGTERM);
    EXPECT_EQ(server.wait(), 0);
  }

 private:
  fs::path folder_;
  fs::path bundle_;
  fs::path pictures_;
  std::vector<Prediction> expected_;
  std::uint16_t port_ = 0;
  int servers_ = 0;
};

/// A few layers and small pictures, so that a run takes a moment.
class TwoProcessTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPictures = 80;
  /// Slow enough that a run outlives a server's restart.
  const std::vector<std::string> slow_ = {"--fps", "25", "--deadline", "500"};

  void SetUp() override {
    const fs::path bundle = folder_.path() / "small.narrows";
    EXPECT_OK(writeBundle(*test::smallSplit(test::SmallHead::yolov2, true), bundle));
    const fs::path pictures = folder_.path() / "pictures";
    fs::create_directory(pictures);
    for (std::size_t i = 0; i < kPictures; ++i) {
      const ByteVector file = must(encodeJpeg(test::smallPicture(i, 64, 48), 90));
      EXPECT_OK(writeFileAtomically(pictures / fmt::format("{:03}.jpg", i), file));
    }
    scene_.emplace(folder_.path(), bundle, pictures);
  }

  TemporaryDirectory folder_ = must(TemporaryDirectory::create("narrows-two-process"));
  std::optional<Scene> scene_;
};

TEST_F(TwoProcessTest, DetectionsEqualOneProcess) {
  const fs::path drawn = folder_.path() / "drawn";
  const fs::path out = folder_.path() / "records.jsonl";
  expectFlawless(scene_->runOnce({"--draw", drawn.string(), "--out", out.string()}));
  EXPECT_EQ(readLines(out), readLines(scene_->logOf("node")));
  const auto drawings = std::distance(fs::directory_iterator(drawn), fs::directory_iterator{});
  EXPECT_EQ(drawings, static_cast<std::ptrdiff_t>(kPictures));
}

TEST_F(TwoProcessTest, KilledServerLosesNothingWhereTheNodeCanFinish) {
  expectFlawless(scene_->killInMidRun(slow_));
}

TEST_F(TwoProcessTest, KilledServerLosesNothingWhereTheNodeMustWait) {
  std::vector<std::string> options = slow_;
  options.emplace_back("--no-fallback");
  expectFlawless(scene_->killInMidRun(options));
}

TEST_F(TwoProcessTest, EightNodesAtOnceLoseNothing) {
  expectFlawless(scene_->swarm(8));
}

TEST_F(TwoProcessTest, NodeWithoutAnyServerFinishesAlone) {
  scene_->usePort(1);  // nothing listens there
  Process running = scene_->node("alone", {"--deadline", "200"});
  EXPECT_EQ(running.wait(), 0);
  expectFlawless(scene_->compareTo(readLines(scene_->logOf("alone"))));
  Process helpless =
      scene_->node("helpless", {"--deadline", "200", "--give-up", "0.5", "--no-fallback"});
  EXPECT_EQ(helpless.wait(), 1);
  const Comparison result = scene_->compareTo(readLines(scene_->logOf("helpless")));
  EXPECT_EQ(result.lost, 0U);
  EXPECT_EQ(result.doubled, 0U);
  EXPECT_EQ(result.failed, kPictures);
}

TEST_F(TwoProcessTest, WrongUseIsToldApartFromFailure) {
  const auto codeOf = [&](std::vector<std::string> command) {
    command.insert(command.begin(), NARROWS_BINARY);
    return Process::start(command, scene_->logOf("wrong")).wait();
  };
  EXPECT_EQ(codeOf({"serve"}), 2);
  EXPECT_EQ(codeOf({"node", "x", "--input", "y", "--depth", "0"}), 2);
  EXPECT_EQ(codeOf({"serve", "/nowhere.narrows"}), 1);
  EXPECT_EQ(codeOf({"serve", scene_->bundle().string(), "--listen", "0.0.0.0:0"}), 1);
  EXPECT_EQ(codeOf({"node", scene_->bundle().string(), "--input", "/nowhere"}), 1);
}

/// A trained detector on photographs; the figures of these properties come from here.
TEST(TwoProcess, DetectorOnPhotographs) {
  NARROWS_REQUIRE_SHARED();
  const fs::path shared = *test::sharedData();
  const fs::path data = must(test::unpackedDataset("coco128"));
  const fs::path images = data / "images" / "train2017";
  const auto folder = must(TemporaryDirectory::create("narrows-two-process"));
  const fs::path bundle = folder.path() / "detector.narrows";
  Process split = Process::start(
      {NARROWS_BINARY, "split", (shared / "models" / "yolo-fastest-1.1-coco.cfg").string(), "--cut",
       "layer24", "--bits", "4", "--coder", "zstd", "--calibration", data.string(),
       "--calibration-split", "val2017", "--calibration-images", "16", "--out", bundle.string()},
      folder.path() / "split.log");
  ASSERT_EQ(split.wait(), 0) << readAll(folder.path() / "split.log.err");
  Scene scene(folder.path(), bundle, images);
  const Comparison once = scene.runOnce({"--deadline", "20000"});
  expectFlawless(once);
  test::recordFigure("two_process_mismatches",
                     static_cast<double>(once.mismatched + once.lost + once.doubled), "images");
  const Comparison killed =
      scene.killInMidRun({"--link", "wifi", "--fps", "20", "--deadline", "1000"});
  expectFlawless(killed);
  test::recordFigure("restart_lost_or_doubled",
                     static_cast<double>(killed.lost + killed.doubled + killed.failed), "images");
  const Comparison swarm = scene.swarm(8);
  expectFlawless(swarm);
  test::recordFigure("node_swarm_lost",
                     static_cast<double>(swarm.lost + swarm.doubled + swarm.failed), "images");
}

}  // namespace
}  // namespace narrows
