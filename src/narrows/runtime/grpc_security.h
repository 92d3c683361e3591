#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <optional>
#include <string>

#include "narrows/base/result.h"
#include "narrows/runtime/message.h"
#include "narrows/runtime/security.h"

/// What gRPC needs of `security.h`. Only for the sources here that adapt gRPC.
namespace narrows {

/// TLS where files are given; an authority asks callers for a certificate. Plain text on this
/// machine, and beyond it when `plain_text` says so.
Result<std::shared_ptr<grpc::ServerCredentials>> serverCredentials(const std::string& address,
                                                                   const TlsFiles& tls,
                                                                   bool plain_text);
Result<std::shared_ptr<grpc::ChannelCredentials>> clientCredentials(const std::string& address,
                                                                    const TlsFiles& tls,
                                                                    bool plain_text);

/// Whether the caller shows one of the tokens; without a list any may call.
bool showsToken(const grpc::CallbackServerContext& context, const std::optional<TokenList>& tokens);

/// Codes that we do not name become `unknown`.
CallStatus fromGrpc(const grpc::Status& status);

}  // namespace narrows
