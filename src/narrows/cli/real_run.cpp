#include "narrows/cli/real_run.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "narrows/base/file.h"
#include "narrows/cli/two_processes.h"
#include "narrows/runtime/link.h"

namespace narrows {
namespace {

using Json = nlohmann::json;

/// The message in a modelled size on the link, which is 40 bytes more for each packet of 1,460.
double messageOf(double on_link, const LinkProfile& link) {
  const auto packet = static_cast<double>(link.payload + link.overhead);
  return on_link - std::ceil(on_link / packet) * static_cast<double>(link.overhead);
}

Result<RealLatency> readRecords(const std::filesystem::path& path) {
  NARROWS_TRY(text, readTextFile(path));
  std::istringstream lines(text);
  RealLatency least;
  least.total = Seconds(std::numeric_limits<double>::infinity());
  for (std::string line; std::getline(lines, line);) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("total_ms"))
      return makeError("{}: not a record: {}", path.string(), line);
    if (record["answered"] != "server" || record["attempts"] != 1)
      return makeError("{}: the server did not answer at once: {}", path.string(), line);
    ++least.pictures;
    const Seconds total = milliseconds(record["total_ms"].get<double>());
    if (total >= least.total) continue;
    least.total = total;
    least.node = milliseconds(record["node_ms"].get<double>());
    least.encode = milliseconds(record["encode_ms"].get<double>());
    least.server = milliseconds(record["server_ms"].get<double>());
    least.request = Bytes(record["wire_bytes"].get<double>());
    least.reply = Bytes(record["reply_bytes"].get<double>());
  }
  if (least.pictures == 0) return makeError("{}: no records", path.string());
  return least;
}

}  // namespace

Result<RealRun> RealRun::start(const std::filesystem::path& bundle, const ShapedNetwork* network,
                               const std::filesystem::path& work) {
  NARROWS_TRY(program, ownProgram());
  const std::string host = network != nullptr ? ShapedNetwork::serverHost() : "127.0.0.1";
  std::vector<std::string> words{program,     "serve", bundle.string(), "--listen", host + ":0",
                                 "--threads", "1",     "--json"};
  if (network != nullptr) {
    words.emplace_back("--plaintext");
    words = network->onServer(std::move(words));
  }
  const std::filesystem::path output = work / "serve.jsonl";
  NARROWS_TRY(server,
              ChildProcess::start(words[0], {words.begin() + 1, words.end()}, output.string()));
  NARROWS_TRY(address, serverAddress(server, output));
  return RealRun(std::move(server), std::move(address), bundle, network, work);
}

Result<RealLatency> RealRun::run(const std::filesystem::path& pictures, const std::string& rate) {
  NARROWS_TRY(program, ownProgram());
  std::vector<std::string> words{
      program,   "node", bundle_.string(), "--server", address_,     "--input", pictures.string(),
      "--depth", "1",    "--threads",      "1",        "--deadline", "60000",   "--json"};
  if (network_ != nullptr) {
    words.emplace_back("--plaintext");
    words = network_->onNode(std::move(words));
  } else {
    words.insert(words.end(), {"--link", rate});
  }
  const std::filesystem::path records = work_ / "node.jsonl";
  NARROWS_TRY(node,
              ChildProcess::start(words[0], {words.begin() + 1, words.end()}, records.string()));
  NARROWS_TRY(code, node.wait());
  if (code != 0) return makeError("narrows node ended with exit code {}", code);
  NARROWS_TRY(latency, readRecords(records));
  if (network_ == nullptr) {
    NARROWS_TRY(link, parseLink(rate));
    latency.request = Bytes(messageOf(latency.request.value(), link));
    latency.reply = Bytes(messageOf(latency.reply.value(), link));
  }
  return latency;
}

}  // namespace narrows
