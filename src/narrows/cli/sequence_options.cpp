#include "narrows/cli/sequence_options.h"

#include "narrows/base/thread_pool.h"
#include "narrows/cli/engine_option.h"

namespace narrows {

Arguments::Outcome parseSequence(std::span<const std::string> arguments, SequenceCommand& command) {
  Arguments parser("run",
                   "Run a plan of one device that is too small for its network, as narrows plan "
                   "--memory makes them: one piece at a time, with weights streamed from the "
                   "bundle.",
                   "narrows plan zoo:vgg16 --memory 64MB --out small.narrows\n"
                   "  narrows run small.narrows --input picture.jpg");
  CLI::App& app = parser.app();
  command.sequence.threads = hardwareThreads();
  app.add_option("PLAN", command.bundle, "The bundle that narrows plan --memory --out wrote")
      ->required();
  app.add_option("--input", command.input, "Directory of pictures, or a picture")->required();
  app.add_option("--max-frames", command.max_frames, "End after so many pictures (0: all)");
  addEngineOption(app, command.sequence.engine,
                  "Engine; by default the one that takes the least memory itself");
  app.add_option("--threads", command.sequence.threads, "Threads for one picture")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--window", command.window_mb,
                 "Megabytes for weights that have been read and not yet been packed")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  app.add_flag("--keep-weights", command.keep_weights,
               "Hold all weights of a piece while it runs, instead of a layer's at a time");
  app.add_flag("--verify", command.sequence.verify_weights,
               "Compare weights with their checksums, which reads them once more");
  app.add_option("--out", command.out, "Write the records to this file as JSON lines");
  app.add_option("--draw", command.draw, "Write the pictures with their detections here");
  app.add_option("--outputs", command.outputs,
                 "Write the elements of the last picture's outputs, as they are, to this file");
  app.add_option("--memory-out", command.memory,
                 "Write what was measured of memory and time to this file as JSON");
  app.add_flag("--json", command.json, "Print the records as JSON lines (also when piped)");
  return parser.parse(arguments);
}

}  // namespace narrows
