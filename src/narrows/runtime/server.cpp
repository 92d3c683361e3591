#include "narrows/runtime/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "inference.grpc.pb.h"
#include "narrows/runtime/grpc_bytes.h"
#include "narrows/runtime/grpc_security.h"
#include "narrows/runtime/wire.h"

namespace narrows {
namespace {

using Base = inference::GRPCInferenceService;
using HealthAndMetadata = Base::WithCallbackMethod_ServerLive<Base::WithCallbackMethod_ServerReady<
    Base::WithCallbackMethod_ModelReady<Base::WithCallbackMethod_ServerMetadata<
        Base::WithCallbackMethod_ModelMetadata<Base::Service>>>>>;
using Protocol = Base::WithRawCallbackMethod_ModelInfer<
    Base::WithRawCallbackMethod_ModelStreamInfer<HealthAndMetadata>>;

grpc::Status toGrpc(const CallStatus& status) {
  return {static_cast<grpc::StatusCode>(status.code), status.message};
}

template <class T>
void setTensors(const std::vector<TensorMetadata>& tensors, T& target) {
  for (const TensorMetadata& tensor : tensors) {
    auto& entry = *target.Add();
    entry.set_name(tensor.name);
    entry.set_datatype(tensor.datatype);
    for (const std::int64_t extent : tensor.shape) entry.add_shape(extent);
  }
}

/// The calls of the protocol in terms of the service.
class ProtocolService final : public Protocol {
 public:
  ProtocolService(InferenceService& service, const std::optional<TokenList>& tokens,
                  Seconds longest_wait)
      : service_(service), tokens_(tokens), longest_wait_(longest_wait) {}

  grpc::ServerUnaryReactor* ServerLive(grpc::CallbackServerContext* context,
                                       const inference::ServerLiveRequest*,
                                       inference::ServerLiveResponse* response) override {
    response->set_live(true);
    return finished(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ServerReady(grpc::CallbackServerContext* context,
                                        const inference::ServerReadyRequest*,
                                        inference::ServerReadyResponse* response) override {
    response->set_ready(service_.ready());
    return finished(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ModelReady(grpc::CallbackServerContext* context,
                                       const inference::ModelReadyRequest* request,
                                       inference::ModelReadyResponse* response) override {
    const CallStatus named = checkModel(request->name(), request->version());
    response->set_ready(named.ok() && service_.ready());
    return finished(context, toGrpc(named));
  }

  grpc::ServerUnaryReactor* ServerMetadata(grpc::CallbackServerContext* context,
                                           const inference::ServerMetadataRequest*,
                                           inference::ServerMetadataResponse* response) override {
    const CallStatus allowed = authorize(*context);
    if (!allowed.ok()) return finished(context, toGrpc(allowed));
    response->set_name("narrows");
    response->set_version(NARROWS_RUNTIME_VERSION);
    response->add_extensions("model_stream_infer");
    return finished(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ModelMetadata(grpc::CallbackServerContext* context,
                                          const inference::ModelMetadataRequest* request,
                                          inference::ModelMetadataResponse* response) override {
    CallStatus allowed = authorize(*context);
    if (allowed.ok()) allowed = checkModel(request->name(), request->version());
    if (!allowed.ok()) return finished(context, toGrpc(allowed));
    response->set_name(service_.model());
    response->add_versions("1");
    response->set_platform("narrows");
    setTensors(service_.inputs(), *response->mutable_inputs());
    setTensors(service_.outputs(), *response->mutable_outputs());
    return finished(context, grpc::Status::OK);
  }

  grpc::ServerUnaryReactor* ModelInfer(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    const CallStatus allowed = authorize(*context);
    if (!allowed.ok()) {
      reactor->Finish(toGrpc(allowed));
      return reactor;
    }
    submit(*context, *request, [reactor, response](const InferReply& reply) {
      if (reply.status.ok()) *response = toByteBuffer(writeReply(reply));
      reactor->Finish(toGrpc(reply.status));
    });
    return reactor;
  }

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ModelStreamInfer(
      grpc::CallbackServerContext* context) override;

  CallStatus authorize(const grpc::CallbackServerContext& context) const {
    if (showsToken(context, tokens_)) return {};
    return {CallCode::unauthenticated, "expected the metadata \"authorization: Bearer TOKEN\""};
  }

  /// Calls `done` once, with the answer or why there is none.
  void submit(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& message,
              InferenceService::Done done) {
    InferReply refused;
    ByteVector bytes;
    InferRequest request;
    if (!toBytes(message, bytes)) {
      refused.status = {CallCode::invalid_argument, "the message cannot be read"};
    } else {
      refused.status = readRequest(bytes, service_.requestLimits(), request);
    }
    if (!refused.status.ok()) {
      done(refused);
      return;
    }
    service_.submit(std::move(request), timeLeft(context), std::move(done));
  }

 private:
  static grpc::ServerUnaryReactor* finished(grpc::CallbackServerContext* context,
                                            const grpc::Status& status) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(status);
    return reactor;
  }

  CallStatus checkModel(const std::string& name, const std::string& version) const {
    if (name == service_.model() && (version.empty() || version == "1")) return {};
    return {CallCode::not_found, fmt::format("model \"{}\" version \"{}\" is not served here; "
                                             "\"{}\" version \"1\" is",
                                             name, version, service_.model())};
  }

  Seconds timeLeft(const grpc::CallbackServerContext& context) const {
    const std::chrono::duration<double> left =
        context.deadline() - std::chrono::system_clock::now();
    return std::min(Seconds(left.count()), longest_wait_);
  }

  InferenceService& service_;
  const std::optional<TokenList>& tokens_;
  const Seconds longest_wait_;
};

/// One stream: answers in the order of the requests, one request at a time, so that a peer cannot
/// make the server hold more than that.
class StreamReactor final : public grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  StreamReactor(ProtocolService& service, grpc::CallbackServerContext& context)
      : service_(service), context_(context) {
    const CallStatus allowed = service_.authorize(context_);
    if (allowed.ok()) {
      StartRead(&request_);
    } else {
      Finish(toGrpc(allowed));
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    service_.submit(context_, request_, [this](const InferReply& reply) {
      response_ = toByteBuffer(writeStreamReply(reply));
      StartWrite(&response_);
    });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::CANCELLED);
      return;
    }
    StartRead(&request_);
  }

  void OnDone() override { delete this; }

 private:
  ProtocolService& service_;
  grpc::CallbackServerContext& context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer response_;
};

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* ProtocolService::ModelStreamInfer(
    grpc::CallbackServerContext* context) {
  // gRPC ends the reactor's life by OnDone.
  return new StreamReactor(*this, *context);
}

}  // namespace

class Server::Impl {
 public:
  explicit Impl(const ServerOptions& options) : options_(options) {}

  Status start(const std::shared_ptr<const Bundle>& bundle) {
    silenceGrpc();
    NARROWS_CHECK(checkAddress(options_.address));
    NARROWS_TRY(security, serverCredentials(options_.address, options_.tls, options_.plain_text));
    NARROWS_TRY(service, InferenceService::create(bundle, options_.service, clock_));
    service_ = std::move(service);
    protocol_.emplace(*service_, options_.tokens, options_.longest_wait);

    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options_.address, security, &port);
    builder.RegisterService(&*protocol_);
    const auto limit = static_cast<int>(service_->requestLimits().message_bytes);
    builder.SetMaxReceiveMessageSize(limit);
    // A second server on the port is an error, not a silent share of its calls.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    // Peers that connect and say nothing, or vanish, are let go.
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 128);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return makeError(
          "cannot listen on {}: taken, not an address of this machine, or the "
          "certificate and key do not fit",
          options_.address);
    }
    port_ = static_cast<std::uint16_t>(port);
    return {};
  }

  void stop(Seconds grace) {
    if (server_ == nullptr) return;
    // Requests begun are answered first, over connections that stay open until then; what is left
    // are streams without a request, and peers that do not take their answer.
    service_->drain();
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::milliseconds(std::llround(grace.value() * 1e3)));
    server_->Wait();
    server_.reset();
  }

  std::uint16_t port() const { return port_; }
  ServiceCounters counters() const { return service_->counters(); }

 private:
  const ServerOptions options_;
  SystemClock clock_;
  std::unique_ptr<InferenceService> service_;
  std::optional<ProtocolService> protocol_;
  std::unique_ptr<grpc::Server> server_;
  std::uint16_t port_ = 0;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() {
  stop();
}

Result<std::unique_ptr<Server>> Server::start(const std::shared_ptr<const Bundle>& bundle,
                                              const ServerOptions& options) {
  auto impl = std::make_unique<Impl>(options);
  NARROWS_CHECK(impl->start(bundle));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const {
  return impl_->port();
}
ServiceCounters Server::counters() const {
  return impl_->counters();
}
void Server::stop(Seconds grace) {
  impl_->stop(grace);
}

}  // namespace narrows
