#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "narrows/base/result.h"
#include "narrows/graph/graph.h"

/// The text form of a graph, one line for each input, constant, node and output:
///
///   graph "tiny"
///   input "x" f32 1x3x8x8
///   const "w" f32 4x3x1x1 = [0.5, -1, ...]
///   const "v" f32 64x4x3x3 hash 9c3a...e1    (or "absent": a type without elements)
///   node "conv" conv2d(kernel=(1, 1), stride=(1, 1), ...) ("x", "w", _) -> "y" f32 1x4x8x8
///   output "y"
///
/// `_` is an absent input; `#` starts a comment. Strings are quoted with \" \\ \n \t \xHH.
namespace narrows {

struct TextOptions {
  /// Constants of at most so many elements are written with their elements, larger ones as a hash.
  std::int64_t inline_elements = 16;
};

std::string formatGraph(const Graph& graph, const TextOptions& options = {});

/// Finds the tensor of a constant that the text gives as a hash; null when there is none.
using ConstantSource = std::function<std::shared_ptr<const Tensor>(
    std::string_view name, const TensorType& type, std::string_view hash)>;

struct ParseOptions {
  /// Without one, a constant given as a hash is an error.
  ConstantSource constants;
  std::size_t most_bytes = std::size_t{256} << 20;
};

/// Reads what `formatGraph` wrote. Types of outputs are inferred and compared with those in the
/// text. Errors read "line 3, column 14: expected a type, found \"f33\"".
Result<Graph> parseGraph(std::string_view text, const ParseOptions& options = {});

/// 16 hexadecimal digits over dtype, shape and elements (FNV-1a, 64 bits): names contents, proves
/// nothing.
std::string contentHash(const Tensor& tensor);

/// Empty when both graphs have the same inputs, nodes in the same order, outputs, names and
/// constants; otherwise the first difference in words.
std::string firstDifference(const Graph& a, const Graph& b);

}  // namespace narrows
