#include "narrows/codec/params.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>

namespace narrows {
namespace {

template <class Kind, std::size_t N>
using NameTable = std::array<std::pair<Kind, std::string_view>, N>;

constexpr NameTable<QuantizerKind, 4> kQuantizerNames = {{{QuantizerKind::none, "none"},
                                                          {QuantizerKind::uniform, "uniform"},
                                                          {QuantizerKind::two_level, "two_level"},
                                                          {QuantizerKind::levels, "levels"}}};
constexpr NameTable<Granularity, 2> kGranularityNames = {
    {{Granularity::tensor, "tensor"}, {Granularity::channel, "channel"}}};
constexpr NameTable<CoderKind, 5> kCoderNames = {{{CoderKind::raw, "raw"},
                                                  {CoderKind::deflate, "deflate"},
                                                  {CoderKind::lzma, "lzma"},
                                                  {CoderKind::zstd, "zstd"},
                                                  {CoderKind::context, "context"}}};
constexpr NameTable<ImageCoding, 3> kImageNames = {
    {{ImageCoding::raw, "raw"}, {ImageCoding::jpeg, "jpeg"}, {ImageCoding::original, "original"}}};

template <class Kind, std::size_t N>
std::string_view nameOf(const NameTable<Kind, N>& names, Kind kind) {
  for (const auto& [known, name] : names) {
    if (known == kind) return name;
  }
  return "unknown";
}

template <class Kind, std::size_t N>
Result<Kind> parseName(const NameTable<Kind, N>& names, std::string_view what,
                       std::string_view text) {
  std::string known_names;
  for (const auto& [kind, name] : names) {
    if (name == text) return kind;
    if (!known_names.empty()) known_names += ", ";
    known_names += name;
  }
  return makeError("unknown {} '{}'; known are {}", what, text, known_names);
}

Status validateLevels(const QuantizerParams& quantizer) {
  if (quantizer.granularity != Granularity::tensor) {
    return makeError("granularity {}, expected tensor for levels", toString(quantizer.granularity));
  }
  const std::size_t expected = std::size_t{1} << quantizer.bits;
  if (quantizer.levels.size() != expected || !quantizer.low.empty() || !quantizer.step.empty()) {
    return makeError("{} levels, {} entries of low and {} of step, expected {}, 0 and 0",
                     quantizer.levels.size(), quantizer.low.size(), quantizer.step.size(),
                     expected);
  }
  for (std::size_t i = 0; i < expected; ++i) {
    const float level = quantizer.levels[i];
    if (!std::isfinite(level)) {
      return makeError("levels[{}] is {}, expected a finite number", i, level);
    }
    if (i == 0) continue;
    const float before = quantizer.levels[i - 1];
    if (level < before) {
      return makeError("levels[{}] is {}, below levels[{}] {}", i, level, i - 1, before);
    }
    if (!std::isfinite(level + before)) {
      return makeError("levels[{}] {} and levels[{}] {} have an infinite sum", i - 1, before, i,
                       level);
    }
  }
  return {};
}

Status validateQuantizer(const QuantizerParams& quantizer, const TensorType& type) {
  if (nameOf(kQuantizerNames, quantizer.kind) == "unknown") {
    return makeError("unknown quantizer {}", static_cast<int>(quantizer.kind));
  }
  if (quantizer.kind == QuantizerKind::none) return {};
  if (type.dtype != DType::f32) {
    return makeError("quantizer {} needs f32, the tensor is {}", toString(quantizer.kind),
                     toString(type.dtype));
  }
  if (quantizer.bits < 1 || quantizer.bits > kMaxBits) {
    return makeError("bits is {}, expected 1 to {}", quantizer.bits, kMaxBits);
  }
  if (quantizer.kind == QuantizerKind::two_level && quantizer.bits != 1) {
    return makeError("bits is {}, expected 1 for two_level", quantizer.bits);
  }
  if (quantizer.kind == QuantizerKind::levels) return validateLevels(quantizer);
  if (!quantizer.levels.empty()) {
    return makeError("{} levels, expected none for {}", quantizer.levels.size(),
                     toString(quantizer.kind));
  }
  NARROWS_TRY(expected, parameterCount(type, quantizer.granularity));
  if (quantizer.low.size() != expected || quantizer.step.size() != expected) {
    return makeError("{} entries of low and {} of step, expected {} for granularity {} of {}",
                     quantizer.low.size(), quantizer.step.size(), expected,
                     toString(quantizer.granularity), toString(type.shape));
  }
  const auto top = static_cast<float>((1 << quantizer.bits) - 1);
  for (std::size_t i = 0; i < expected; ++i) {
    const float low = quantizer.low[i];
    const float step = quantizer.step[i];
    if (!std::isfinite(low)) return makeError("low[{}] is {}, expected a finite number", i, low);
    if (!std::isfinite(step) || step <= 0) {
      return makeError("step[{}] is {}, expected a positive finite number", i, step);
    }
    if (!std::isfinite(step * top) || !std::isfinite(low + step * top)) {
      return makeError("low[{}] {} and step[{}] {} give an infinite highest level", i, low, i,
                       step);
    }
  }
  return {};
}

Status validateCoder(const CoderParams& coder) {
  if (nameOf(kCoderNames, coder.kind) == "unknown") {
    return makeError("unknown coder {}", static_cast<int>(coder.kind));
  }
  if (coder.kind != CoderKind::context && !coder.tables.empty()) {
    return makeError("coder {} with {} bytes of tables, expected none", toString(coder.kind),
                     coder.tables.size());
  }
  if (coder.tables.size() > kMaxTableBytes) {
    return makeError("tables of {} bytes, expected at most {}", coder.tables.size(),
                     kMaxTableBytes);
  }
  const LevelRange range = levelRange(coder.kind);
  if (coder.level != -1 && (coder.level < range.lowest || coder.level > range.highest)) {
    return makeError("level {} of coder {}, expected {} to {}, or -1 for the default", coder.level,
                     toString(coder.kind), range.lowest, range.highest);
  }
  return {};
}

Status validateFeature(const FeatureInterface& feature) {
  if (feature.type.bytes() > kMaxMapBytes) {
    return makeError("tensor {} of {} bytes, at most {} cross an interface",
                     toString(feature.type.shape), feature.type.bytes(), kMaxMapBytes);
  }
  if (feature.max_frame_bytes != 0 && feature.max_frame_bytes < kSmallestFrameLimit) {
    return makeError("frames of at most {} bytes, expected at least {}, or 0 for no limit",
                     feature.max_frame_bytes, kSmallestFrameLimit);
  }
  if (feature.key_interval > kMaxKeyInterval) {
    return makeError("frames stand alone every {}, expected at most {}", feature.key_interval,
                     kMaxKeyInterval);
  }
  NARROWS_CHECK(validateQuantizer(feature.quantizer, feature.type).within("quantizer"));
  return validateCoder(feature.coder).within("coder");
}

Status validateImage(const ImageInterface& image) {
  if (nameOf(kImageNames, image.coding) == "unknown") {
    return makeError("unknown image coding {}", static_cast<int>(image.coding));
  }
  if (image.coding == ImageCoding::jpeg && (image.quality < 1 || image.quality > 100)) {
    return makeError("quality is {}, expected 1 to 100", image.quality);
  }
  return {};
}

}  // namespace

std::string_view toString(QuantizerKind kind) {
  return nameOf(kQuantizerNames, kind);
}
std::string_view toString(Granularity granularity) {
  return nameOf(kGranularityNames, granularity);
}
std::string_view toString(CoderKind kind) {
  return nameOf(kCoderNames, kind);
}
std::string_view toString(ImageCoding coding) {
  return nameOf(kImageNames, coding);
}

Result<QuantizerKind> parseQuantizerKind(std::string_view name) {
  return parseName(kQuantizerNames, "quantizer", name);
}
Result<Granularity> parseGranularity(std::string_view name) {
  return parseName(kGranularityNames, "granularity", name);
}
Result<CoderKind> parseCoderKind(std::string_view name) {
  return parseName(kCoderNames, "coder", name);
}
Result<ImageCoding> parseImageCoding(std::string_view name) {
  return parseName(kImageNames, "image coding", name);
}

LevelRange levelRange(CoderKind kind) {
  switch (kind) {
    case CoderKind::raw:
      return {0, 0, 0};
    case CoderKind::deflate:
      return {1, 12, 6};
    case CoderKind::lzma:
      return {0, 19, 6};
    case CoderKind::zstd:
      return {1, 22, 3};
    case CoderKind::context:
      return {0, 1, 0};
  }
  return {0, 0, 0};
}

Result<std::size_t> parameterCount(const TensorType& type, Granularity granularity) {
  switch (granularity) {
    case Granularity::tensor:
      return std::size_t{1};
    case Granularity::channel:
      if (type.shape.rank() < 2) {
        return makeError("granularity channel needs rank 2 or more, the tensor is {}",
                         toString(type.shape));
      }
      return static_cast<std::size_t>(type.shape[1]);
  }
  return makeError("unknown granularity {}", static_cast<int>(granularity));
}

Status validate(const InterfaceParams& params) {
  if (const auto* feature = std::get_if<FeatureInterface>(&params)) {
    return validateFeature(*feature).within("feature interface");
  }
  return validateImage(std::get<ImageInterface>(params)).within("image interface");
}

}  // namespace narrows
