#include "narrows/runtime/group/worker_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_callback.h>

#include <chrono>

#include "narrows/runtime/group/grpc_group.h"
#include "narrows/runtime/grpc_bytes.h"
#include "narrows/runtime/grpc_security.h"
#include "worker.grpc.pb.h"

namespace narrows {
namespace {

using Base = group::Worker;
using RawCalls = Base::WithRawCallbackMethod_Ping<Base::WithRawCallbackMethod_Prepare<
    Base::WithRawCallbackMethod_Store<Base::WithRawCallbackMethod_Activate<
        Base::WithRawCallbackMethod_Run<Base::WithRawCallbackMethod_Regions<Base::Service>>>>>>;

class WorkerCalls final : public RawCalls {
 public:
  WorkerCalls(Worker& worker, const std::optional<TokenList>& tokens)
      : worker_(worker), tokens_(tokens) {}

  using Context = grpc::CallbackServerContext;
  using Reactor = grpc::ServerUnaryReactor;
  using Buffer = grpc::ByteBuffer;

  Reactor* Ping(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::ping, context, request, response);
  }
  Reactor* Prepare(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::prepare, context, request, response);
  }
  Reactor* Store(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::store, context, request, response);
  }
  Reactor* Activate(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::activate, context, request, response);
  }
  Reactor* Run(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::run, context, request, response);
  }
  Reactor* Regions(Context* context, const Buffer* request, Buffer* response) override {
    return take(WorkerCall::regions, context, request, response);
  }

 private:
  Reactor* take(WorkerCall call, Context* context, const Buffer* request, Buffer* response) {
    Reactor* reactor = context->DefaultReactor();
    ByteVector body;
    if (!showsToken(*context, tokens_)) {
      reactor->Finish({grpc::StatusCode::UNAUTHENTICATED,
                       "expected the metadata \"authorization: Bearer TOKEN\""});
      return reactor;
    }
    if (!toBytes(*request, body)) {
      reactor->Finish({grpc::StatusCode::INVALID_ARGUMENT, "the message cannot be read"});
      return reactor;
    }
    worker_.handle(call, std::move(body),
                   [reactor, response](const CallStatus& status, ByteVector answer) {
                     if (status.ok()) *response = takeBytes(std::move(answer));
                     reactor->Finish({static_cast<grpc::StatusCode>(status.code), status.message});
                   });
    return reactor;
  }

  Worker& worker_;
  const std::optional<TokenList>& tokens_;
};

}  // namespace

class WorkerServer::Impl {
 public:
  Impl(Worker& worker, const WorkerServerOptions& options)
      : options_(options), calls_(worker, options_.tokens), worker_(worker) {}

  Status start() {
    silenceGrpc();
    NARROWS_CHECK(checkAddress(options_.address));
    NARROWS_TRY(security, serverCredentials(options_.address, options_.tls, options_.plain_text));
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(options_.address, security, &port);
    builder.RegisterService(&calls_);
    builder.SetMaxReceiveMessageSize(static_cast<int>(worker_.options().max_message));
    builder.SetMaxSendMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kGroupWindowBytes);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 256);
    builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, 16 << 10);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return makeError(
          "cannot listen on {}: taken, not an address of this machine, or the certificate and key "
          "do not fit",
          options_.address);
    }
    port_ = static_cast<std::uint16_t>(port);
    return {};
  }

  void stop() {
    if (server_ == nullptr) return;
    // Calls end when they are answered.
    worker_.stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

  std::uint16_t port() const { return port_; }

 private:
  const WorkerServerOptions options_;
  WorkerCalls calls_;
  Worker& worker_;
  std::unique_ptr<grpc::Server> server_;
  std::uint16_t port_ = 0;
};

WorkerServer::WorkerServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WorkerServer::~WorkerServer() {
  impl_->stop();
}

Result<std::unique_ptr<WorkerServer>> WorkerServer::start(Worker& worker,
                                                          const WorkerServerOptions& options) {
  auto impl = std::make_unique<Impl>(worker, options);
  NARROWS_CHECK(impl->start());
  return std::unique_ptr<WorkerServer>(new WorkerServer(std::move(impl)));
}

std::uint16_t WorkerServer::port() const {
  return impl_->port();
}

}  // namespace narrows
