#pragma once

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "narrows/base/result.h"
#include "tests/support/process.h"

namespace narrows::test {

/// `narrows worker` as a process; one that is started again listens where it listened before.
class WorkerProcess {
 public:
  struct Options {
    std::filesystem::path folder;
    std::string name;
    std::string engine = "reference";
    /// Put before the command, such as "ip netns exec NAME".
    std::vector<std::string> wrapper = {};
    std::string host = "127.0.0.1";
  };

  explicit WorkerProcess(Options options) : options_(std::move(options)) { start(); }

  void start() {
    const std::filesystem::path output =
        options_.folder / fmt::format("{}-{}.out", options_.name, ++starts_);
    process_.reset();
    std::vector<std::string> command = options_.wrapper;
    command.insert(
        command.end(),
        {NARROWS_BINARY, "worker", "--listen", fmt::format("{}:{}", options_.host, port_),
         "--threads", "1", "--engine", options_.engine, "--store",
         (options_.folder / (options_.name + ".store")).string(), "--plaintext", "--json"});
    process_ = std::make_unique<Process>(Process::start(command, output));
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!readPort(output)) {
      if (process_->ended() || std::chrono::steady_clock::now() > until) {
        std::string why;
        std::getline(std::ifstream(output.string() + ".err"), why);
        fmt::print(stderr, "worker {} does not start on port {}: {}\n", options_.name, port_, why);
        std::abort();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    stopped_ = false;
  }

  void kill() {
    process_->kill(SIGKILL);
    process_->wait();
  }
  void stop() {
    process_->kill(SIGSTOP);
    stopped_ = true;
  }
  /// Whatever befell it.
  void revive() {
    if (stopped_) {
      process_->kill(SIGCONT);
      stopped_ = false;
    } else if (process_->ended()) {
      start();
    }
  }
  std::string address() const { return fmt::format("{}:{}", options_.host, port_); }

 private:
  /// False before the worker has said where it listens.
  bool readPort(const std::filesystem::path& output) {
    std::ifstream file(output);
    std::string line;
    if (!std::getline(file, line)) return false;
    const auto at = line.find("\"port\":");
    if (at == std::string::npos) return false;
    port_ = std::atoi(line.c_str() + at + 7);
    return true;
  }

  Options options_;
  std::unique_ptr<Process> process_;
  int port_ = 0;
  int starts_ = 0;
  bool stopped_ = false;
};

}  // namespace narrows::test
