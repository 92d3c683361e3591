#include "narrows/cli/child_process.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <thread>

#include "narrows/base/argument_vector.h"

namespace narrows {
namespace {

constexpr Seconds kGrace{5};
constexpr std::chrono::milliseconds kPoll{20};

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::string& program,
                                         const std::vector<std::string>& arguments,
                                         const std::string& output) {
  std::vector<std::string> words{program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const std::vector<char*> argv = argumentVector(words);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t pid = -1;
  const int code = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0)
    return makeError("cannot start {}: {}", program, std::system_category().message(code));
  return ChildProcess(pid);
}

ChildProcess::~ChildProcess() {
  if (!running()) return;
  ::kill(pid_, SIGTERM);
  if (waitFor(kGrace)) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

bool ChildProcess::running() {
  if (pid_ < 0) return false;
  siginfo_t info{};
  // WNOWAIT leaves the exit code to `wait`.
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0)
    return false;
  return info.si_pid == 0;
}

bool ChildProcess::waitFor(Seconds time) {
  const auto polls = static_cast<int>(time.value() / std::chrono::duration<double>(kPoll).count());
  for (int i = 0; i < polls; ++i) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != 0) return true;
    std::this_thread::sleep_for(kPoll);
  }
  return false;
}

Result<int> ChildProcess::wait() {
  NARROWS_ASSERT(pid_ >= 0);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR)
      return makeError("waiting for a process: {}", std::system_category().message(errno));
  }
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Result<std::string> ownProgram() {
  std::error_code code;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) return makeError("/proc/self/exe: {}", code.message());
  return path.string();
}

}  // namespace narrows
