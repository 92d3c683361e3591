// Networks run by narrows-sequence in a memory control group that is smaller than they are: right
// outputs, memory beside the plan's, time beside its floor.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "narrows/base/file.h"
#include "narrows/base/file_pages.h"
#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/pipeline/sequence_pipeline.h"
#include "narrows/pipeline/streamed_memory.h"
#include "narrows/planner/memory_planner.h"
#include "narrows/vision/preprocess.h"
#include "tests/support/difference.h"
#include "tests/support/figure.h"
#include "tests/support/memory_group.h"
#include "tests/support/planned_group.h"
#include "tests/support/process.h"

namespace narrows::test {
namespace {

/// What narrows-sequence takes itself; `narrows plan --program-memory` has the same.
constexpr double kProgram = 11e6;
constexpr double kTolerance = 1e-4;  // of an output's range

struct Case {
  const char* name;
  const char* model;
  double memory;
};

bool full() {
  return std::getenv("NARROWS_FULL") != nullptr;
}

double secondsSince(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

std::vector<std::filesystem::path> weightFiles(const std::filesystem::path& bundle) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(bundle / "pieces")) {
    if (entry.path().extension() == ".weights") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Reads all bytes of the files once from the disk; what of them is in memory is dropped before.
double readingSeconds(const std::vector<std::filesystem::path>& files) {
  std::vector<char> buffer(1 << 20);
  for (const auto& path : files) {
    const auto pages = FilePages::open(path);
    NARROWS_ASSERT(pages.ok());
    pages->drop(0, std::filesystem::file_size(path));
  }
  const auto began = std::chrono::steady_clock::now();
  for (const auto& path : files) {
    std::ifstream file(path, std::ios::binary);
    file.rdbuf()->pubsetbuf(nullptr, 0);
    while (file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()))) {
    }
  }
  return secondsSince(began);
}

/// narrows-sequence and all libraries that it loads as files of their own, so that the group is
/// charged with them even when others have them in memory.
std::string copyOfProgram(const std::filesystem::path& folder) {
  const std::string command = fmt::format(
      "mkdir {0} && cp {1} {0} && ldd {1} | awk '$3 ~ /^\\// {{print $3}}' | xargs -I@ cp -L @ {0} "
      "&& sync {0}/*",
      folder.string(), NARROWS_SEQUENCE);
  NARROWS_ASSERT(Process::start({"/bin/sh", "-c", command}, folder.string() + ".log").wait() == 0);
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const auto pages = FilePages::open(entry.path());
    NARROWS_ASSERT(pages.ok());
    pages->drop(0, entry.file_size());
  }
  return (folder / "narrows-sequence").string();
}

class SmallDevice {
 public:
  explicit SmallDevice(const Case& wanted) : case_(wanted), graph_(zooGraph(wanted.model)) {
    auto folder = TemporaryDirectory::create("narrows-small");
    NARROWS_ASSERT(folder.ok());
    folder_.emplace(std::move(*folder));
    engine_ = *makeEngine(leanEngineName());
    plan();
    Image image;
    image.width = graph_.shape(graph_.inputs()[0])[3];
    image.height = graph_.shape(graph_.inputs()[0])[2];
    image.rgb.resize(static_cast<std::size_t>(image.width * image.height * 3));
    for (std::size_t i = 0; i < image.rgb.size(); ++i) {
      image.rgb[i] = static_cast<std::uint8_t>((i * 2654435761U) >> 13);
    }
    auto input = preprocess(image, description_.preprocessing);
    NARROWS_ASSERT(input.ok());
    input_ = std::move(*input);
    auto png = encodePng(image);
    NARROWS_ASSERT(png.ok() && writeFileAtomically(at("picture.png"), *png).ok());
  }

  double predictedPeak() const { return predicted_; }
  std::size_t pieces() const { return pieces_; }

  /// The fastest of some runs of the whole network in this process, all weights in memory.
  double computingSeconds(std::size_t runs) {
    EngineOptions options;
    options.threads = hardwareThreads();
    const auto engine = *makeEngine(defaultEngineName());
    auto program = engine->compile(graph_, options);
    NARROWS_ASSERT(program.ok());
    const TensorView view = input_;
    double fastest = 1e9;
    for (std::size_t i = 0; i < runs; ++i) {
      const auto began = std::chrono::steady_clock::now();
      auto outputs = runProgram(**program, std::span(&view, 1));
      fastest = std::min(fastest, secondsSince(began));
      NARROWS_ASSERT(outputs.ok());
      whole_ = std::move(*outputs);
    }
    return fastest;
  }
  double readingSeconds() const { return test::readingSeconds(weightFiles(at("bundle"))); }

  struct Run {
    double seconds = 0;   // of the picture
    double resident = 0;  // peak, bytes
    double charged = 0;   // the group's peak, bytes; 0 without a group
    double tensors = 0;
  };
  Run run() {
    const std::string copy = at(fmt::format("program{}", ++runs_)).string();
    const std::string program = copyOfProgram(copy);
    auto group = MemoryGroup::create(static_cast<std::size_t>(case_.memory));
    const std::string join =
        group ? fmt::format("echo $$ > {} && ", group->processes().string()) : "";
    for (const char* name : {"outputs", "memory"}) std::filesystem::remove(at(name));
    const std::string command =
        fmt::format("{}LD_LIBRARY_PATH={} exec {} {} --input {} --outputs {} --memory-out {}", join,
                    copy, program, at("bundle").string(), at("picture.png").string(),
                    at("outputs").string(), at("memory").string());
    Run run;
    if (Process::start({"/bin/sh", "-c", command}, at("run.log")).wait() != 0) {
      ADD_FAILURE() << "narrows-sequence failed: " << *readTextFile(at("run.log.err"));
      return run;
    }
    run.charged = group ? group->peak() : 0;
    const auto memory = nlohmann::json::parse(*readTextFile(at("memory")));
    run.seconds = memory["fastest_s"];
    run.resident = memory["peak_resident_bytes"];
    run.tensors = memory["tensors_and_programs_bytes"];
    fmt::print(
        "{}: program {:.1f} MB, tensors and piece {:.1f} MB, resident {:.1f} MB, charged "
        "{:.1f} MB, {:.3f} s\n",
        case_.name, memory["program_bytes"].get<double>() / 1e6, run.tensors / 1e6,
        run.resident / 1e6, run.charged / 1e6, run.seconds);
    compare();
    return run;
  }

 private:
  std::filesystem::path at(const std::string& name) const { return folder_->path() / name; }

  void plan() {
    auto group = parseDeviceGroup("[[device]]\nname = \"board\"\n", "test");
    NARROWS_ASSERT(group.ok());
    MemoryPlannerOptions options;
    options.memory = case_.memory;
    options.program = kProgram;
    const StreamedRun how{hardwareThreads(), static_cast<std::size_t>(options.window)};
    options.program_memory = [&](const Graph& piece) {
      return streamedMemory(*engine_, piece, how);
    };
    auto planning = planWithinMemory(graph_, *group, options);
    if (!planning.ok()) fmt::print("{}\n", planning.error().message);
    NARROWS_ASSERT(planning.ok());
    predicted_ = static_cast<double>(planning->peak);
    pieces_ = planning->split.pieces.size();
    const Bundle bundle = bundleOf(std::move(planning->split), case_.model);
    description_ = bundle.description;
    const auto written = writeBundle(bundle, at("bundle"));
    NARROWS_ASSERT(written.ok());
  }

  void compare() const {
    const auto bytes = readFile(at("outputs"));
    ASSERT_TRUE(bytes.ok());
    std::size_t offset = 0;
    for (const Tensor& expected : whole_) {
      ASSERT_LE(offset + expected.type().bytes(), bytes->size());
      Tensor actual(expected.type());
      std::copy_n(bytes->begin() + static_cast<std::ptrdiff_t>(offset), expected.type().bytes(),
                  actual.mutableView().bytes().begin());
      offset += expected.type().bytes();
      EXPECT_LE(differenceOf(actual, expected), kTolerance);
    }
    EXPECT_EQ(offset, bytes->size());
  }

  Case case_;
  Graph graph_;
  std::optional<TemporaryDirectory> folder_;
  std::unique_ptr<Engine> engine_;
  ModelDescription description_;
  Tensor input_;
  std::vector<Tensor> whole_;
  double predicted_ = 0;
  std::size_t pieces_ = 0;
  int runs_ = 0;
};

TEST(SmallMemoryRun, KeepsItsMemoryAndItsTime) {
  const std::vector<Case> cases =
      full()
          ? std::vector<Case>{{"vgg16", "zoo:vgg16@224", 64e6}, {"yolov2", "zoo:yolov2@416", 48e6}}
          : std::vector<Case>{{"vgg16", "zoo:vgg16@64,width=0.5", 40e6}};
  const std::size_t rounds = full() ? 3 : 1;
  for (const Case& wanted : cases) {
    SmallDevice device(wanted);
    double computing = 1e9;
    double reading = 1e9;
    SmallDevice::Run best;
    best.seconds = 1e9;
    for (std::size_t round = 0; round < rounds; ++round) {
      computing = std::min(computing, device.computingSeconds(3));
      reading = std::min(reading, device.readingSeconds());
      const SmallDevice::Run run = device.run();
      best.seconds = std::min(best.seconds, run.seconds);
      best.resident = std::max(best.resident, run.resident);
      best.charged = std::max(best.charged, run.charged);
    }
    const double floor = computing + reading;
    const std::string name = wanted.name;
    fmt::print(
        "{}: {} pieces, predicted {:.1f} MB; {:.3f} s computing, {:.3f} s reading, {:.3f} s "
        "in all: {:.2f} times\n",
        name, device.pieces(), device.predictedPeak() / 1e6, computing, reading, best.seconds,
        best.seconds / floor);
    EXPECT_LE(device.predictedPeak(), wanted.memory);
    recordFigure(name + "_memory_limit_mb", wanted.memory / 1e6, "MB", "given");
    recordFigure(name + "_pieces", static_cast<double>(device.pieces()), "pieces", "modelled");
    recordFigure(name + "_rss_mb", best.resident / 1e6, "MB");
    recordFigure(name + "_peak_predicted_mb", device.predictedPeak() / 1e6, "MB", "modelled");
    recordFigure(name + "_peak_error_percent",
                 std::abs(device.predictedPeak() - best.resident) / best.resident * 100, "%");
    recordFigure(name + "_seconds", best.seconds, "s");
    recordFigure(name + "_floor_compute_s", computing, "s");
    recordFigure(name + "_floor_read_s", reading, "s");
    recordFigure(name + "_over_floor", best.seconds / floor, "times");
    if (best.charged > 0) {
      EXPECT_LE(best.charged, wanted.memory);
      recordFigure(name + "_cgroup_peak_mb", best.charged / 1e6, "MB");
      recordFigure(name + "_cgroup_peak_error_percent",
                   std::abs(device.predictedPeak() - best.charged) / best.charged * 100, "%");
    } else {
      fmt::print("no memory control group here: the limit was not enforced\n");
    }
  }
}

}  // namespace
}  // namespace narrows::test
