#include "narrows/cli/stop_signal.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace narrows {
namespace {

/// What becomes of a process with a thread that is older than its StopSignal, after `signals`
/// SIGTERMs: 0 when the flag came up and the process went on.
int endOfProcess(int signals) {
  const pid_t child = fork();
  if (child == 0) {
    std::atomic<bool> go = false;
    // Like the threads of a linear algebra library, it has nothing against any signal.
    std::thread older([&] {
      sigset_t all;
      sigemptyset(&all);
      pthread_sigmask(SIG_SETMASK, &all, nullptr);
      go = true;
      std::this_thread::sleep_for(std::chrono::seconds(20));
    });
    while (!go) std::this_thread::yield();
    const StopSignal stop;
    for (int i = 0; i < signals; ++i) kill(getpid(), SIGTERM);
    stop.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    _exit(stop.raised() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(StopSignal, TheFirstSignalRaisesTheFlagWhicheverThreadTakesIt) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(endOfProcess(1), 0);
}

TEST(StopSignal, TheSecondEndsTheProcess) {
  EXPECT_EQ(endOfProcess(2), 130);
}

TEST(StopSignal, LeavesTheHandlersAsTheyWere) {
  struct sigaction before {};
  struct sigaction after {};
  sigaction(SIGTERM, nullptr, &before);
  {
    const StopSignal stop;
    EXPECT_FALSE(stop.raised());
  }
  sigaction(SIGTERM, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
}

}  // namespace
}  // namespace narrows
