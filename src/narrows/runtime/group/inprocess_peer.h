#pragma once

#include <map>
#include <memory>
#include <string>

#include "narrows/runtime/group/peer.h"
#include "narrows/runtime/group/worker.h"

namespace narrows {

/// The twin of `GrpcPeerConnector` within one process: messages reach workers by name, without a
/// network. Workers are added before anyone connects to them and outlive the calls.
class InprocessGroup {
 public:
  void add(const std::string& address, Worker& worker) { workers_[address] = &worker; }

  /// Connects to the workers of this group, which outlives the connector.
  std::unique_ptr<PeerConnector> connector() { return std::make_unique<Connector>(*this); }

 private:
  class InprocessPeer : public Peer {
   public:
    explicit InprocessPeer(Worker* worker) : worker_(worker) {}
    void call(WorkerCall call, ByteVector body, Seconds /*timeout*/, CallDone done) override {
      if (worker_ == nullptr) return done({CallCode::unavailable, "there is no such worker"}, {});
      worker_->handle(call, std::move(body), std::move(done));
    }
    void cancelAll() override {}

   private:
    Worker* worker_;
  };

  class Connector : public PeerConnector {
   public:
    explicit Connector(InprocessGroup& group) : group_(group) {}
    Result<std::unique_ptr<Peer>> connect(const std::string& address) override {
      const auto found = group_.workers_.find(address);
      Worker* worker = found == group_.workers_.end() ? nullptr : found->second;
      return std::unique_ptr<Peer>(std::make_unique<InprocessPeer>(worker));
    }

   private:
    InprocessGroup& group_;
  };

  std::map<std::string, Worker*> workers_;
};

}  // namespace narrows
