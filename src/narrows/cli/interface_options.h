#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/codec/params.h"
#include "narrows/eval/calibration.h"

namespace narrows {

/// "8", "1-8" or "1,2,4": widths in bits, each 1 to 8, ascending.
Result<std::vector<int>> parseBits(const std::string& text);

/// "NAME" or "NAME:LEVEL", such as "zstd:19"; level "max" is the coder's highest.
Result<CoderParams> parseCoder(const std::string& text);
/// The inverse of `parseCoder`.
std::string coderName(const CoderParams& coder);

/// Quantizers of all widths; two-level has one bit, none has none.
Result<std::vector<QuantizerSpec>> makeQuantizers(const std::string& kind, const std::string& bits,
                                                  const std::string& granularity);

/// The interfaces that a command tries at each cut, and for the picture, as its user names them.
struct InterfaceOptions {
  std::string bits = "1-8";
  std::vector<std::string> quantizers{"uniform"};
  std::string granularity = "channel";
  std::vector<std::string> coders{"raw", "deflate", "lzma", "zstd", "context"};
  /// 1 to 100.
  int jpeg_quality = 90;
};
void addInterfaceOptions(CLI::App& app, InterfaceOptions& options);

/// A quantizer and the name, say uniform, that makes it one of several.
struct QuantizerChoice {
  std::string kind;
  QuantizerSpec spec;
};
Result<std::vector<QuantizerChoice>> chooseQuantizers(const InterfaceOptions& options);
Result<std::vector<CoderParams>> chooseCoders(const InterfaceOptions& options);

}  // namespace narrows
