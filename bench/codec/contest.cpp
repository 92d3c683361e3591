#include "bench/codec/contest.h"

#include <algorithm>
#include <ctime>
#include <limits>
#include <utility>

#include "bench/codec/adaptive_coder.h"
#include "bench/codec/byte_coders.h"
#include "narrows/codec/context_coder.h"
#include "narrows/codec/context_tables.h"
#include "narrows/codec/feature_codec.h"
#include "narrows/codec/rate_table.h"

namespace narrows::bench {
namespace {

/// A measurement covers at least this much, in seconds, so that the clock's own time does not show.
constexpr double kShortest = 300e-6;
/// Coders slower than this, in seconds a map, are measured once.
constexpr double kSlow = 4e-3;

struct Contender {
  std::string name;
  Role role;
  std::unique_ptr<LosslessCoder> coder;
};

double threadSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Mean time of one call, after a first one that does not count unless it is slow: it finds the
/// caches and the branch predictors as another coder left them, frames of a stream do not.
template <class Call>
Result<double> timeOf(const Call& call) {
  double start = threadSeconds();
  NARROWS_CHECK(call());
  const double first = threadSeconds() - start;
  if (first > kSlow) return first;
  const auto times = static_cast<std::size_t>(kShortest / std::max(first, 1e-7)) + 1;
  start = threadSeconds();
  for (std::size_t i = 0; i < times; ++i) NARROWS_CHECK(call());
  return (threadSeconds() - start) / static_cast<double>(times);
}

Result<ContextTables> fitTables(const MapCase& maps, CaseFigures& figures) {
  if (maps.calibration.empty()) return ContextTables::standard(maps.layout);
  const double start = threadSeconds();
  ContextTrainer trainer(maps.layout);
  for (const SymbolMap& map : maps.calibration) trainer.observe(map);
  const ContextTables fitted = trainer.fit();
  figures.fit_seconds = threadSeconds() - start;
  // As a bundle carries them.
  NARROWS_TRY(bytes, fitted.serialize());
  figures.table_bytes = bytes.size();
  return ContextTables::parse(bytes, maps.layout);
}

Result<std::vector<Contender>> makeContenders(const MapCase& maps, const ContestOptions& options,
                                              const ContextTables& tables) {
  const SymbolLayout& layout = maps.layout;
  std::vector<Contender> contenders;
  if (!options.only_ours) {
    NARROWS_TRY(lzma, makeCoder({CoderKind::lzma, 19}, layout));
    NARROWS_TRY(zstd, makeCoder({CoderKind::zstd, 19}, layout));
    contenders.push_back({"zip", Role::other, makeZipCoder(layout)});
    contenders.push_back({"deflate-9", Role::general, makeZlibCoder(layout)});
    contenders.push_back({"zstd-19", Role::general, std::move(zstd)});
    contenders.push_back({"brotli-11", Role::general, makeBrotliCoder(layout)});
    contenders.push_back({"lzma-9e", Role::lzma, makeLzmaPresetCoder(layout)});
    contenders.push_back({"lzma-9e small dictionary", Role::lzma_small, std::move(lzma)});
  }
  contenders.push_back({"adaptive", Role::adaptive, makeAdaptiveCoder(layout)});
  contenders.push_back({"context", Role::ours, makeContextCoder(layout, tables)});
  contenders.push_back(
      {"context scalar", Role::ours_scalar, makeContextCoder(layout, tables, UnitSearch::scalar)});
  if (const int most = levelRange(CoderKind::context).highest; most > 0) {
    CoderParams params{CoderKind::context, most};
    if (!maps.calibration.empty()) {
      NARROWS_TRY(bytes, tables.serialize());
      params.tables = std::move(bytes);
    }
    NARROWS_TRY(coder, makeCoder(params, layout));
    contenders.push_back({"context max", Role::ours_max, std::move(coder)});
  }
  contenders.push_back({"context uncalibrated", Role::ours_uncalibrated,
                        makeContextCoder(layout, ContextTables::standard(layout))});
  return contenders;
}

/// What a coder did with one map.
struct Turns {
  ByteVector code;
  std::vector<double> encode;
  std::vector<double> decode;
};

/// Codes a map and decodes it again, timed.
Status takeTurn(const Contender& contender, const SymbolMap& map, SymbolMap& decoded,
                Turns& turns) {
  LosslessCoder& coder = *contender.coder;
  const auto encodeOnce = [&]() -> Status {
    turns.code.clear();
    NARROWS_TRY(fits, coder.encode(map, std::numeric_limits<std::size_t>::max(), turns.code));
    return fits ? Status() : makeError("a code longer than memory");
  };
  const auto decodeOnce = [&] { return coder.decode(turns.code, decoded); };
  NARROWS_TRY(encode_time, timeOf(encodeOnce).within(contender.name));
  NARROWS_TRY(decode_time, timeOf(decodeOnce).within(contender.name));
  if (decoded != map) return makeError("{} does not give the map back", contender.name);
  turns.encode.push_back(encode_time);
  turns.decode.push_back(decode_time);
  return {};
}

/// Codes one map in turns, appending to `figures`.
Status measureMap(const SymbolMap& map, const ContestOptions& options,
                  std::vector<Contender>& contenders, std::vector<CoderFigures>& figures) {
  std::vector<Turns> turns(contenders.size());
  SymbolMap decoded(map.size());
  const auto slow = [&](std::size_t c) { return turns[c].encode[0] > kSlow; };
  const auto takeTurnsFrom = [&](std::size_t first) -> Status {
    for (std::size_t c = first; c < contenders.size(); ++c) {
      if (!slow(c)) NARROWS_CHECK(takeTurn(contenders[c], map, decoded, turns[c]));
    }
    return {};
  };
  // Ours are the last: they take their turns between the slow ones.
  for (std::size_t c = contenders.size(); c-- > 0;) {
    NARROWS_CHECK(takeTurn(contenders[c], map, decoded, turns[c]));
    if (slow(c)) NARROWS_CHECK(takeTurnsFrom(c + 1));
  }
  for (std::size_t round = 1; round < options.rounds; ++round) NARROWS_CHECK(takeTurnsFrom(0));
  const ByteVector* ours = nullptr;
  for (std::size_t c = 0; c < contenders.size(); ++c) {
    if (contenders[c].role == Role::ours) ours = &turns[c].code;
    if (contenders[c].role == Role::ours_scalar && (ours == nullptr || turns[c].code != *ours)) {
      return makeError("the scalar coder gives other bytes");
    }
    const bool packs = contenders[c].role != Role::other;
    const std::size_t packed = contenders[c].coder->layout().packedBytes();
    const std::size_t bytes = turns[c].code.size();
    figures[c].bytes.push_back(packs ? std::min(bytes, packed) : bytes);
    figures[c].encode_seconds.push_back(std::move(turns[c].encode));
    figures[c].decode_seconds.push_back(std::move(turns[c].decode));
  }
  return {};
}

/// Bytes of all maps as RateTable expects them, and as the coder makes them.
Status predictRate(const MapCase& maps, const ContextTables& tables, CaseFigures& figures) {
  NARROWS_TRY(bytes,
              maps.calibration.empty() ? Result<ByteVector>(ByteVector()) : tables.serialize());
  NARROWS_TRY(rates, RateTable::create(maps.layout, bytes));
  const auto coder = makeContextCoder(maps.layout, tables);
  for (const SymbolMap& map : maps.measured) {
    ByteVector code;
    NARROWS_CHECK(coder->encode(map, std::numeric_limits<std::size_t>::max(), code));
    figures.coded_bytes += static_cast<double>(code.size());
    figures.expected_bytes += rates.rate(map).bits / 8;
  }
  return {};
}

/// Frames as a node sends them: what they have beyond the code.
Result<std::size_t> mostFraming(const MapCase& maps, const ContextTables& tables,
                                const CoderFigures& ours) {
  FeatureInterface interface;
  const SymbolLayout& layout = maps.layout;
  interface.type = {DType::f32, Shape{1, static_cast<std::int64_t>(layout.planes),
                                      static_cast<std::int64_t>(layout.height),
                                      static_cast<std::int64_t>(layout.width)}};
  interface.quantizer = {QuantizerKind::uniform, layout.bits, Granularity::tensor, {0}, {1}};
  interface.coder.kind = CoderKind::context;
  if (!maps.calibration.empty()) {
    NARROWS_TRY(bytes, tables.serialize());
    interface.coder.tables = std::move(bytes);
  }
  NARROWS_TRY(encoder, FeatureEncoder::create(interface));
  Tensor map(interface.type);
  ByteVector frame;
  std::size_t most = 0;
  for (std::size_t i = 0; i < maps.measured.size(); ++i) {
    std::copy(maps.measured[i].begin(), maps.measured[i].end(), map.mutableAs<float>().begin());
    NARROWS_CHECK(encoder.encode(map, static_cast<std::uint32_t>(i), frame));
    if (frame.size() < ours.bytes[i]) {
      return makeError("frame {} is shorter than its code: {} and {} bytes", i, frame.size(),
                       ours.bytes[i]);
    }
    most = std::max(most, frame.size() - ours.bytes[i]);
  }
  return most;
}

}  // namespace

const CoderFigures* CaseFigures::find(Role role) const {
  const auto found = std::find_if(coders.begin(), coders.end(),
                                  [&](const CoderFigures& coder) { return coder.role == role; });
  return found == coders.end() ? nullptr : &*found;
}

Result<CaseFigures> runContest(const MapCase& maps, const ContestOptions& options) {
  CaseFigures figures;
  figures.name = maps.name;
  figures.group = maps.group;
  figures.layout = maps.layout;
  figures.calibration_maps = maps.calibration.size();
  figures.maps = maps.measured.size();
  NARROWS_TRY(tables, fitTables(maps, figures));
  NARROWS_TRY(contenders, makeContenders(maps, options, tables));
  for (const Contender& contender : contenders) {
    figures.coders.push_back({contender.name, contender.role, {}, {}, {}});
  }
  for (const SymbolMap& map : maps.measured) {
    NARROWS_CHECK(measureMap(map, options, contenders, figures.coders));
  }
  NARROWS_TRY(framing, mostFraming(maps, tables, *figures.find(Role::ours)));
  figures.framing_bytes = framing;
  NARROWS_CHECK(predictRate(maps, tables, figures));
  return figures;
}

}  // namespace narrows::bench
