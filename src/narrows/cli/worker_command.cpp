#include "narrows/cli/worker_command.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "narrows/base/thread_pool.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/runtime/group/grpc_peer.h"
#include "narrows/runtime/group/worker_server.h"

namespace narrows {
namespace {

struct WorkerCommand {
  WorkerOptions worker;
  WorkerServerOptions server;
  std::string store;
  std::size_t store_mb = 4096;
  std::size_t message_mb = 128;
  double lease_s = 3;
  std::string certificate;
  std::string key;
  std::string authority;
  std::string token_file;
  bool json = false;
};

void addOptions(CLI::App& app, WorkerCommand& command) {
  command.worker.pipeline.threads = hardwareThreads();
  app.add_option("--listen", command.server.address, "HOST:PORT; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--store", command.store,
                 "Keep pieces in this folder, so that a restart needs them no second time; by "
                 "default they go with the worker");
  app.add_option("--store-mb", command.store_mb, "It holds so many megabytes at most")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--message-mb", command.message_mb, "Longest message that is taken, megabytes")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--lease", command.lease_s,
                 "A coordinator that is silent for so long may be replaced by another, s")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  addEngineOption(app, command.worker.pipeline.engine, "Engine; by default the fastest");
  app.add_option("--threads", command.worker.pipeline.threads, "Threads for one piece")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--cert", command.certificate,
                 "Certificate chain (PEM), shown to callers and to other workers: turns TLS on");
  app.add_option("--key", command.key, "Its private key (PEM)");
  app.add_option("--ca", command.authority,
                 "Callers and other workers must show a certificate below this one (PEM)");
  app.add_option("--token-file", command.token_file,
                 "Callers must show a bearer token of this file, one token a line; the first one "
                 "is shown to other workers");
  app.add_flag("--plaintext", command.server.plain_text, "Without TLS beyond this machine too");
  app.add_flag("--json", command.json, "Print JSON lines");
}

Result<std::unique_ptr<GrpcPeerConnector>> makeConnector(WorkerCommand& command) {
  GrpcPeerOptions options;
  options.tls = {command.certificate, command.key, command.authority};
  options.plain_text = command.server.plain_text;
  options.max_message = command.worker.max_message;
  if (!command.token_file.empty()) {
    NARROWS_TRY(token, readToken(command.token_file));
    options.token = token;
    NARROWS_TRY(tokens, TokenList::read(command.token_file));
    command.server.tokens = std::move(tokens);
  }
  return std::make_unique<GrpcPeerConnector>(options);
}

void reportStart(const WorkerCommand& command, const WorkerServer& server) {
  const std::string& address = command.server.address;
  const std::string host = address.substr(0, address.rfind(':'));
  if (command.json) {
    fmt::print("{{\"event\":\"listening\",\"host\":\"{}\",\"port\":{}}}\n", host, server.port());
  } else {
    fmt::print("worker on {}:{} ({})\n", host, server.port(),
               command.certificate.empty() ? "plain text" : "TLS");
  }
  // Whoever starts a worker waits for this line.
  std::fflush(stdout);
}

Status work(WorkerCommand& command) {
  const StopSignal stop;
  command.worker.store = command.store;
  command.worker.store_limit = std::uint64_t{command.store_mb} * 1'000'000;
  command.worker.max_message = command.message_mb * 1'000'000;
  command.worker.lease = Seconds(command.lease_s);
  command.server.tls = {command.certificate, command.key, command.authority};
  NARROWS_TRY(connector, makeConnector(command));
  NARROWS_TRY(worker, Worker::create(command.worker, std::move(connector)));
  NARROWS_TRY(server, WorkerServer::start(*worker, command.server));
  reportStart(command, *server);
  stop.wait();
  return {};
}

}  // namespace

int runWorkerCommand(std::span<const std::string> arguments) {
  Arguments parser("worker",
                   "A device of a group: takes its share of a plan from narrows run, computes it, "
                   "and passes regions straight to the other workers. SIGTERM stops it.",
                   "narrows worker --listen 0.0.0.0:9001 --cert board1.pem --key board1.key --ca "
                   "group.pem\n  narrows worker --listen 127.0.0.1:9002 --threads 1 --store "
                   "/var/lib/narrows");
  WorkerCommand command;
  addOptions(parser.app(), command);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run) {
    return Arguments::exitCode(outcome);
  }
  if (const Status status = work(command); !status.ok()) {
    return reportFailure("worker", status.error());
  }
  return kExitOk;
}

}  // namespace narrows
