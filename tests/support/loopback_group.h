#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "narrows/runtime/group/coordinator.h"
#include "narrows/runtime/group/grpc_peer.h"
#include "narrows/runtime/group/worker_server.h"

/// Workers of one process that reach each other over the loopback interface.
namespace narrows::test {

/// What a test does to a message before it leaves.
using Tamper = std::function<void(WorkerCall, ByteVector& body)>;

/// Peers whose outgoing messages a test spoils.
class TamperingConnector : public PeerConnector {
 public:
  TamperingConnector(std::unique_ptr<PeerConnector> inner, Tamper tamper)
      : inner_(std::move(inner)), tamper_(std::move(tamper)) {}

  Result<std::unique_ptr<Peer>> connect(const std::string& address) override {
    NARROWS_TRY(peer, inner_->connect(address));
    return std::unique_ptr<Peer>(std::make_unique<TamperingPeer>(std::move(peer), tamper_));
  }

 private:
  class TamperingPeer : public Peer {
   public:
    TamperingPeer(std::unique_ptr<Peer> inner, Tamper tamper)
        : inner_(std::move(inner)), tamper_(std::move(tamper)) {}
    void call(WorkerCall call, ByteVector body, Seconds timeout, CallDone done) override {
      tamper_(call, body);
      inner_->call(call, std::move(body), timeout, std::move(done));
    }
    void cancelAll() override { inner_->cancelAll(); }

   private:
    std::unique_ptr<Peer> inner_;
    Tamper tamper_;
  };

  std::unique_ptr<PeerConnector> inner_;
  Tamper tamper_;
};

inline std::unique_ptr<PeerConnector> loopbackConnector() {
  return std::make_unique<GrpcPeerConnector>(GrpcPeerOptions());
}

/// A worker with a server of its own.
class LoopbackWorker {
 public:
  explicit LoopbackWorker(const std::string& engine = "reference", Tamper tamper = nullptr,
                          const std::string& address = "127.0.0.1:0") {
    WorkerOptions options;
    options.pipeline.engine = engine;
    std::unique_ptr<PeerConnector> connector = loopbackConnector();
    if (tamper) {
      connector = std::make_unique<TamperingConnector>(std::move(connector), std::move(tamper));
    }
    auto worker = Worker::create(options, std::move(connector));
    NARROWS_ASSERT(worker.ok());
    worker_ = std::move(*worker);
    WorkerServerOptions server;
    server.address = address;
    auto started = WorkerServer::start(*worker_, server);
    NARROWS_ASSERT(started.ok());
    server_ = std::move(*started);
  }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_->port()); }

 private:
  std::unique_ptr<Worker> worker_;
  std::unique_ptr<WorkerServer> server_;  // goes first
};

/// What a coordinator says of its group.
class EventLog {
 public:
  Coordinator::EventSink sink() {
    return [this](const GroupEvent& event) {
      const std::lock_guard lock(mutex_);
      events_.push_back(event);
    };
  }
  std::size_t count(GroupEvent::Kind kind) const {
    const std::lock_guard lock(mutex_);
    std::size_t found = 0;
    for (const GroupEvent& event : events_) found += event.kind == kind ? 1 : 0;
    return found;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string text;
    for (const GroupEvent& event : events_) {
      text += fmt::format("{} {}: {}\n", toString(event.kind), event.device, event.message);
    }
    return text;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<GroupEvent> events_;
};

/// Elements of tensors, one after the other, as a group takes them.
inline ByteVector payloadOf(const std::vector<Tensor>& tensors) {
  ByteVector payload;
  for (const Tensor& tensor : tensors) {
    const ByteSpan bytes = tensor.view().bytes();
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
  return payload;
}

}  // namespace narrows::test
