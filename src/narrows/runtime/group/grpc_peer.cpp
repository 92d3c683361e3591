#include "narrows/runtime/group/grpc_peer.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <set>

#include "narrows/runtime/group/grpc_group.h"
#include "narrows/runtime/grpc_bytes.h"
#include "narrows/runtime/grpc_security.h"

namespace narrows {
namespace {

/// A call on its way; lives until its end has been told.
struct OpenCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request;
  grpc::ByteBuffer response;
  CallDone done;
};

class GrpcPeer : public Peer {
 public:
  GrpcPeer(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& security,
           const GrpcPeerOptions& options)
      : token_(options.token) {
    grpc::ChannelArguments arguments;
    setGroupArguments(arguments);
    arguments.SetMaxReceiveMessageSize(static_cast<int>(options.max_message));
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = std::make_unique<grpc::GenericStub>(
        grpc::CreateCustomChannel(address, security, arguments));
  }

  ~GrpcPeer() override {
    GrpcPeer::cancelAll();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [&] { return open_.empty(); });
  }

  void call(WorkerCall call, ByteVector body, Seconds timeout, CallDone done) override {
    auto open = std::make_shared<OpenCall>();
    open->context.set_deadline(std::chrono::system_clock::now() +
                               std::chrono::microseconds(std::llround(timeout.value() * 1e6)));
    if (!token_.empty()) open->context.AddMetadata("authorization", "Bearer " + token_);
    open->request = takeBytes(std::move(body));
    open->done = std::move(done);
    {
      const std::lock_guard lock(mutex_);
      open_.insert(open);
    }
    stub_->UnaryCall(&open->context, "/narrows.group.Worker/" + std::string(methodOf(call)),
                     grpc::StubOptions(), &open->request, &open->response,
                     [this, open](const grpc::Status& status) { finished(open, status); });
  }

  void cancelAll() override {
    std::set<std::shared_ptr<OpenCall>> open;
    {
      const std::lock_guard lock(mutex_);
      open = open_;
    }
    for (const auto& call : open) call->context.TryCancel();
  }

 private:
  void finished(const std::shared_ptr<OpenCall>& open, const grpc::Status& status) {
    CallStatus result = fromGrpc(status);
    ByteVector answer;
    if (result.ok() && !toBytes(open->response, answer)) {
      result = {CallCode::internal, "the answer cannot be read"};
    }
    open->done(std::move(result), std::move(answer));
    open->done = nullptr;
    // Told under the lock: the destructor may run as soon as it is released.
    const std::lock_guard lock(mutex_);
    open_.erase(open);
    ended_.notify_all();
  }

  const std::string token_;
  std::unique_ptr<grpc::GenericStub> stub_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::set<std::shared_ptr<OpenCall>> open_;
};

}  // namespace

GrpcPeerConnector::GrpcPeerConnector(const GrpcPeerOptions& options) : options_(options) {
  silenceGrpc();
}

Result<std::unique_ptr<Peer>> GrpcPeerConnector::connect(const std::string& address) {
  NARROWS_CHECK(checkAddress(address));
  NARROWS_TRY(security, clientCredentials(address, options_.tls, options_.plain_text));
  return std::unique_ptr<Peer>(std::make_unique<GrpcPeer>(address, security, options_));
}

}  // namespace narrows
