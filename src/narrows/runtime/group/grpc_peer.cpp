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

/// Calls that exist. A call's context holds the channel; whoever lets go of the last one ends
/// gRPC's thread for answers and waits for it, which that thread itself must never do.
class CallCount {
 public:
  /// Counts while it lives.
  class Entry {
   public:
    explicit Entry(CallCount& count) : count_(count) {
      const std::lock_guard lock(count_.mutex_);
      ++count_.calls_;
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() {
      // Told under the lock: the count may be destroyed as soon as it is released.
      const std::lock_guard lock(count_.mutex_);
      --count_.calls_;
      count_.changed_.notify_all();
    }

   private:
    CallCount& count_;
  };

  void waitForNone() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return calls_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t calls_ = 0;
};

/// A call on its way; lives until its end has been told and gRPC has let go of it.
struct OpenCall {
  explicit OpenCall(CallCount& count) : counted(count) {}

  CallCount::Entry counted;  // first, so that it ends after the context
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
    count_.waitForNone();
  }

  void call(WorkerCall call, ByteVector body, Seconds timeout, CallDone done) override {
    auto open = std::make_shared<OpenCall>(count_);
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
    const std::lock_guard lock(mutex_);
    open_.erase(open);
  }

  const std::string token_;
  std::unique_ptr<grpc::GenericStub> stub_;
  CallCount count_;
  std::mutex mutex_;
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
