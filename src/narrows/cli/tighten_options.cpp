#include "narrows/cli/tighten_options.h"

namespace narrows {

Arguments::Outcome parseTighten(std::span<const std::string> arguments, TightenOptions& options) {
  Arguments parser(
      "tighten",
      "Change a network so that little crosses its cut, and write the bundle of its pieces.",
      "narrows tighten bccd.onnx --cut pool3 --data bccd-voc --split train --validation-split val "
      "\\\n"
      "      --prune --max-drop 3 --bits 1 --tcl 0.1 --epochs 20 --run runs/j3 --out j3.narrows");
  CLI::App& app = parser.app();
  // Without epochs the other steps are used on their own.
  addTrainingOptions(app, options.training, 0);
  app.add_option("--cut", options.cut,
                 "Cut at this tensor (narrows analyze lists them), or auto: where the node of "
                 "--device spends the least energy on a picture over --link")
      ->required();
  options.cost.device = "raspberry-pi4";
  options.cost.server = "gpu-server";
  options.cost.links = {"wifi"};
  app.add_option("--device", options.cost.device,
                 "Node of --cut auto: a name of narrows profiles or FILE.toml")
      ->capture_default_str();
  app.add_option("--link", options.cost.links[0],
                 "Link of --cut auto: a name of narrows profiles, FILE.toml or a rate")
      ->capture_default_str();
  app.add_option("--bits", options.bits, "Width of the symbols, 1 to 8 (0: none, fp32 crosses)")
      ->check(CLI::Range(0, 8))
      ->capture_default_str();
  app.add_option("--quantizer", options.quantizer,
                 "uniform, two_level (one bit) or levels (a table)")
      ->check(CLI::IsMember({"uniform", "two_level", "levels"}))
      ->capture_default_str();
  app.add_option("--granularity", options.granularity, "One range for the tensor or each channel")
      ->check(CLI::IsMember({"tensor", "channel"}))
      ->capture_default_str();
  app.add_flag("--learned", options.learned,
               "Train the quantizer's range (LSQ) or table of levels too");
  app.add_flag("--post-training", options.post_training,
               "Train without the quantizer and put it in afterwards");
  app.add_option("--tcl", options.clustering, "Clustering loss: its weight at the end (0: none)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--tcl-growth", options.clustering_growth, "power, exponential or constant")
      ->check(CLI::IsMember({"power", "exponential", "constant"}))
      ->capture_default_str();
  app.add_option("--tcl-exponent", options.clustering_exponent, "Of the growth")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--autoencoder", options.latent_channels,
                 "Encoder and decoder with so many channels between them (0: none)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--autoencoder-stride", options.latent_stride, "Stride of the encoder, 1 or 2")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app.add_option("--autoencoder-layers", options.latent_layers,
                 "Convolutions of the encoder: 1, or 2 with a 3x3 one of the map's channels first")
      ->check(CLI::Range(1, 2))
      ->capture_default_str();
  app.add_option("--autoencoder-start", options.latent_start,
                 "random, then epochs of reconstruction; or fitted: the code, in closed form, that "
                 "changes the network's outputs least, without them")
      ->check(CLI::IsMember({"random", "fitted"}))
      ->capture_default_str();
  app.add_option("--autoencoder-epochs", options.latent_epochs,
                 "Epochs of reconstruction before the task")
      ->capture_default_str();
  app.add_option(
         "--autoencoder-rate", options.latent_rate,
         "Learning rate of the reconstruction (0: --rate); new layers bear more than trained ones")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_flag("--prune", options.prune,
               "Remove filters: first of the cut's layer, then of the layers before it");
  app.add_option("--max-drop", options.max_drop,
                 "Most points of accuracy that pruning may cost on the validation pictures")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_option("--importance", options.importance, "magnitude, norm (its scale) or taylor")
      ->check(CLI::IsMember({"magnitude", "norm", "taylor"}))
      ->capture_default_str();
  app.add_option("--prune-epochs", options.prune_epochs, "Epochs of fine-tuning for each trial")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--prune-trials", options.prune_trials, "Trials of each step")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  app.add_option("--prune-bytes", options.prune_bytes,
                 "Step 1 removes as little as brings the mean frame to so many bytes, before it is "
                 "trained anew, instead of searching (0: searches)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--prune-macs", options.prune_macs,
                 "Step 2 removes as little as leaves the node this percentage of its MACs, instead "
                 "of searching (0: searches)")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  app.add_flag("--skip-step2", options.skip_step2, "Prune the cut's layer only");
  app.add_option("--lambda", options.lambda, "Weight of an expected bit of the frame (0: none)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--target-bytes", options.target_bytes,
                 "Drive lambda so that the mean frame has at most so many bytes (0: lambda stays)")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option(
      "--train-until", options.train_until,
      "Weights that this tensor does not depend on stay (normalisations are trained), so "
      "that networks tightened at several cuts share them (default: all are trained)");
  app.add_flag("--half", options.half_weights,
               "Write the bundle's weights in half precision, normalisations not folded into them");
  app.add_option("--recover", options.recovery_blocks,
                 "Train a reconstruction engine of so many blocks on the server, the node frozen")
      ->check(CLI::Range(0, 32))
      ->capture_default_str();
  app.add_option("--recover-channels", options.recovery_channels,
                 "Channels of its blocks (0: those of the cut)")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  app.add_option("--recover-epochs", options.recovery_epochs, "Epochs of its training")
      ->capture_default_str();
  app.add_option("--out", options.training.out,
                 "Bundle to write: NAME.narrows is one file, any other name a directory")
      ->required();
  return parser.parse(arguments);
}

}  // namespace narrows
