#include "tests/support/process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace narrows::test {
namespace {

int exitCodeOf(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void redirect(int descriptor, const std::string& path) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(127);
}

}  // namespace

Process Process::start(const std::vector<std::string>& command,
                       const std::filesystem::path& output) {
  // Made before the fork: the child may only call what is safe after one.
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const std::string out = output.string();
  const std::string error = out + ".err";
  const pid_t id = fork();
  if (id < 0) {
    std::perror("fork");
    std::abort();
  }
  if (id == 0) {
    redirect(STDOUT_FILENO, out);
    redirect(STDERR_FILENO, error);
    execv(arguments[0], arguments.data());
    _exit(127);
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
