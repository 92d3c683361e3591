#include "narrows/cli/real_run.h"

#include <algorithm>
#include <cmath>
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

Result<std::vector<RealLatency>> readRecords(const std::filesystem::path& path) {
  NARROWS_TRY(text, readTextFile(path));
  std::istringstream lines(text);
  std::vector<RealLatency> pictures;
  for (std::string line; std::getline(lines, line);) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("total_ms"))
      return makeError("{}: not a record: {}", path.string(), line);
    if (record["answered"] != "server" || record["attempts"] != 1)
      return makeError("{}: the server did not answer at once: {}", path.string(), line);
    const auto time = [&](const char* key) { return milliseconds(record[key].get<double>()); };
    const auto bytes = [&](const char* key) { return Bytes(record[key].get<double>()); };
    pictures.push_back({time("total_ms"), time("prepare_ms"), time("node_ms"), time("encode_ms"),
                        time("server_ms"), bytes("frame_bytes"), bytes("wire_bytes"),
                        bytes("reply_bytes")});
  }
  if (pictures.empty()) return makeError("{}: no records", path.string());
  return pictures;
}

}  // namespace

RealLatency medianOf(std::vector<RealLatency> pictures) {
  const auto middle = pictures.begin() + static_cast<std::ptrdiff_t>(pictures.size() / 2);
  std::nth_element(pictures.begin(), middle, pictures.end(),
                   [](const RealLatency& a, const RealLatency& b) { return a.total < b.total; });
  return *middle;
}

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

Result<std::vector<RealLatency>> RealRun::run(const std::filesystem::path& pictures,
                                              const std::string& rate) {
  NARROWS_TRY(program, ownProgram());
  std::vector<std::string> words{
      program,   "node", bundle_.string(), "--server", address_,     "--input", pictures.string(),
      "--depth", "1",    "--threads",      "1",        "--deadline", "60000",   "--json"};
  if (network_ != nullptr) {
    words.emplace_back("--plaintext");
    words = network_->onNode(std::move(words));
  } else if (!rate.empty()) {
    words.insert(words.end(), {"--link", rate});
  }
  NARROWS_TRY(node,
              ChildProcess::start(words[0], {words.begin() + 1, words.end()}, records().string()));
  NARROWS_TRY(code, node.wait());
  if (code != 0) return makeError("narrows node ended with exit code {}", code);
  NARROWS_TRY(measured, readRecords(records()));
  if (network_ != nullptr || rate.empty()) return measured;
  NARROWS_TRY(link, parseLink(rate));
  for (RealLatency& picture : measured) {
    picture.request = Bytes(messageOf(picture.request.value(), link));
    picture.reply = Bytes(messageOf(picture.reply.value(), link));
  }
  return measured;
}

}  // namespace narrows
