#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "narrows/cli/arguments.h"
#include "narrows/pipeline/sequence_pipeline.h"

namespace narrows {

/// `narrows run PLAN` for a plan of one device with little memory, which narrows-sequence does.
struct SequenceCommand {
  std::string bundle;
  std::string input;
  std::size_t max_frames = 0;
  std::size_t window_mb = 8;
  bool keep_weights = false;
  SequenceOptions sequence;
  std::string out;
  std::string draw;
  std::string outputs;
  std::string memory;
  bool json = false;
};

Arguments::Outcome parseSequence(std::span<const std::string> arguments, SequenceCommand& command);

}  // namespace narrows
