#include "narrows/cli/two_processes.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "narrows/base/file.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/child_process.h"
#include "narrows/pipeline/local_pipeline.h"
#include "narrows/runtime/frame_record.h"
#include "narrows/runtime/frame_source.h"

namespace narrows {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds kStartTime{30};
constexpr std::chrono::milliseconds kPoll{50};

/// Everything of a record that a picture decides.
Json answerOf(const Json& record) {
  Json answer;
  for (const char* key : {"classes", "detections", "outputs", "error"}) {
    if (record.contains(key)) answer[key] = record[key];
  }
  return answer;
}

/// The answers of the bundle in this process, by picture.
Result<std::map<std::string, Json>> localAnswers(const std::filesystem::path& bundle_path,
                                                 const std::filesystem::path& pictures) {
  NARROWS_TRY(read, readBundle(bundle_path));
  const auto bundle = std::make_shared<const Bundle>(std::move(read));
  NARROWS_TRY(pipeline, LocalPipeline::create(bundle, {}));
  NARROWS_TRY(source, openSource(pictures));
  std::map<std::string, Json> answers;
  for (;;) {
    NARROWS_TRY(frame, source->next());
    if (!frame) return answers;
    if (!frame->picture.ok()) return frame->picture.takeError().within(frame->name);
    NARROWS_CHECK(pipeline.run(*frame->picture));
    FrameRecord record;
    record.prediction = pipeline.prediction();
    if (bundle->description.head.kind == HeadKind::none) {
      for (std::size_t i = 0; i < pipeline.outputs().size(); ++i) {
        record.outputs.push_back(summarize(bundle->plan.outputs[i].name, pipeline.outputs()[i]));
      }
    }
    answers[frame->name] = answerOf(Json::parse(toJson(record, bundle->description.labels)));
  }
}

Result<TwoProcessReport> compare(const std::filesystem::path& records,
                                 std::map<std::string, Json> expected) {
  TwoProcessReport report;
  report.pictures = expected.size();
  NARROWS_TRY(text, readTextFile(records));
  std::istringstream lines(text);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("input"))
      return makeError("{}: not a record: {}", records.string(), line);
    const auto found = expected.find(record["input"].get<std::string>());
    if (found == expected.end() || found->second != answerOf(record)) ++report.mismatches;
    if (found != expected.end()) expected.erase(found);
    if (record["answered"] == "server") ++report.by_server;
    if (record.contains("detections")) report.detections += record["detections"].size();
    report.mean_frame_bytes += record["frame_bytes"].get<double>();
    report.mean_wire_bytes += record["wire_bytes"].get<double>();
    report.mean_node_ms += record["node_ms"].get<double>() + record["encode_ms"].get<double>();
    report.mean_link_ms += record["link_ms"].get<double>();
    report.mean_server_ms += record["server_ms"].get<double>();
    report.mean_total_ms += record["total_ms"].get<double>();
  }
  report.mismatches += expected.size();
  const double divisor = static_cast<double>(std::max<std::size_t>(1, count));
  for (double* mean : {&report.mean_frame_bytes, &report.mean_wire_bytes, &report.mean_node_ms,
                       &report.mean_link_ms, &report.mean_server_ms, &report.mean_total_ms}) {
    *mean /= divisor;
  }
  return report;
}

}  // namespace

Result<std::string> serverAddress(ChildProcess& server, const std::filesystem::path& output) {
  const auto deadline = std::chrono::steady_clock::now() + kStartTime;
  while (std::chrono::steady_clock::now() < deadline) {
    NARROWS_TRY(text, readTextFile(output));
    if (const std::size_t end = text.find('\n'); end != std::string::npos) {
      const Json line = Json::parse(text.substr(0, end), nullptr, false);
      if (line.is_object() && line.contains("host") && line.contains("port")) {
        return fmt::format("{}:{}", line["host"].get<std::string>(), line["port"].get<int>());
      }
      return makeError("the server printed \"{}\", expected its address", text.substr(0, end));
    }
    if (!server.running()) return makeError("the server ended before it listened");
    std::this_thread::sleep_for(kPoll);
  }
  return makeError("the server did not listen within {} s", kStartTime.count());
}

Result<TwoProcessReport> compareWithOneProcess(const std::filesystem::path& bundle,
                                               const std::filesystem::path& pictures,
                                               const std::filesystem::path& records) {
  NARROWS_TRY(expected, localAnswers(bundle, pictures));
  return compare(records, std::move(expected));
}

Result<TwoProcessReport> runTwoProcesses(const std::filesystem::path& bundle,
                                         const std::filesystem::path& pictures,
                                         const std::string& link,
                                         const std::filesystem::path& work) {
  NARROWS_TRY(expected, localAnswers(bundle, pictures));
  NARROWS_TRY(program, ownProgram());
  const auto server_output = work / "serve.jsonl";
  const auto records = work / "node.jsonl";
  NARROWS_TRY(server, ChildProcess::start(
                          program, {"serve", bundle.string(), "--listen", "127.0.0.1:0", "--json"},
                          server_output.string()));
  NARROWS_TRY(address, serverAddress(server, server_output));
  NARROWS_TRY(node, ChildProcess::start(program,
                                        {"node", bundle.string(), "--server", address, "--input",
                                         pictures.string(), "--link", link, "--json"},
                                        records.string()));
  NARROWS_TRY(code, node.wait());
  if (code != 0) return makeError("narrows node ended with exit code {}", code);
  return compare(records, std::move(expected));
}

}  // namespace narrows
