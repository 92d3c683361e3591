#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "narrows/engine/executor/activation.h"

/// Kernels that exist once for each instruction set. Every element is computed by the same sequence
/// of rounded operations on AVX2 and AVX-512, so both give the same bits.
namespace narrows::executor {

/// What follows the sum of a result; see Epilogue.
struct Finish {
  Activation activation;
  bool residual_after_activation = false;
};

/// A panel of weights: `channels` results of which each pixel gets all. Weights are stored for
/// every input number in turn, `vectors` vectors wide, padded with zeros; so is the bias.
struct Panel {
  const float* weights = nullptr;
  const float* bias = nullptr;
  std::int64_t vectors = 1;
  std::int64_t channels = 1;
};

/// A run of pixels: pixel i of the input is `input + i * input_pitch`, and so on.
struct PixelRun {
  const float* input = nullptr;
  const float* residual = nullptr;  // null when absent
  float* output = nullptr;
  std::int64_t input_pitch = 0;
  std::int64_t residual_pitch = 0;
  std::int64_t output_pitch = 0;
  std::int64_t count = 0;
  /// Weights that are read after this run's, as many: brought near meanwhile. Null: none.
  const float* ahead = nullptr;
  /// Input that is read after this run's, of as many pixels that follow one another without gaps:
  /// likewise. Null: none.
  const float* next = nullptr;
};

/// What a panel makes of one pixel, and where that goes.
struct PanelResult {
  Panel panel;
  const float* residual = nullptr;  // null when absent
  float* output = nullptr;
};
/// Most panels of one pixel at once.
constexpr std::int64_t kMostStreams = 4;

/// Up to `KernelTable::pixels` results, each the sum over `taps` of pointers to `depth` adjacent
/// input numbers: tap t of pixel i is at `inputs[t * KernelTable::pixels + i]`.
struct TappedPixels {
  const float* const* inputs = nullptr;
  const float* residual = nullptr;  // null when absent
  float* output = nullptr;
  std::int64_t residual_pitch = 0;
  std::int64_t output_pitch = 0;
  std::int64_t count = 0;
};

/// Results whose input numbers lie at the same offsets from each pixel's first one; any number of
/// pixels.
struct OffsetPixels {
  const float* const* inputs = nullptr;  // one for each pixel
  const std::int64_t* offsets = nullptr;
  std::int64_t depth = 0;
  float* output = nullptr;
  std::int64_t output_pitch = 0;
  std::int64_t count = 0;
};

/// One row of a map that is folded channel by channel through a window: depthwise convolution,
/// maximum or sum. `input` is the first pixel of the image; rows of the window that do not lie in
/// the image are skipped, and so are columns.
struct WindowRow {
  const float* input = nullptr;
  const float* residual = nullptr;
  float* output = nullptr;
  std::int64_t input_row_pitch = 0;
  std::int64_t input_pitch = 0;
  std::int64_t residual_pitch = 0;
  std::int64_t output_pitch = 0;
  std::int64_t input_height = 0;
  std::int64_t input_width = 0;
  std::int64_t output_width = 0;
  std::int64_t channels = 0;
  std::int64_t top = 0;  // input row of the window's first row, may lie outside
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride = 1;
  std::int64_t dilation_h = 1;
  std::int64_t dilation_w = 1;
  std::int64_t pad_left = 0;
  const float* weights = nullptr;  // [tap][weight_pitch], depthwise only
  const float* bias = nullptr;     // [weight_pitch]
  std::int64_t weight_pitch = 0;   // a multiple of the vector's length
};

/// Weights of `channels` results, one after another, each `inputs` by `taps` numbers (row-major),
/// that become a panel: number (tap, input) of channel c goes to `to[(tap * inputs + input) * width
/// + c]`. Columns behind the last channel are left as they are.
struct PanelSource {
  const float* from = nullptr;
  std::int64_t channels = 0;
  std::int64_t inputs = 0;
  std::int64_t taps = 1;
  float* to = nullptr;
  std::int64_t width = 0;
};

enum class Arithmetic : std::uint8_t { add, sub, mul, div, min, max };

/// Operands of an elementwise operation: dense results, each operand dense or one number for all.
struct BinaryRun {
  const float* a = nullptr;
  const float* b = nullptr;
  float* output = nullptr;
  bool a_varies = true;
  bool b_varies = true;
  std::int64_t count = 0;
};

/// What a byte holds of a number: whole numbers between low and high.
struct ByteRange {
  float factor = 1;
  float zero = 0;
  float low = 0;
  float high = 255;
};

struct KernelTable {
  std::string_view name;
  std::int64_t lanes;    // floats of a vector
  std::int64_t pixels;   // pixels computed at once
  std::int64_t vectors;  // most vectors of a panel

  void (*multiply)(const PixelRun& run, std::int64_t depth, const Panel& panel,
                   const Finish& finish);
  /// One pixel with up to `kMostStreams` panels of as many vectors. Weights that are far away and
  /// are read once come faster from memory in several streams.
  void (*multiply_pixel)(const float* input, std::int64_t depth, const PanelResult* results,
                         std::int64_t count, const Finish& finish);
  void (*multiply_tapped)(const TappedPixels& pixels, std::int64_t taps, std::int64_t depth,
                          const Panel& panel, const Finish& finish);
  void (*multiply_offset)(const OffsetPixels& pixels, const Panel& panel, const Finish& finish);
  void (*depthwise_row)(const WindowRow& row, const Finish& finish);
  void (*max_row)(const WindowRow& row);
  void (*sum_row)(const WindowRow& row);
  void (*activate)(const Activation& activation, const float* x, float* y, std::int64_t count);
  void (*arithmetic)(Arithmetic kind, const BinaryRun& run, const Activation& activation);
  void (*exponential)(const float* x, float* y, std::int64_t count);
  void (*pack_panel)(const PanelSource& source);
  /// Bytes of the whole numbers nearest to x * factor + zero (of two the even one) in the range.
  void (*quantize)(const float* x, const ByteRange& range, std::uint8_t* y, std::int64_t count);
};

/// The tables that this CPU can run, the fastest first.
std::span<const KernelTable* const> kernelTables();

const KernelTable& genericTable();
#if defined(__x86_64__)
const KernelTable& avx2Table();
const KernelTable& avx512Table();
#elif defined(__aarch64__)
const KernelTable& neonTable();
#endif

}  // namespace narrows::executor
