#include "narrows/cli/run_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/program_launch.h"
#include "narrows/cli/record_writer.h"
#include "narrows/cli/sequence_options.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/cli/worker_list.h"
#include "narrows/runtime/group/coordinator.h"
#include "narrows/runtime/group/group_runner.h"
#include "narrows/runtime/group/grpc_peer.h"
#ifdef NARROWS_WORKBENCH
#include "narrows/cli/group_replanner.h"
#endif

namespace narrows {
namespace {

struct RunCommand {
  std::string bundle;
  std::string workers;
  std::string input;
  double heartbeat_ms = 250;
  double lost_ms = 1000;
  double deadline_s = 30;
  double wait_s = 10;
  std::size_t message_mb = 128;
  CoordinatorOptions coordinator;
  SourceOptions source;
  std::string authority;
  std::string certificate;
  std::string key;
  std::string token_file;
  bool plain_text = false;
#ifdef NARROWS_WORKBENCH
  ReplanOptions replan;
#endif
  std::string out;
  std::string draw;
  bool json = false;
};

void addConnection(CLI::App& app, RunCommand& command) {
  app.add_option("--heartbeat", command.heartbeat_ms, "Ask each worker so often, ms")
      ->check(CLI::Range(10.0, 60000.0))
      ->capture_default_str();
  app.add_option("--lost-after", command.lost_ms, "A worker that is silent so long is lost, ms")
      ->check(CLI::Range(50.0, 600000.0))
      ->capture_default_str();
  app.add_option("--deadline", command.deadline_s,
                 "Longest wait for an answer, time to plan anew left out, s")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  app.add_option("--wait", command.wait_s, "Wait so long for all workers at the start, s")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  app.add_option("--message-mb", command.message_mb, "Longest answer that is taken, megabytes")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--ca", command.authority, "TLS: workers' certificates are below this one (PEM)");
  app.add_option("--cert", command.certificate, "Certificate to show to workers (PEM)");
  app.add_option("--key", command.key, "Its private key (PEM)");
  app.add_option("--token-file", command.token_file, "Show the first bearer token of this file");
  app.add_flag("--plaintext", command.plain_text, "Without TLS beyond this machine too");
}

void addOptions(CLI::App& app, RunCommand& command) {
  app.add_option("PLAN", command.bundle, "The bundle that narrows plan --out wrote")->required();
  app.add_option("--workers", command.workers,
                 "DEVICE=HOST:PORT for each device of the plan, with commas between, or a file "
                 "with one a line")
      ->required();
  app.add_option("--input", command.input,
                 "Directory of pictures, a picture, a video, or a camera /dev/videoN")
      ->required();
  app.add_option("--max-frames", command.source.max_frames, "End after so many pictures (0: all)");
  app.add_option("--in-flight", command.coordinator.in_flight, "Pictures on their way at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
#ifdef NARROWS_WORKBENCH
  addReplanOptions(app, command.replan);
#endif
  addConnection(app, command);
  app.add_option("--out", command.out, "Write the records to this file as JSON lines");
  app.add_option("--draw", command.draw, "Write the pictures with their detections here");
  app.add_flag("--json", command.json, "Print the records as JSON lines (also when piped)");
}

Result<std::unique_ptr<GrpcPeerConnector>> makeConnector(const RunCommand& command) {
  GrpcPeerOptions options;
  options.tls = {command.certificate, command.key, command.authority};
  options.plain_text = command.plain_text;
  options.max_message = command.message_mb * 1'000'000;
  if (!command.token_file.empty()) {
    NARROWS_TRY(token, readToken(command.token_file));
    options.token = token;
  }
  return std::make_unique<GrpcPeerConnector>(options);
}

void printEvent(const GroupEvent& event) {
  fmt::print(stderr, "narrows run: {}{}{}: {}\n", toString(event.kind),
             event.device.empty() ? "" : " ", event.device, event.message);
}

void printSummary(const GroupSummary& summary) {
  const double seconds = summary.elapsed.value();
  fmt::print(stderr, "{} frames in {:.2f} s ({:.2f} frames/s, measured), {} failed\n",
             summary.frames, seconds,
             seconds > 0 ? static_cast<double>(summary.frames) / seconds : 0, summary.failed);
}

Result<GroupSummary> runFrames(RunCommand& command) {
  const StopSignal stop;
  CoordinatorOptions& options = command.coordinator;
  options.heartbeat = milliseconds(command.heartbeat_ms);
  options.lost_after = milliseconds(command.lost_ms);
  options.deadline = Seconds(command.deadline_s);
  options.wait = Seconds(command.wait_s);
  NARROWS_TRY(members, readWorkerList(command.workers));
  NARROWS_TRY(source, openSource(command.input, command.source));
  NARROWS_TRY(deployment, Deployment::open(command.bundle));
  const ModelDescription description = deployment.bundle().description;
  options.outputs = description.head.kind == HeadKind::none;
#ifdef NARROWS_WORKBENCH
  NARROWS_TRY(replanner, makeReplanner(command.replan, description));
  options.replanner = replanner;
#endif
  NARROWS_TRY(connector, makeConnector(command));
  NARROWS_TRY(coordinator, Coordinator::start(std::move(deployment), members, std::move(connector),
                                              options, printEvent));
  RecordOutput output;
  output.json = command.json || ::isatty(STDOUT_FILENO) == 0;
  output.file = command.out;
  output.drawings = command.draw;
  output.labels = description.labels;
  NARROWS_TRY(writer, RecordWriter::create(std::move(output)));
  NARROWS_TRY(summary, runGroup(
                           *coordinator, *source, options.in_flight,
                           [&](const FrameRecord& record, const GroupAnswer*, Picture& picture) {
                             return writer.write(record, picture);
                           },
                           stop.raised()));
  NARROWS_CHECK(writer.finish());
  return summary;
}

/// Whether a plan of several devices is to run; without workers a bundle is for one device.
bool namesWorkers(std::span<const std::string> arguments) {
  return arguments.empty() ||
         std::any_of(arguments.begin(), arguments.end(), [](const std::string& argument) {
           return argument == "--workers" || argument.starts_with("--workers=") ||
                  argument == "--help" || argument == "-h";
         });
}

}  // namespace

int runGroupCommand(std::span<const std::string> arguments) {
  if (!namesWorkers(arguments)) {
    SequenceCommand sequence;
    if (const auto outcome = parseSequence(arguments, sequence);
        outcome != Arguments::Outcome::run) {
      return Arguments::exitCode(outcome);
    }
    return becomeProgram("run", "narrows-sequence", arguments,
                         "scripts/build makes it; a plan of several devices wants --workers");
  }
  Arguments parser(
      "run",
      "Lead a group of workers through a plan: hand out the pieces, bring in "
      "pictures, take the answers; plan anew when a worker is lost or returns. Without "
      "--workers: run a plan of one device that narrows plan --memory made, a piece at "
      "a time (narrows-sequence --help).",
      "narrows run group.narrows --workers workers.txt --input pictures --draw drawn\n"
      "  narrows run group.narrows --workers "
      "camera=127.0.0.1:9001,board1=127.0.0.1:9002 \\\n      --input picture.jpg\n"
      "  narrows run small.narrows --input picture.jpg");
  RunCommand command;
  addOptions(parser.app(), command);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run) {
    return Arguments::exitCode(outcome);
  }
  const auto summary = runFrames(command);
  if (!summary.ok()) return reportFailure("run", summary.error());
  printSummary(*summary);
  return summary->failed == 0 ? kExitOk : kExitFailure;
}

}  // namespace narrows
