#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"
#include "narrows/cli/child_process.h"
#include "narrows/cli/shaped_network.h"

namespace narrows {

/// What a bundle's two processes took for a picture over one link.
struct RealLatency {
  /// From the start of the picture's processing to its answer; measured, or simulated where the
  /// link was.
  Seconds total;
  /// Preparing the picture, and with it the node's pieces.
  Seconds prepare;
  Seconds node;
  Seconds encode;
  Seconds server;
  /// Feature frames; then request and reply as messages, without packets around them.
  Bytes frames;
  Bytes request;
  Bytes reply;

  /// What is neither side's work on the picture: the link, and sending, receiving and checking.
  Seconds between() const { return total - node - encode - server; }
};

/// The picture whose latency is the median, of an even number the longer one in the middle. At
/// least one.
RealLatency medianOf(std::vector<RealLatency> pictures);

/// `narrows serve` for one bundle, and runs of `narrows node` against it, one picture at a time.
/// Each process uses one thread.
class RealRun {
 public:
  /// Without a network the link is emulated by waiting. `network` outlives the run.
  static Result<RealRun> start(const std::filesystem::path& bundle, const ShapedNetwork* network,
                               const std::filesystem::path& work);

  /// One for each picture. `rate` is such as "10Mbit/s"; a network has it already, and without one
  /// (empty) nothing is waited for. Fails when the server did not answer one at once.
  Result<std::vector<RealLatency>> run(const std::filesystem::path& pictures,
                                       const std::string& rate);
  /// What the node printed in the last run, a record a line.
  std::filesystem::path records() const { return work_ / "node.jsonl"; }

 private:
  RealRun(ChildProcess server, std::string address, std::filesystem::path bundle,
          const ShapedNetwork* network, std::filesystem::path work)
      : server_(std::move(server)),
        address_(std::move(address)),
        bundle_(std::move(bundle)),
        network_(network),
        work_(std::move(work)) {}

  ChildProcess server_;
  std::string address_;
  std::filesystem::path bundle_;
  const ShapedNetwork* network_;
  std::filesystem::path work_;
};

}  // namespace narrows
