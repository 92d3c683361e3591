#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "narrows/runtime/group/worker.h"
#include "narrows/runtime/security.h"

namespace narrows {

struct WorkerServerOptions {
  /// HOST:PORT; port 0 takes a free one.
  std::string address = "127.0.0.1:9001";
  /// Certificate and key turn TLS on; with an authority, callers must show a certificate too.
  TlsFiles tls;
  /// Answer in plain text beyond this machine.
  bool plain_text = false;
  /// Callers must show one of these as "authorization: Bearer TOKEN"; without, all may call.
  std::optional<TokenList> tokens;
};

/// Takes a worker's calls over gRPC (docs/group-protocol.md).
class WorkerServer {
 public:
  /// Listens when it returns. `worker` outlives the server.
  static Result<std::unique_ptr<WorkerServer>> start(Worker& worker,
                                                     const WorkerServerOptions& options);
  /// Stops at once, the worker too.
  ~WorkerServer();
  WorkerServer(const WorkerServer&) = delete;
  WorkerServer& operator=(const WorkerServer&) = delete;

  /// The port in use.
  std::uint16_t port() const;

 private:
  class Impl;
  explicit WorkerServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
