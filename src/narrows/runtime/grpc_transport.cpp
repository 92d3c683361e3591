#include "narrows/runtime/grpc_transport.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cmath>

#include "inference.grpc.pb.h"
#include "narrows/runtime/grpc_bytes.h"
#include "narrows/runtime/grpc_security.h"

namespace narrows {
namespace {

constexpr const char* kInferMethod = "/inference.GRPCInferenceService/ModelInfer";

}  // namespace

class GrpcTransport::Impl {
 public:
  Impl(const GrpcTransportOptions& options,
       const std::shared_ptr<grpc::ChannelCredentials>& security)
      : token_(options.token) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_reply_bytes));
    // A server that is back is found again within a second.
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    // By its name a pause, in fact the least time that an attempt is given, TLS handshake included;
    // an attempt that is refused ends at once.
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    // Retries are the node's business: it knows its deadline and counts them.
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    // Nodes in one process get connections of their own.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (!options.server_name.empty()) {
      arguments.SetSslTargetNameOverride(options.server_name);
    }
    const auto channel = grpc::CreateCustomChannel(options.address, security, arguments);
    generic_ = std::make_unique<grpc::GenericStub>(channel);
    stub_ = inference::GRPCInferenceService::NewStub(channel);
  }

  ~Impl() {
    queue_.Shutdown();
    void* tag = nullptr;
    bool ok = false;
    while (queue_.Next(&tag, &ok)) {
    }
  }

  CallStatus infer(ByteSpan request, Seconds timeout, ByteVector& reply) {
    grpc::ClientContext context;
    prepare(context, timeout);
    const auto call =
        generic_->PrepareUnaryCall(&context, kInferMethod, toByteBuffer(request), &queue_);
    call->StartCall();
    grpc::ByteBuffer response;
    grpc::Status status;
    call->Finish(&response, &status, this);
    void* tag = nullptr;
    bool ok = false;
    // The context's deadline ends the call in any case, so there is always something to wait for.
    if (!queue_.Next(&tag, &ok)) return {CallCode::internal, "the call was lost"};
    CallStatus result = fromGrpc(status);
    if (result.ok() && !toBytes(response, reply)) {
      result = {CallCode::internal, "the reply cannot be read"};
    }
    return result;
  }

  CallStatus ready(Seconds timeout) {
    grpc::ClientContext context;
    prepare(context, timeout);
    // A probe is worth a new attempt to connect; a call without a connection fails at once.
    context.set_wait_for_ready(true);
    inference::ServerReadyResponse response;
    CallStatus status =
        fromGrpc(stub_->ServerReady(&context, inference::ServerReadyRequest(), &response));
    if (status.ok() && !response.ready()) {
      return {CallCode::unavailable, "the server is not ready"};
    }
    return status;
  }

 private:
  void prepare(grpc::ClientContext& context, Seconds timeout) {
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::microseconds(std::llround(timeout.value() * 1e6)));
    if (!token_.empty()) context.AddMetadata("authorization", "Bearer " + token_);
  }

  const std::string token_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<grpc::GenericStub> generic_;
  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
};

GrpcTransport::GrpcTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
GrpcTransport::~GrpcTransport() = default;

Result<std::unique_ptr<GrpcTransport>> GrpcTransport::create(const GrpcTransportOptions& options) {
  silenceGrpc();
  NARROWS_CHECK(checkAddress(options.address));
  NARROWS_TRY(security, clientCredentials(options.address, options.tls, options.plain_text));
  return std::unique_ptr<GrpcTransport>(
      new GrpcTransport(std::make_unique<Impl>(options, security)));
}

CallStatus GrpcTransport::infer(ByteSpan request, Seconds timeout, ByteVector& reply) {
  return impl_->infer(request, timeout, reply);
}
CallStatus GrpcTransport::ready(Seconds timeout) {
  return impl_->ready(timeout);
}

}  // namespace narrows
