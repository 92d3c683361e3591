#include "bench/codec/raw_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <regex>

#include "narrows/base/file.h"

namespace narrows::bench {
namespace {

/// Frames below which one picture decides the figure.
constexpr std::size_t kFewFrames = 8;

Result<MapCase> parseName(const std::string& stem) {
  static const std::regex kPattern("(.+)_([0-9]{1,9})x([0-9]{1,9})x([0-9]{1,9})_b([1-8])");
  std::smatch parts;
  if (!std::regex_match(stem, parts, kPattern)) {
    return makeError("the name is not NAME_CxHxW_bB.u8 with B from 1 to 8");
  }
  MapCase maps;
  maps.name = parts[1];
  maps.group = "files";
  maps.layout = {std::stoul(parts[2]), std::stoul(parts[3]), std::stoul(parts[4]),
                 std::stoi(parts[5])};
  return maps;
}

std::vector<SymbolMap> cutOut(ByteSpan bytes, std::size_t size, std::size_t first, std::size_t last,
                              std::size_t most) {
  std::vector<SymbolMap> maps;
  const std::size_t count = last - first;
  const std::size_t kept = std::min(count, most);
  for (std::size_t i = 0; i < kept; ++i) {
    const auto* begin =
        reinterpret_cast<const std::uint8_t*>(bytes.data()) + (first + i * count / kept) * size;
    maps.emplace_back(begin, begin + size);
  }
  return maps;
}

Result<MapCase> readMaps(const std::filesystem::path& path, std::size_t most_measured) {
  NARROWS_TRY(maps, parseName(path.stem().string()));
  NARROWS_TRY(bytes, readFile(path));
  // Three factors of at most 10^9: no product of two overflows, and the third is checked first.
  const std::size_t plane = maps.layout.height * maps.layout.width;
  const std::size_t size =
      plane > bytes.size() || maps.layout.planes > bytes.size() ? 0 : maps.layout.planes * plane;
  if (size == 0 || bytes.size() % size != 0) {
    return makeError("{} bytes are no whole number of {}x{}x{} maps", bytes.size(),
                     maps.layout.planes, maps.layout.height, maps.layout.width);
  }
  const unsigned top = (1U << maps.layout.bits) - 1;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto symbol = std::to_integer<unsigned>(bytes[i]);
    if (symbol > top) {
      return makeError("offset {}: symbol {}, expected at most {}", i, symbol, top);
    }
  }
  const std::size_t frames = bytes.size() / size;
  if (frames < kFewFrames) {
    fmt::print(stderr, "{}: {} of {} frames calibrate{}: few frames, rough figures\n",
               path.filename().string(), frames / 2, frames,
               frames == 1 ? ", so the standard tables serve" : "");
  }
  maps.calibration = cutOut(bytes, size, 0, frames / 2, frames);
  maps.measured = cutOut(bytes, size, frames / 2, frames, most_measured);
  return std::move(maps);
}

}  // namespace

Status forEachRawMapFile(const std::filesystem::path& folder, std::size_t most_measured,
                         const std::function<Status(const MapCase&)>& use) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".u8") files.push_back(entry->path());
  }
  if (error) return makeError("{}: {}", folder.string(), error.message());
  if (files.empty()) {
    return makeError("{}: no file NAME_CxHxW_bB.u8 in this folder", folder.string());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    NARROWS_TRY(maps, readMaps(file, most_measured).within(file.string()));
    NARROWS_CHECK(use(maps));
  }
  return {};
}

}  // namespace narrows::bench
