#pragma once

#include <memory>
#include <string>

#include "narrows/base/result.h"
#include "narrows/runtime/security.h"
#include "narrows/runtime/transport.h"

namespace narrows {

struct GrpcTransportOptions {
  /// HOST:PORT.
  std::string address;
  /// An authority turns TLS on and is what the server's certificate must descend from; certificate
  /// and key are shown to servers that ask for them.
  TlsFiles tls;
  /// The name in the server's certificate, when it is not the host of the address.
  std::string server_name;
  /// Plain text beyond this machine.
  bool plain_text = false;
  /// Shown with every request when not empty.
  std::string token;
  /// Longest reply that is taken, in bytes.
  std::size_t max_reply_bytes = std::size_t{16} << 20;
};

/// Calls a server over gRPC. Connects when first needed and again after a loss.
class GrpcTransport : public Transport {
 public:
  /// Does not connect. Fails on files that cannot be read, and when plain text would leave this
  /// machine without `plain_text`.
  static Result<std::unique_ptr<GrpcTransport>> create(const GrpcTransportOptions& options);
  ~GrpcTransport() override;

  CallStatus infer(ByteSpan request, Seconds timeout, ByteVector& reply) override;
  CallStatus ready(Seconds timeout) override;

 private:
  class Impl;
  explicit GrpcTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace narrows
