#include "narrows/cli/shaped_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "narrows/base/file.h"
#include "narrows/cli/child_process.h"

namespace narrows {
namespace {

// Of the block for tests between networks (RFC 2544), which is in use nowhere else.
constexpr std::string_view kNodeAddress = "198.18.77.1";
constexpr std::string_view kServerAddress = "198.18.77.2";
/// Bytes that may go at once: a full frame and a bit, and what flows in this time. The bucket's
/// timer comes late, by some 40 us in virtual machines; tokens of that time must find room.
constexpr Bytes kFrame(1'600);
constexpr Seconds kLate(0.0005);
/// Bytes that may wait for tokens: more than any frame of ours, so that none is dropped.
constexpr int kQueue = 64'000'000;

Result<std::string> findTool(std::string_view name) {
  for (std::string_view folder : {"/usr/sbin", "/sbin", "/usr/bin", "/bin"}) {
    const std::string path = fmt::format("{}/{}", folder, name);
    if (::access(path.c_str(), X_OK) == 0) return path;
  }
  return makeError("{} is not installed", name);
}

Status runTool(std::vector<std::string> words, const std::filesystem::path& work) {
  NARROWS_TRY(program, findTool(words.front()));
  const std::vector<std::string> arguments(words.begin() + 1, words.end());
  NARROWS_TRY(process, ChildProcess::start(program, arguments, (work / "tool.log").string()));
  NARROWS_TRY(code, process.wait());
  if (code != 0) return makeError("{} ended with exit code {}", fmt::join(words, " "), code);
  return {};
}

std::vector<std::string> within(const std::string& space, std::vector<std::string> command) {
  std::vector<std::string> words{"/usr/sbin/ip", "netns", "exec", space};
  if (auto program = findTool("ip"); program.ok()) words[0] = *program;
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

}  // namespace

Result<ShapedNetwork> ShapedNetwork::create(const std::filesystem::path& work) {
  ShapedNetwork network(fmt::format("narrows{}", ::getpid()), work);
  const std::string node = network.space("n");
  const std::string server = network.space("s");
  const std::vector<std::vector<std::string>> commands = {
      {"ip", "netns", "add", node},
      {"ip", "netns", "add", server},
      {"ip", "link", "add", "cable", "netns", node, "type", "veth", "peer", "name", "cable",
       "netns", server},
      {"ip", "-n", node, "addr", "add", fmt::format("{}/30", kNodeAddress), "dev", "cable"},
      {"ip", "-n", server, "addr", "add", fmt::format("{}/30", kServerAddress), "dev", "cable"},
      {"ip", "-n", node, "link", "set", "cable", "up"},
      {"ip", "-n", server, "link", "set", "cable", "up"}};
  for (const auto& command : commands) NARROWS_CHECK(runTool(command, work));
  return network;
}

ShapedNetwork::ShapedNetwork(ShapedNetwork&& other) noexcept
    : name_(std::move(other.name_)), work_(std::move(other.work_)) {
  other.name_.clear();
}

ShapedNetwork::~ShapedNetwork() {
  if (name_.empty()) return;
  // What was never made cannot be taken away; nobody could act on that, nor on a lack of memory.
  try {
    for (std::string_view end : {"n", "s"}) {
      const Status gone = runTool({"ip", "netns", "del", space(end)}, work_);
      static_cast<void>(gone.ok());
    }
  } catch (const std::exception&) {
  }
}

Status ShapedNetwork::setRate(BitsPerSecond rate) {
  const std::string text = fmt::format("{}bit", std::llround(rate.value()));
  for (std::string_view end : {"n", "s"}) {
    NARROWS_CHECK(
        runTool({"tc", "-n", space(end), "qdisc", "replace", "dev", "cable", "root", "tbf", "rate",
                 text, "burst", std::to_string(std::llround(burst(rate).value())), "limit",
                 std::to_string(kQueue)},
                work_));
  }
  return {};
}

Bytes ShapedNetwork::burst(BitsPerSecond rate) {
  return kFrame + Bytes(rate.value() * kLate.value() / 8);
}

Seconds ShapedNetwork::credit(const LinkModel& link, Bytes message) {
  return std::min(burst(link.up), bytesOnLink(link, message)) / link.up;
}

std::unique_ptr<ShapedNetwork> networkUnless(bool simulate, const std::filesystem::path& work) {
  if (simulate) return nullptr;
  auto network = ShapedNetwork::create(work);
  if (network.ok()) return std::make_unique<ShapedNetwork>(std::move(*network));
  fmt::print(stderr, "narrows measure: links are simulated in the process: {}\n",
             network.error().message);
  return nullptr;
}

std::string_view linkInWords(bool simulated) {
  return simulated ? "the link is emulated by waiting"
                   : "a token bucket between two network namespaces";
}

std::string ShapedNetwork::serverHost() {
  return std::string(kServerAddress);
}

std::vector<std::string> ShapedNetwork::onNode(std::vector<std::string> command) const {
  return within(space("n"), std::move(command));
}

std::vector<std::string> ShapedNetwork::onServer(std::vector<std::string> command) const {
  return within(space("s"), std::move(command));
}

}  // namespace narrows
