#include "narrows/cli/node.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/record_writer.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/runtime/edge_node.h"
#include "narrows/runtime/grpc_transport.h"

namespace narrows {
namespace {

struct NodeCommand {
  std::string bundle;
  std::string input;
  std::string link;
  std::string authority;
  std::string certificate;
  std::string key;
  std::string token_file;
  double deadline_ms = 2000;
  double give_up_s = 30;
  double frames_per_second = 0;
  bool no_fallback = false;
  GrpcTransportOptions transport;
  EdgeNodeOptions node;
  SourceOptions source;
  std::string out;
  std::string draw;
  bool json = false;
};

void addConnection(CLI::App& app, NodeCommand& command) {
  app.add_option("--server", command.transport.address,
                 "HOST:PORT of narrows serve; without it all is finished here");
  app.add_option("--ca", command.authority,
                 "TLS: the server's certificate is below this one (PEM)");
  app.add_option("--cert", command.certificate, "Certificate to show to the server (PEM)");
  app.add_option("--key", command.key, "Its private key (PEM)");
  app.add_option("--server-name", command.transport.server_name,
                 "Name in the server's certificate when it is not the host");
  app.add_option("--token-file", command.token_file, "Show the first bearer token of this file");
  app.add_flag("--plaintext", command.transport.plain_text, "Without TLS beyond this machine too");
  app.add_option("--link", command.link,
                 "Emulate a link: wifi, ble5, lte-cat4, ethernet, or a rate such as 2Mbit/s");
  app.add_option("--deadline", command.deadline_ms, "Longest wait for an answer, ms")
      ->check(CLI::Range(1.0, 3.6e6))
      ->capture_default_str();
  app.add_option("--give-up", command.give_up_s,
                 "Without the server's share in the bundle: try a picture so long, s")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_flag("--no-fallback", command.no_fallback,
               "Do not finish here what the server does not answer");
}

void addOptions(CLI::App& app, NodeCommand& command) {
  command.node.pipeline.threads = hardwareThreads();
  app.add_option("BUNDLE", command.bundle, "What narrows split wrote")->required();
  app.add_option("--input", command.input,
                 "Directory of pictures, a picture, a video, or a camera /dev/videoN")
      ->required();
  addConnection(app, command);
  app.add_option("--max-frames", command.source.max_frames, "End after so many pictures (0: all)");
  app.add_option("--fps", command.frames_per_second,
                 "Take so many pictures a second at most, as from a camera (0: all at once)")
      ->check(CLI::Range(0.0, 1e4));
  app.add_option("--depth", command.node.depth, "Pictures worked on at once")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  addEngineOption(app, command.node.pipeline.engine, "Engine; by default the fastest");
  app.add_option("--threads", command.node.pipeline.threads, "Threads for one picture")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--id", command.node.id, "Name of this node; made up by default");
  app.add_option("--seed", command.node.server.seed, "For the pauses between attempts")
      ->capture_default_str();
  app.add_option("--out", command.out, "Write the records to this file as JSON lines");
  app.add_option("--draw", command.draw, "Write the pictures with their detections here");
  app.add_flag("--json", command.json, "Print the records as JSON lines (also when piped)");
}

Result<std::unique_ptr<Transport>> connect(NodeCommand& command, const Bundle& bundle) {
  if (command.transport.address.empty()) return std::unique_ptr<Transport>();
  command.transport.tls = {command.certificate, command.key, command.authority};
  command.transport.max_reply_bytes = replyLimits(bundle).message_bytes;
  if (!command.token_file.empty()) {
    NARROWS_TRY(token, readToken(command.token_file));
    command.transport.token = token;
  }
  NARROWS_TRY(transport, GrpcTransport::create(command.transport));
  return std::unique_ptr<Transport>(std::move(transport));
}

void printEvent(const NodeEvent& event) {
  fmt::print(stderr, "narrows node: {} at frame {}: {}\n", toString(event.kind), event.frame,
             event.message);
}

void printSummary(const NodeSummary& summary) {
  const double seconds = summary.elapsed.value();
  const double frames = static_cast<double>(summary.frames);
  fmt::print(stderr,
             "{} frames in {:.2f} s ({:.1f} frames/s, measured): {} by the server, {} by fallback, "
             "{} by the node alone, {} failed; {:.0f} B a frame\n",
             summary.frames, seconds, seconds > 0 ? frames / seconds : 0, summary.by_server,
             summary.by_fallback, summary.by_node, summary.failed,
             frames > 0 ? summary.frame_bytes / frames : 0);
}

Result<NodeSummary> runFrames(NodeCommand& command) {
  const StopSignal stop;
  command.node.fallback = !command.no_fallback;
  command.node.server.deadline = milliseconds(command.deadline_ms);
  if (command.frames_per_second > 0) command.node.interval = Seconds(1 / command.frames_per_second);
  command.node.server.give_up = Seconds(command.give_up_s);
  if (!command.link.empty()) {
    NARROWS_TRY(link, parseLink(command.link).within("--link"));
    command.node.server.link = link;
  }
  NARROWS_TRY(read, readBundle(command.bundle));
  const auto bundle = std::make_shared<const Bundle>(std::move(read));
  NARROWS_TRY(source, openSource(command.input, command.source));
  NARROWS_TRY(transport, connect(command, *bundle));
  SystemClock clock;
  NARROWS_TRY(node, EdgeNode::create(bundle, command.node, std::move(transport), clock));

  RecordOutput output;
  output.json = command.json || ::isatty(STDOUT_FILENO) == 0;
  output.file = command.out;
  output.drawings = command.draw;
  output.labels = bundle->description.labels;
  NARROWS_TRY(writer, RecordWriter::create(std::move(output)));
  auto summary = node->run(
      *source,
      [&](const FrameRecord& record, Picture& picture) { return writer.write(record, picture); },
      printEvent, stop.raised());
  if (!summary.ok()) return summary.takeError();
  NARROWS_CHECK(writer.finish());
  return std::move(*summary);
}

}  // namespace

int runNode(std::span<const std::string> arguments) {
  Arguments parser("node",
                   "Run the node's share of a bundle on pictures, send the frames to a server, and "
                   "finish here when it does not answer.",
                   "narrows node yolo.narrows --server 127.0.0.1:8001 --input pictures --link wifi "
                   "\\\n      --draw drawn");
  NodeCommand command;
  addOptions(parser.app(), command);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run) {
    return Arguments::exitCode(outcome);
  }
  const auto summary = runFrames(command);
  if (!summary.ok()) return reportFailure("node", summary.error());
  printSummary(*summary);
  return summary->failed == 0 ? kExitOk : kExitFailure;
}

}  // namespace narrows
