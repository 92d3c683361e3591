#include "narrows/runtime/grpc_security.h"

namespace narrows {

Result<std::shared_ptr<grpc::ServerCredentials>> serverCredentials(const std::string& address,
                                                                   const TlsFiles& tls,
                                                                   bool plain_text) {
  if (!tls.any()) {
    if (!plain_text && !isLoopback(address)) {
      return makeError(
          "{} is reachable from outside: give a certificate and a key, or ask for plain text",
          address);
    }
    return grpc::InsecureServerCredentials();
  }
  if (tls.certificate.empty()) {
    return makeError("an authority for clients needs the server's own certificate and key");
  }
  NARROWS_TRY(material, readTlsFiles(tls));
  grpc::SslServerCredentialsOptions options(
      material.authority.empty() ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
                                 : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = material.authority;
  options.pem_key_cert_pairs.push_back({material.key, material.certificate});
  return grpc::SslServerCredentials(options);
}

Result<std::shared_ptr<grpc::ChannelCredentials>> clientCredentials(const std::string& address,
                                                                    const TlsFiles& tls,
                                                                    bool plain_text) {
  if (!tls.any()) {
    if (!plain_text && !isLoopback(address)) {
      return makeError(
          "{} is another machine: give the authority of its certificate, or ask for plain text",
          address);
    }
    return grpc::InsecureChannelCredentials();
  }
  if (tls.authority.empty()) {
    return makeError("a client certificate needs the authority of the server's");
  }
  NARROWS_TRY(material, readTlsFiles(tls));
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = material.authority;
  options.pem_private_key = material.key;
  options.pem_cert_chain = material.certificate;
  return grpc::SslCredentials(options);
}

bool showsToken(const grpc::CallbackServerContext& context,
                const std::optional<TokenList>& tokens) {
  if (!tokens) return true;
  constexpr std::string_view kScheme = "Bearer ";
  const auto [begin, end] = context.client_metadata().equal_range("authorization");
  for (auto entry = begin; entry != end; ++entry) {
    const std::string_view value(entry->second.data(), entry->second.size());
    if (value.starts_with(kScheme) && tokens->contains(value.substr(kScheme.size()))) return true;
  }
  return false;
}

CallStatus fromGrpc(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::OK:
      return {};
    case grpc::CANCELLED:
    case grpc::INVALID_ARGUMENT:
    case grpc::DEADLINE_EXCEEDED:
    case grpc::NOT_FOUND:
    case grpc::PERMISSION_DENIED:
    case grpc::RESOURCE_EXHAUSTED:
    case grpc::FAILED_PRECONDITION:
    case grpc::ABORTED:
    case grpc::INTERNAL:
    case grpc::UNAVAILABLE:
    case grpc::DATA_LOSS:
    case grpc::UNAUTHENTICATED:
      return {static_cast<CallCode>(status.error_code()), status.error_message()};
    default:
      return {CallCode::unknown, status.error_message()};
  }
}

}  // namespace narrows
