#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace narrows::test {

/// A child process; killed and collected with the object.
class Process {
 public:
  /// Standard output goes to `output`, standard error to the same name with ".err". Ends the test
  /// program when there can be no child.
  static Process start(const std::vector<std::string>& command,
                       const std::filesystem::path& output);

  Process(Process&& other) noexcept : id_(other.id_), status_(other.status_) { other.id_ = -1; }
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t id() const { return id_; }
  void kill(int signal) const;
  bool ended();
  /// The exit code; minus the signal's number when one ended it.
  int wait();

 private:
  explicit Process(pid_t id) : id_(id) {}
  pid_t id_;
  std::optional<int> status_;
};

}  // namespace narrows::test
