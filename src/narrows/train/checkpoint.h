#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "narrows/base/result.h"
#include "narrows/torch/network.h"

namespace narrows {

/// Tensors and a line of text, as one file that appears whole or not at all:
///   "NRWSTAT1", u64 bytes of the rest without the digest, text, u32 number of tensors; each: name,
///   u8 dtype, u8 rank, i64 extents, elements; 64 characters SHA-256 of all before it.
/// Integers are little-endian; text and names are a u32 length and bytes.
struct Checkpoint {
  std::string text;
  std::vector<NamedTensor> tensors;
};

Status writeCheckpoint(const Checkpoint& checkpoint, const std::filesystem::path& path);
/// Any bytes may come; the error names the file and the place.
Result<Checkpoint> readCheckpoint(const std::filesystem::path& path);

}  // namespace narrows
