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

/// Pictures whose maps are of some kilobytes, and of a megabyte.
constexpr std::int64_t kSmall = 16;
constexpr std::int64_t kLarge = 288;
/// Pictures that make connections and buffers.
constexpr std::size_t kWarm = 5;

/// Two layers with a cut between them, and an answer of three numbers.
Result<Bundle> trivialBundle(std::int64_t extent) {
  Graph graph;
  graph.name = "trivial";
  const ValueId image = graph.addInput("image", {DType::f32, {1, 3, extent, extent}});
  NARROWS_TRY(first, graph.add(Unary{UnaryKind::relu}, {image}, "first", "first"));
  NARROWS_TRY(second, graph.add(GlobalPool{GlobalPoolKind::average}, {first}, "second", "second"));
  NARROWS_CHECK(graph.setOutputs({second}));
  NARROWS_TRY(cut, findCut(graph, "first"));
  NARROWS_TRY(split, splitAt(graph, cut, {plainInterface(graph.type(first))}));
  Bundle bundle;
  bundle.name = graph.name;
  bundle.plan = std::move(split.plan);
  bundle.pieces = std::move(split.pieces);
  bundle.description.name = graph.name;
  bundle.description.preprocessing.width = extent;
  bundle.description.preprocessing.height = extent;
  return bundle;
}

Status writePictures(std::int64_t extent, std::size_t count, const fs::path& folder) {
  std::error_code code;
  fs::create_directory(folder, code);
  if (code) return makeError("{}: {}", folder.string(), code.message());
  NARROWS_TRY(png, encodePng(makeImage({extent, extent})));
  for (std::size_t i = 0; i < count; ++i)
    NARROWS_CHECK(writeFileAtomically(folder / fmt::format("{:04}.png", i), png));
  return {};
}

/// Of messages between two processes: medians of a request's bytes and of what it and its answer
/// take.
struct Exchange {
  Bytes request;
  Seconds time;
};

/// Between a `narrows serve` and a `narrows node` over the loopback, the first pictures left out.
Result<Exchange> timeExchange(std::int64_t extent, std::size_t pictures) {
  NARROWS_TRY(work, TemporaryDirectory::create("narrows-exchange"));
  const fs::path folder = work.path() / "pictures";
  NARROWS_CHECK(writePictures(extent, kWarm + pictures, folder));
  NARROWS_TRY(bundle, trivialBundle(extent));
  const fs::path path = work.path() / "bundle";
  NARROWS_CHECK(writeBundle(bundle, path));
  NARROWS_TRY(real, RealRun::start(path, nullptr, work.path()));
  NARROWS_TRY(answers, real.run(folder, ""));
  std::vector<double> seconds;
  for (std::size_t i = kWarm; i < answers.size(); ++i)
    seconds.push_back(answers[i].between().value());
  return Exchange{answers.back().request, Seconds(median(std::move(seconds)))};
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
  NARROWS_TRY(small, timeExchange(kSmall, pictures));
  NARROWS_TRY(large, timeExchange(kLarge, pictures));
  constexpr double kSides = 2;
  const Seconds per_byte = (large.time - small.time) / (large.request - small.request).value();
  ExchangeRates rates;
  rates.per_byte = std::max(Seconds(), per_byte) / kSides;
  rates.time = std::max(Seconds(), small.time / kSides - small.request.value() * rates.per_byte);
  return rates;
}

}  // namespace narrows
