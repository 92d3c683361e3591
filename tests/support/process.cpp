#include "tests/support/process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "narrows/base/argument_vector.h"

namespace narrows::test {
namespace {

int exitCodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

// Not a fork: gRPC takes none while its threads are at work.
Process Process::start(const std::vector<std::string>& command,
                       const std::filesystem::path& output) {
  const std::vector<char*> arguments = argumentVector(command);
  const std::string error = output.string() + ".err";
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), kFlags, 0644);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error.c_str(), kFlags, 0644);
  pid_t id = -1;
  const int code = posix_spawn(&id, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) {
    std::fprintf(stderr, "cannot start %s: %s\n", arguments[0], std::strerror(code));
    std::abort();
  }
  return Process(id);
}

Process::~Process() {
  if (id_ < 0 || status_) return;
  kill(SIGKILL);
  wait();
}

void Process::kill(int signal) const {
  if (id_ > 0 && !status_) ::kill(id_, signal);
}

bool Process::ended() {
  if (status_) return true;
  int status = 0;
  if (waitpid(id_, &status, WNOHANG) != id_) return false;
  status_ = exitCodeOf(status);
  return true;
}

int Process::wait() {
  if (!status_) {
    int status = 0;
    while (waitpid(id_, &status, 0) < 0) {
    }
    status_ = exitCodeOf(status);
  }
  return *status_;
}

}  // namespace narrows::test
