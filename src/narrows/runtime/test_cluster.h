#pragma once

#include <memory>
#include <utility>

#include "narrows/runtime/edge_node.h"
#include "narrows/runtime/inprocess_transport.h"
#include "narrows/runtime/runtime_case.h"

/// A node and its server for tests.
namespace narrows::test {

inline ServiceOptions referenceService() {
  ServiceOptions options;
  options.pipeline = referencePipeline();
  return options;
}

inline EdgeNodeOptions referenceNode() {
  EdgeNodeOptions options;
  options.pipeline = referencePipeline();
  options.id = "node";
  options.depth = 1;
  return options;
}

/// Node and server in one process, time and faults under control.
class Cluster {
 public:
  explicit Cluster(std::shared_ptr<const Bundle> bundle,
                   const ServiceOptions& options = referenceService())
      : bundle_(std::move(bundle)), service_options_(options) {
    restartServer();
  }

  void makeNode(const EdgeNodeOptions& options, const FaultRates& rates = {},
                std::uint64_t seed = 1,
                const std::shared_ptr<const Bundle>& node_bundle = nullptr) {
    auto transport = std::make_unique<InProcessTransport>(service_.get(), clock_, rates, seed);
    transport_ = transport.get();
    node_ = must(EdgeNode::create(node_bundle ? node_bundle : bundle_, options,
                                  std::move(transport), clock_));
  }
  void stopServer() {
    transport_->connect(nullptr);
    service_.reset();
  }
  void restartServer() {
    service_ = must(InferenceService::create(bundle_, service_options_, clock_));
    if (transport_ != nullptr) transport_->connect(service_.get());
  }

  EdgeNode& node() { return *node_; }
  InferenceService& service() { return *service_; }
  ManualClock& clock() { return clock_; }
  const std::shared_ptr<const Bundle>& bundle() const { return bundle_; }

 private:
  ManualClock clock_;
  std::shared_ptr<const Bundle> bundle_;
  ServiceOptions service_options_;
  std::unique_ptr<InferenceService> service_;
  InProcessTransport* transport_ = nullptr;
  std::unique_ptr<EdgeNode> node_;
};

}  // namespace narrows::test
