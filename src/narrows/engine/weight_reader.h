#pragma once

#include <vector>

#include "narrows/base/byte_io.h"
#include "narrows/base/result.h"

namespace narrows {

/// Gets weights that lie in a mapped file to the programs that do not keep them, one block after
/// another, so that nobody touches the mapping. Blocks are named by their bytes in the mapping,
/// which are not read.
class WeightReader {
 public:
  virtual ~WeightReader() = default;

  /// Whether it has these bytes.
  virtual bool has(ByteSpan weights) const = 0;
  /// What a run that begins packs, in about this order: of these blocks it asks for those that the
  /// reader has, and they may be read ahead.
  virtual void expect(std::vector<ByteSpan> blocks) = 0;
  /// A copy of an expected block, at an address that is as far from a page's start, until `release`
  /// is called with the block. Several threads may call both.
  virtual Result<ByteSpan> hold(ByteSpan block) = 0;
  virtual void release(ByteSpan block) = 0;
  /// The run has read these bytes in the mapping after all, for the last time.
  virtual void leave(ByteSpan weights) = 0;
};

}  // namespace narrows
