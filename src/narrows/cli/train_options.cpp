#include "narrows/cli/train_options.h"

#include "narrows/cli/engine_option.h"

namespace narrows {

void addTrainingOptions(CLI::App& app, TrainingOptions& options, int least_epochs) {
  addModelOptions(app, options.model);
  addDataOptions(app, options.data, true);
  app.add_option("--validation-split", options.validation_split,
                 "Split that chooses among the epochs (default: val where the set has one)");
  app.add_option("--validation-data", options.validation_data,
                 "Data set of the validation pictures (default: that of --data)");
  app.add_option("--validation-limit", options.validation_limit,
                 "Validate on the first N pictures only (0: all)")
      ->capture_default_str();
  app.add_option("--epochs", options.epochs, "Passes over the training pictures")
      ->check(CLI::Range(least_epochs, 1000000))
      ->capture_default_str();
  app.add_option("--batch", options.batch, "Pictures a step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--rate", options.learning_rate, "Learning rate after the warm-up")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--final-rate-share", options.final_share,
                 "Share of the rate that the cosine ends at")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--warm-up", options.warm_up, "Share of the steps in which the rate rises")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--optimizer", options.optimizer, "adamw or sgd")
      ->check(CLI::IsMember({"adamw", "sgd"}))
      ->capture_default_str();
  app.add_option("--weight-decay", options.weight_decay, "Of weights, not of biases")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--average", options.average_decay,
                 "Decay of the running mean of the weights, which is what is kept (0: none)")
      ->check(CLI::Range(0.0, 0.999999))
      ->capture_default_str();
  app.add_option(
         "--norm-momentum", options.norm_momentum,
         "Share of each batch's statistics in those that normalisations keep; less for small "
         "batches")
      ->check(CLI::Range(1e-6, 1.0))
      ->capture_default_str();
  app.add_flag("--bf16", options.bf16,
               "Convolutions multiply in bf16; weights, sums and the optimizer stay f32");
  app.add_option("--train-device", options.device,
                 "Where steps are computed: cpu, or cuda or cuda:N where libtorch has it")
      ->capture_default_str();
  app.add_option("--smoothing", options.smoothing, "Label smoothing of classifiers")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  app.add_flag("--flip", options.flip, "Mirror half of the pictures");
  app.add_flag("--flip-vertical", options.flip_vertical, "Turn half of the pictures upside down");
  app.add_option("--zoom", options.zoom, "Scale pictures by up to this share")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  app.add_option("--shift", options.shift, "Move pictures by up to this share of each side")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  app.add_option("--color", options.color,
                 "Change brightness, contrast and saturation by up to this share")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  app.add_option("--mosaic", options.mosaic, "Share of pictures put together from four")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  app.add_option("--teacher", options.teacher,
                 "Model whose outputs are imitated too; with --no-labels nothing else is");
  app.add_option("--teacher-weights", options.teacher_weights,
                 "Weights of a teacher that is a .cfg");
  app.add_option("--teacher-weight", options.teacher_weight, "Weight of the teacher's loss")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--teacher-feature", options.teacher_features,
                 "Tensor of both networks that the teacher's is imitated at too; may be repeated");
  app.add_option("--feature-weight", options.feature_weight, "Weight of the imitated tensors' loss")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--temperature", options.temperature, "Softening of class distributions")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--no-labels", options.no_labels, "Do not look at the truth of the data");
  app.add_option("--validate-every", options.validate_every, "Epochs from validation to validation")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads (0: one per core)")->capture_default_str();
  addEngineOption(app, options.engine, "Engine that validates")->capture_default_str();
  app.add_option("--run", options.run,
                 "Folder for the log (JSON lines) and the state that --resume goes on from");
  app.add_flag("--resume", options.resume, "Go on from the state in --run, if there is one");
  app.add_flag("--json", options.json, "Print JSON");
}

Arguments::Outcome parseTrain(std::span<const std::string> arguments, TrainOptions& options) {
  Arguments parser("train", "Train a network on labelled pictures, or on a teacher's answers.",
                   "narrows train zoo:tiny-yolov3@256,classes=3 --data bccd-voc --split train \\\n"
                   "      --validation-split val --anchors data --flip --zoom 0.3 --color 0.3 \\\n"
                   "      --epochs 60 --run runs/bccd --out bccd.onnx");
  addTrainingOptions(parser.app(), options.training, 1);
  parser.app()
      .add_option("--anchors", options.anchors,
                  "keep, or data: cluster the anchors of a YOLO head from the boxes")
      ->check(CLI::IsMember({"keep", "data"}))
      ->capture_default_str();
  parser.app().add_flag("--frozen-norm", options.frozen_norm,
                        "Normalisations keep their statistics");
  parser.app()
      .add_option("--out", options.training.out,
                  "PATH.onnx to write, with its description PATH.toml beside it")
      ->required();
  return parser.parse(arguments);
}

}  // namespace narrows
