#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/base/units.h"

namespace narrows {

/// A process of ours that is ended with its owner.
class ChildProcess {
 public:
  /// Starts `program` with these arguments; standard output goes to the file `output`, made anew,
  /// standard error stays the parent's.
  static Result<ChildProcess> start(const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    const std::string& output);

  ChildProcess(ChildProcess&& other) noexcept : pid_(other.pid_) { other.pid_ = -1; }
  ChildProcess& operator=(ChildProcess&&) = delete;
  /// SIGTERM, and SIGKILL when that takes more than five seconds.
  ~ChildProcess();

  pid_t pid() const { return pid_; }
  bool running();
  /// Exit code, or 128 + signal.
  Result<int> wait();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  bool waitFor(Seconds time);

  pid_t pid_ = -1;
};

/// Path of the running program.
Result<std::string> ownProgram();

}  // namespace narrows
