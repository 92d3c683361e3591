#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "narrows/base/file.h"
#include "tests/support/figure.h"
#include "tests/support/process.h"
#include "tests/support/process_output.h"
#include "tests/support/shared_data.h"

/// An emulated arm64 `narrows node` and one of this machine, with the same server of this machine.
namespace narrows {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using std::chrono::seconds;
using test::Process;
using test::readAll;
using test::readLines;

constexpr double kMegabyte = 1e6;
const fs::path kArm64Binary = NARROWS_SOURCE_DIR "/build/arm64/bin/narrows";
const std::vector<std::string> kNative = {NARROWS_BINARY};
const std::vector<std::string> kEmulated = {NARROWS_SOURCE_DIR "/scripts/emulate-arm64",
                                            kArm64Binary.string()};

/// Bytes of a process that are in memory; of an emulated one those that lie at addresses where the
/// emulator puts the program's, without its own.
double residentBytes(pid_t id, bool emulated) {
  constexpr std::uint64_t kGuest = 0x5500000000;
  constexpr std::uint64_t kGuestEnd = 0x5600000000;
  std::ifstream file(fmt::format("/proc/{}/smaps", id));
  double bytes = 0;
  bool counts = false;
  for (std::string line; std::getline(file, line);) {
    const auto dash = line.find('-');
    if (dash != std::string::npos && line.find(':') > dash) {
      const std::uint64_t start = std::strtoull(line.c_str(), nullptr, 16);
      counts = !emulated || (start >= kGuest && start < kGuestEnd);
    } else if (counts && line.starts_with("Rss:")) {
      bytes += std::strtod(line.c_str() + 4, nullptr) * 1024;
    }
  }
  return bytes;
}

/// What a node has made of the pictures.
struct NodeRun {
  std::vector<Json> records;
  double peak_bytes = 0;
};

class Arm64NodeTest : public ::testing::Test {
 protected:
  static constexpr std::size_t kPictures = 3;

  void SetUp() override {
    if (std::getenv("NARROWS_ARM64") == nullptr)
      GTEST_SKIP() << "takes minutes in an emulator: scripts/test-arm64 runs it";
    NARROWS_REQUIRE_SHARED();
    ASSERT_TRUE(fs::exists(kArm64Binary)) << "scripts/build arm64 makes it";
    auto folder = TemporaryDirectory::create("narrows-arm64");
    ASSERT_TRUE(folder.ok()) << folder.error().message;
    folder_.emplace(*std::move(folder));
    const auto data = test::unpackedDataset("coco128");
    ASSERT_TRUE(data.ok()) << data.error().message;
    copyPictures(*data / "images" / "train2017");
    const fs::path model = *test::sharedData() / "models" / "yolo-fastest-1.1-coco.cfg";
    const fs::path log = folder_->path() / "split.log";
    Process split =
        Process::start({NARROWS_BINARY, "split", model.string(), "--cut", "layer24", "--bits", "8",
                        "--calibration", data->string(), "--calibration-split", "val2017",
                        "--calibration-images", "16", "--out", bundle().string()},
                       log);
    ASSERT_EQ(split.wait(), 0) << readAll(log.string() + ".err");
    serve();
  }

  void TearDown() override {
    if (!server_) return;
    server_->kill(SIGTERM);
    EXPECT_EQ(server_->wait(), 0);
  }

  /// Runs `narrows node` on the pictures and watches its memory.
  NodeRun run(const std::string& name, const std::vector<std::string>& program,
              const std::string& engine) {
    std::vector<std::string> command = program;
    for (const std::string& word :
         {std::string("node"), bundle().string(), std::string("--input"), pictures().string(),
          std::string("--server"), fmt::format("127.0.0.1:{}", port_), std::string("--engine"),
          engine, std::string("--threads"), std::string("1"), std::string("--depth"),
          std::string("1"), std::string("--deadline"), std::string("60000"),
          std::string("--no-fallback"), std::string("--json")})
      command.push_back(word);
    const fs::path log = folder_->path() / (name + ".jsonl");
    Process node = Process::start(command, log);
    NodeRun result;
    const bool emulated = program.size() > 1;
    const bool ended = test::waitFor(
        [&] {
          result.peak_bytes = std::max(result.peak_bytes, residentBytes(node.id(), emulated));
          return node.ended();
        },
        seconds(900));
    EXPECT_TRUE(ended && node.wait() == 0) << readAll(log.string() + ".err");
    result.records = readLines(log);
    EXPECT_EQ(result.records.size(), kPictures);
    for (const Json& record : result.records) EXPECT_EQ(record["answered"], "server");
    fmt::print("{}: {:.1f} MB resident at most, {:.0f} ms a picture on the node (measured)\n", name,
               result.peak_bytes / kMegabyte,
               result.records.empty() ? 0 : result.records.back()["node_ms"].get<double>());
    return result;
  }

 private:
  fs::path bundle() const { return folder_->path() / "yolo.narrows"; }
  fs::path pictures() const { return folder_->path() / "pictures"; }

  void copyPictures(const fs::path& from) {
    fs::create_directory(pictures());
    std::vector<fs::path> files(fs::directory_iterator(from), fs::directory_iterator{});
    std::sort(files.begin(), files.end());
    ASSERT_GE(files.size(), kPictures);
    for (std::size_t i = 0; i < kPictures; ++i)
      fs::copy_file(files[i], pictures() / files[i].filename());
  }

  void serve() {
    const fs::path log = folder_->path() / "serve.jsonl";
    server_.emplace(Process::start({NARROWS_BINARY, "serve", bundle().string(), "--threads", "1",
                                    "--json", "--listen", "127.0.0.1:0"},
                                   log));
    ASSERT_TRUE(test::waitFor([&] { return !readLines(log).empty() || server_->ended(); }));
    ASSERT_FALSE(readLines(log).empty()) << readAll(log.string() + ".err");
    port_ = readLines(log)[0]["port"].get<int>();
  }

  std::optional<TemporaryDirectory> folder_;
  std::optional<Process> server_;
  int port_ = 0;
};

TEST_F(Arm64NodeTest, FramesOfTheReferenceEngineAreTheSame) {
  const NodeRun here = run("native, reference", kNative, "reference");
  const NodeRun there = run("arm64, reference", kEmulated, "reference");
  ASSERT_EQ(here.records.size(), there.records.size());
  std::size_t different = 0;
  for (std::size_t i = 0; i < here.records.size(); ++i) {
    const Json& a = here.records[i];
    const Json& b = there.records[i];
    ASSERT_TRUE(a.contains("frame_fnv1a") && b.contains("frame_fnv1a"));
    different += a["frame_fnv1a"] == b["frame_fnv1a"] ? 0 : 1;
    EXPECT_EQ(a["frame_bytes"], b["frame_bytes"]);
    EXPECT_EQ(a["detections"], b["detections"]);
  }
  EXPECT_EQ(different, 0U);
  EXPECT_NE(here.records[0]["frame_fnv1a"], here.records[1]["frame_fnv1a"]);
  test::recordFigure("arm64_frames_different", static_cast<double>(different), "frames");
}

TEST_F(Arm64NodeTest, DetectionsWithXnnpackAreTheSame) {
  const NodeRun here = run("native, xnnpack", kNative, "xnnpack");
  const NodeRun there = run("arm64, xnnpack", kEmulated, "xnnpack");
  ASSERT_EQ(here.records.size(), there.records.size());
  std::size_t boxes = 0;
  std::size_t different = 0;
  double worst = 0;
  for (std::size_t i = 0; i < here.records.size(); ++i) {
    const auto a = test::predictionOf(here.records[i]).detections;
    const auto b = test::predictionOf(there.records[i]).detections;
    ASSERT_EQ(a.size(), b.size());
    boxes += a.size();
    for (std::size_t k = 0; k < a.size(); ++k) {
      different += a[k].label == b[k].label ? 0 : 1;
      worst = std::max({worst, std::abs(static_cast<double>(a[k].score - b[k].score)),
                        std::abs(static_cast<double>(a[k].box.x1 - b[k].box.x1)),
                        std::abs(static_cast<double>(a[k].box.y1 - b[k].box.y1)),
                        std::abs(static_cast<double>(a[k].box.x2 - b[k].box.x2)),
                        std::abs(static_cast<double>(a[k].box.y2 - b[k].box.y2))});
    }
  }
  EXPECT_GT(boxes, 0U);
  EXPECT_EQ(different, 0U);
  // Sums in another order may round a symbol of 8 bits the other way.
  EXPECT_LE(worst, 0.01);
  fmt::print("{} boxes, scores and corners differ by {:.2g} at most (measured)\n", boxes, worst);
  test::recordFigure("arm64_largest_box_difference", worst, "ratio");
  test::recordFigure("arm64_node_resident_mb", there.peak_bytes / kMegabyte, "MB");
  EXPECT_LT(there.peak_bytes / kMegabyte, 40);
}

}  // namespace
}  // namespace narrows
