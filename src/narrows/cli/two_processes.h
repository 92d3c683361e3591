#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "narrows/base/result.h"
#include "narrows/cli/child_process.h"

namespace narrows {

/// How a bundle's two processes answered, beside the same bundle in one process.
struct TwoProcessReport {
  std::size_t pictures = 0;
  /// Answers that were completed on the server.
  std::size_t by_server = 0;
  /// Pictures without exactly one answer, or with another answer than in one process.
  std::size_t mismatches = 0;
  std::size_t detections = 0;
  double mean_frame_bytes = 0;
  double mean_wire_bytes = 0;
  double mean_node_ms = 0;
  double mean_link_ms = 0;
  double mean_server_ms = 0;
  double mean_total_ms = 0;
};

/// HOST:PORT from the first line of a server's standard output, which is this file; waits for it.
Result<std::string> serverAddress(ChildProcess& server, const std::filesystem::path& output);

/// The records that `narrows node --json` left, beside the bundle's answers in this process to the
/// pictures of that folder.
Result<TwoProcessReport> compareWithOneProcess(const std::filesystem::path& bundle,
                                               const std::filesystem::path& pictures,
                                               const std::filesystem::path& records);

/// Starts `narrows serve` and `narrows node` on this machine, sends every picture of a folder over
/// an emulated link, and compares the answers with those of the bundle in this process. Logs and
/// records go into `work`.
Result<TwoProcessReport> runTwoProcesses(const std::filesystem::path& bundle,
                                         const std::filesystem::path& pictures,
                                         const std::string& link,
                                         const std::filesystem::path& work);

}  // namespace narrows
