#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "narrows/bundle/bundle.h"
#include "narrows/runtime/security.h"
#include "narrows/runtime/service.h"

namespace narrows {

struct ServerOptions {
  /// HOST:PORT; port 0 takes a free one.
  std::string address = "127.0.0.1:8001";
  ServiceOptions service;
  /// Certificate and key turn TLS on; with an authority, clients must show a certificate too.
  TlsFiles tls;
  /// Answer in plain text beyond this machine.
  bool plain_text = false;
  /// Callers must show one of these as "authorization: Bearer TOKEN"; without, all may call.
  std::optional<TokenList> tokens;
  /// For requests whose caller sets no deadline; also the longest that any may wait.
  Seconds longest_wait = Seconds(60);
};

/// Serves one device's share of a bundle by the Open Inference Protocol over gRPC
/// (docs/protocol.md). Any number of nodes at once.
class Server {
 public:
  /// Listens and serves when it returns. Fails when the address is taken, a file is not what it
  /// should be, or plain text would leave this machine without `plain_text`.
  static Result<std::unique_ptr<Server>> start(const std::shared_ptr<const Bundle>& bundle,
                                               const ServerOptions& options);
  /// Stops.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// The port in use.
  std::uint16_t port() const;
  ServiceCounters counters() const;

  /// Refuses new requests, finishes those begun, and closes all connections; those still in use
  /// `grace` later are cut.
  void stop(Seconds grace = Seconds(1));

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
