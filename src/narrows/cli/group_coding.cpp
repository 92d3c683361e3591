#include "narrows/cli/group_coding.h"

#include <memory>

#include "narrows/base/thread_pool.h"
#include "narrows/cli/engine_option.h"
#include "narrows/cli/interface_options.h"
#include "narrows/eval/transfer_coding.h"

namespace narrows {
namespace {

Result<TransferCoding> codingOf(const GroupCodingOptions& options) {
  TransferCoding coding;
  NARROWS_TRY(specs, makeQuantizers(options.quantizer, options.bits, options.granularity));
  if (specs.size() != 1) return makeError("--bits: a plan has one width, not {}", specs.size());
  coding.quantizer = specs[0];
  NARROWS_TRY(coder, parseCoder(options.coder));
  const bool symbols = coding.quantizer.kind != QuantizerKind::none;
  if (!symbols && coder.kind == CoderKind::context) {
    return makeError("--coder context codes symbols of a quantizer; without one give zstd");
  }
  coding.coder = std::move(coder);
  coding.sums = !options.raw_sums;
  if (options.sum_bits > 0) {
    if (coding.quantizer.kind != QuantizerKind::uniform) {
      return makeError("--sum-bits: only --quantizer uniform has another width for partial sums");
    }
    coding.sum_bits = options.sum_bits;
  }
  return coding;
}

}  // namespace

void addGroupCodingOptions(CLI::App& app, GroupCodingOptions& options) {
  options.calibration.pictures = 16;
  options.engine = defaultEngineName();
  app.add_option("--quantizer", options.quantizer,
                 "Code what devices send each other: uniform, two_level, levels, or none for no "
                 "loss (without this option elements travel as they are)");
  app.add_option("--bits", options.bits, "Width of a uniform quantizer, 1 to 8")
      ->capture_default_str();
  app.add_option("--granularity", options.granularity,
                 "One range for the tensor or for each channel")
      ->capture_default_str();
  app.add_option("--coder", options.coder,
                 "raw, deflate, lzma, zstd or context, with :LEVEL or :max if wanted")
      ->capture_default_str();
  app.add_option("--sum-bits", options.sum_bits,
                 "Width of partial sums under a uniform quantizer (0: that of --bits)")
      ->check(CLI::Range(0, 8))
      ->capture_default_str();
  app.add_flag("--raw-sums", options.raw_sums, "Partial sums travel as they are");
  addCalibrationOptions(app, options.calibration);
  addEngineOption(app, options.engine, "Engine that calibrates")->capture_default_str();
}

Result<double> expectedWireRatio(const GroupCodingOptions& options) {
  if (!options.wanted()) return 1.0;
  NARROWS_TRY(coding, codingOf(options));
  if (coding.quantizer.kind == QuantizerKind::none) return 1.0;
  return coding.quantizer.bits / 32.0;
}

Result<CodedTransfers> codeGroup(const GroupCodingOptions& options, const LoadedModel& model,
                                 SplitModel& split) {
  if (options.calibration.path.empty()) {
    return makeError("--quantizer: interfaces are fitted to pictures; give --calibration DIR");
  }
  NARROWS_TRY(coding, codingOf(options));
  NARROWS_TRY(description, requireDescription(model));
  DataSourceOptions source;
  source.path = options.calibration.path;
  NARROWS_TRY(set, openCalibration(options.calibration, source, description));
  PictureSource pictures(set.data.items, description.preprocessing);
  NARROWS_TRY(engine, makeEngine(options.engine));
  auto bundle = std::make_shared<Bundle>();
  bundle->description = std::move(description);
  bundle->plan = std::move(split.plan);
  bundle->pieces = std::move(split.pieces);
  NARROWS_CHECK(codeTransfers(*engine, *bundle, &pictures, coding, hardwareThreads()));
  CodedTransfers coded;
  NARROWS_TRY(bytes, transferBytes(options.engine, bundle, pictures, hardwareThreads()));
  coded.bytes = std::move(bytes);
  coded.pictures = fmt::format("{} pictures of {}", pictures.size(), set.origin);
  split.plan = std::move(bundle->plan);
  split.pieces = std::move(bundle->pieces);
  return coded;
}

}  // namespace narrows
