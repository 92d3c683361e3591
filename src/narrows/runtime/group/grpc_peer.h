#pragma once

#include <memory>
#include <string>

#include "narrows/runtime/group/peer.h"
#include "narrows/runtime/security.h"

namespace narrows {

struct GrpcPeerOptions {
  TlsFiles tls;
  /// Without TLS beyond this machine too.
  bool plain_text = false;
  /// Shown as "authorization: Bearer TOKEN"; empty for none.
  std::string token;
  /// Longest answer that is taken, in bytes.
  std::size_t max_message = std::size_t{128} << 20;
};

/// Workers over gRPC; a connection for each peer.
class GrpcPeerConnector : public PeerConnector {
 public:
  explicit GrpcPeerConnector(const GrpcPeerOptions& options);

  Result<std::unique_ptr<Peer>> connect(const std::string& address) override;

 private:
  GrpcPeerOptions options_;
};

}  // namespace narrows
