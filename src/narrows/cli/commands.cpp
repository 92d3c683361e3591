#include <array>

#include "narrows/cli/command.h"
#ifdef NARROWS_WORKBENCH
#include "narrows/cli/analyze.h"
#include "narrows/cli/demo.h"
#include "narrows/cli/design.h"
#include "narrows/cli/engine.h"
#include "narrows/cli/eval.h"
#include "narrows/cli/explore.h"
#include "narrows/cli/measure.h"
#include "narrows/cli/plan.h"
#include "narrows/cli/price.h"
#include "narrows/cli/profile.h"
#include "narrows/cli/profiles.h"
#include "narrows/cli/report.h"
#include "narrows/cli/score.h"
#include "narrows/cli/split.h"
#include "narrows/cli/training_launch.h"
#endif
#ifdef NARROWS_SERVER
#include "narrows/cli/serve.h"
#endif
#include "narrows/cli/node.h"
#include "narrows/cli/run_command.h"
#include "narrows/cli/worker_command.h"

namespace narrows {
namespace {

constexpr std::array kCommands = {
#ifdef NARROWS_WORKBENCH
    Command{"analyze", "print a model's layers and every place where it can be cut", runAnalyze},
    Command{"design", "the whole method: analyze, explore, tighten, deploy, report", runDesign},
    Command{"engine", "accuracy, time and memory of int8, bf16 or streamed weights", runEngine},
    Command{"eval", "score cuts x bits x coders on a data set", runEval},
    Command{"explore", "find the designs that nothing beats, and the best for a goal", runExplore},
    Command{"measure", "run splits over a shaped link, prediction beside", runMeasure},
    Command{"plan", "spread a network over a group of devices", runPlan},
    Command{"price", "price every cut over a link: latency, energy, memory", runPrice},
    Command{"profile", "measure this host's speed and write it as a device", runProfile},
    Command{"profiles", "list links and devices with the source of each figure", runProfiles},
    Command{"report", "make one HTML page of an exploration", runReport},
    Command{"score", "score bundles beside the uncut network, JPEG and WebP", runScore},
    Command{"train", "train a network on pictures, or on a teacher's answers", runTrain},
    Command{"tighten", "train and prune so that little crosses a cut; write the bundle",
            runTighten},
    Command{"split", "write a bundle: the pieces of a model cut at one place", runSplit},
#endif
#ifdef NARROWS_SERVER
    Command{"serve", "run the server's pieces for nodes on the network", runServe},
#endif
    Command{"node", "run the node's pieces on pictures and send the features", runNode},
    Command{"worker", "be a device of a group: compute a share of a plan", runWorkerCommand},
    Command{"run", "lead a group of workers through a plan", runGroupCommand},
#ifdef NARROWS_WORKBENCH
    Command{"demo", "cut, score and run a built-in network on drawn scenes", runDemo},
#endif
};

}  // namespace

std::span<const Command> commands() {
  return kCommands;
}

}  // namespace narrows
