#include "narrows/cli/exchange_timer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <vector>

#include "narrows/base/file.h"
#include "narrows/base/median.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/real_run.h"
#include "narrows/eval/frame_meter.h"
#include "narrows/graph/cuts.h"
#include "narrows/plan/split.h"
#include "narrows/runtime/wire.h"
#include "narrows/vision/image.h"

namespace narrows {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kExtent = 16;
/// Pictures that make connections and buffers.
constexpr std::size_t kWarm = 5;

/// Two layers with a cut between them.
Result<Bundle> trivialBundle() {
  Graph graph;
  graph.name = "trivial";
  const ValueId image = graph.addInput("image", {DType::f32, {1, 3, kExtent, kExtent}});
  NARROWS_TRY(first, graph.add(Unary{UnaryKind::relu}, {image}, "first", "first"));
  NARROWS_TRY(second, graph.add(Unary{UnaryKind::relu}, {first}, "second", "second"));
  NARROWS_CHECK(graph.setOutputs({second}));
  NARROWS_TRY(cut, findCut(graph, "first"));
  NARROWS_TRY(split, splitAt(graph, cut, {plainInterface(graph.type(first))}));
  Bundle bundle;
  bundle.name = graph.name;
  bundle.plan = std::move(split.plan);
  bundle.pieces = std::move(split.pieces);
  bundle.description.name = graph.name;
  bundle.description.preprocessing.width = kExtent;
  bundle.description.preprocessing.height = kExtent;
  return bundle;
}

Status writePictures(std::size_t count, const fs::path& folder) {
  std::error_code code;
  fs::create_directory(folder, code);
  if (code) return makeError("{}: {}", folder.string(), code.message());
  NARROWS_TRY(png, encodePng(makeImage({kExtent, kExtent})));
  for (std::size_t i = 0; i < count; ++i)
    NARROWS_CHECK(writeFileAtomically(folder / fmt::format("{:04}.png", i), png));
  return {};
}

}  // namespace

Result<Seconds> timeMessage(std::size_t bytes, std::size_t runs) {
  InferRequest request;
  request.frames = {{"frame", ByteVector(bytes)}};
  WireLimits limits;
  limits.message_bytes += bytes;
  Seconds least(std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < runs; ++i) {
    const Seconds start = FrameClock::now();
    InferRequest received;
    const std::uint64_t sent = digest(request);
    const CallStatus status = readRequest(writeRequest(request), limits, received);
    if (!status.ok() || digest(received) != sent) return makeError("{}", status.message);
    least = std::min(least, FrameClock::now() - start);
  }
  return least;
}

Result<ExchangeRates> measureExchange(std::size_t pictures) {
  NARROWS_TRY(work, TemporaryDirectory::create("narrows-exchange"));
  const fs::path folder = work.path() / "pictures";
  NARROWS_CHECK(writePictures(kWarm + pictures, folder));
  NARROWS_TRY(bundle, trivialBundle());
  const fs::path path = work.path() / "bundle";
  NARROWS_CHECK(writeBundle(bundle, path));
  NARROWS_TRY(real, RealRun::start(path, nullptr, work.path()));
  NARROWS_TRY(answers, real.run(folder, ""));
  std::vector<double> seconds;
  for (std::size_t i = kWarm; i < answers.size(); ++i)
    seconds.push_back(answers[i].between().value());
  constexpr std::size_t kSmall = 1 << 10;
  constexpr std::size_t kLarge = 1 << 20;
  constexpr std::size_t kRuns = 10;
  NARROWS_TRY(small, timeMessage(kSmall, kRuns));
  NARROWS_TRY(large, timeMessage(kLarge, kRuns));
  constexpr double kSides = 2;
  ExchangeRates rates;
  rates.time = Seconds(std::max(0.0, median(std::move(seconds))) / kSides);
  rates.per_byte = std::max(Seconds(), large - small) / (kSides * (kLarge - kSmall));
  return rates;
}

}  // namespace narrows
