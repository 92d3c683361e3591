#include "narrows/cli/serve.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "narrows/base/thread_pool.h"
#include "narrows/bundle/bundle.h"
#include "narrows/cli/arguments.h"
#include "narrows/cli/command.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/stop_signal.h"
#include "narrows/runtime/server.h"

namespace narrows {
namespace {

struct ServeOptions {
  std::string bundle;
  ServerOptions server;
  std::string certificate;
  std::string key;
  std::string client_authority;
  std::string token_file;
  bool json = false;
};

void addOptions(CLI::App& app, ServeOptions& options) {
  ServiceOptions& service = options.server.service;
  service.pipeline.threads = hardwareThreads();
  app.add_option("BUNDLE", options.bundle, "What narrows split wrote")->required();
  app.add_option("--listen", options.server.address, "HOST:PORT; port 0 takes a free one")
      ->capture_default_str();
  app.add_option("--device", service.device,
                 "Device of the plan to stand for; by default the one besides the node");
  addEngineOption(app, service.pipeline.engine, "Engine; by default the fastest");
  app.add_option("--threads", service.pipeline.threads, "Threads for one picture")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--workers", service.workers, "Pictures computed at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--queue", service.max_in_flight,
                 "Requests waiting or being computed; one more is refused")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--cert", options.certificate, "Certificate chain (PEM): turns TLS on");
  app.add_option("--key", options.key, "Its private key (PEM)");
  app.add_option("--client-ca", options.client_authority,
                 "Nodes must show a certificate below this one (PEM)");
  app.add_option("--token-file", options.token_file,
                 "Nodes must show a bearer token of this file, one token a line");
  app.add_flag("--plaintext", options.server.plain_text, "Without TLS beyond this machine too");
  app.add_flag("--json", options.json, "Print JSON lines");
}

Result<std::unique_ptr<Server>> startServer(ServeOptions& options) {
  options.server.tls = {options.certificate, options.key, options.client_authority};
  if (!options.token_file.empty()) {
    NARROWS_TRY(tokens, TokenList::read(options.token_file));
    options.server.tokens = std::move(tokens);
  }
  NARROWS_TRY(bundle, readBundle(options.bundle));
  return Server::start(std::make_shared<const Bundle>(std::move(bundle)), options.server);
}

void reportStart(const ServeOptions& options, const Server& server) {
  const std::string& address = options.server.address;
  const std::string host = address.substr(0, address.rfind(':'));
  if (options.json) {
    fmt::print("{{\"event\":\"serving\",\"host\":\"{}\",\"port\":{}}}\n", host, server.port());
  } else {
    fmt::print("serving {} on {}:{} ({})\n", options.bundle, host, server.port(),
               options.certificate.empty() ? "plain text" : "TLS");
  }
  // Whoever starts a server waits for this line.
  std::fflush(stdout);
}

void reportEnd(const ServeOptions& options, const ServiceCounters& counters) {
  const char* const form =
      options.json ? "{{\"event\":\"stopped\",\"answered\":{},\"repeated\":{},\"refused\":{},"
                     "\"expired\":{},\"failed\":{}}}\n"
                   : "stopped: {} requests answered, {} of them again; {} refused, {} expired, {} "
                     "failed\n";
  const std::uint64_t answered =
      options.json ? counters.answered : counters.answered + counters.repeated;
  fmt::print(fmt::runtime(form), answered, counters.repeated, counters.refused_full,
             counters.expired, counters.failed);
}

Status serve(ServeOptions& options) {
  const StopSignal stop;
  NARROWS_TRY(server, startServer(options));
  reportStart(options, *server);
  stop.wait();
  server->stop();
  reportEnd(options, server->counters());
  return {};
}

}  // namespace

int runServe(std::span<const std::string> arguments) {
  Arguments parser("serve",
                   "Run the server's share of a bundle for any number of nodes, by the Open "
                   "Inference Protocol over gRPC. SIGTERM finishes what was begun and stops.",
                   "narrows serve yolo.narrows --listen 0.0.0.0:8001 --cert server.pem --key "
                   "server.key");
  ServeOptions options;
  addOptions(parser.app(), options);
  if (const auto outcome = parser.parse(arguments); outcome != Arguments::Outcome::run) {
    return Arguments::exitCode(outcome);
  }
  if (const Status status = serve(options); !status.ok()) {
    return reportFailure("serve", status.error());
  }
  return kExitOk;
}

}  // namespace narrows
