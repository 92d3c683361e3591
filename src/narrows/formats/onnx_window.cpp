#include "narrows/formats/onnx_window.h"

namespace narrows {
namespace {

constexpr std::int64_t kMaxAttribute = std::int64_t{1} << 24;

Status checkRange(const Ints& values, std::int64_t least, std::string_view name) {
  for (std::int64_t value : values) {
    if (value < least || value > kMaxAttribute) return makeError("{} has {}", name, value);
  }
  return {};
}

/// One entry for each spatial axis, `fallback` when absent.
Result<Ints> readPerAxis(NodeImport& node, std::string_view name, std::size_t count,
                         std::int64_t fallback, std::int64_t least) {
  NARROWS_TRY(values, node.attributes.integers(name));
  if (values.empty()) return Ints(count, fallback);
  if (values.size() != count) {
    return makeError("{} {} for {} spatial axes", values.size(), name, count);
  }
  NARROWS_CHECK(checkRange(values, least, name));
  return std::move(values);
}

Extent2d toExtent(const Ints& values) {
  return values.size() == 1 ? Extent2d{1, values[0]} : Extent2d{values[0], values[1]};
}

/// Padding that makes the output extent ceil(input / stride).
void padSame(std::int64_t input, std::int64_t kernel, std::int64_t stride, std::int64_t dilation,
             bool upper, std::int64_t& begin, std::int64_t& end) {
  const std::int64_t output = (input + stride - 1) / stride;
  const std::int64_t reach = dilation * (kernel - 1) + 1;
  const std::int64_t total = std::max<std::int64_t>(0, (output - 1) * stride + reach - input);
  begin = upper ? total / 2 : total - total / 2;
  end = total - begin;
}

}  // namespace

Result<WindowAxes> readWindowAxes(NodeImport& node, const Shape& x, const Ints& kernel) {
  if (x.rank() < 3 || x.rank() > 5) {
    return makeError("input is {}; 1, 2 or 3 spatial axes are supported", toString(x));
  }
  const std::size_t count = x.rank() - 2;
  NARROWS_TRY(kernel_shape, node.attributes.integers("kernel_shape", kernel));
  if (kernel_shape.size() != count) {
    return makeError("kernel_shape has {} entries for {} spatial axes", kernel_shape.size(), count);
  }
  NARROWS_CHECK(checkRange(kernel_shape, 1, "kernel_shape"));
  NARROWS_TRY(strides, readPerAxis(node, "strides", count, 1, 1));
  NARROWS_TRY(dilations, readPerAxis(node, "dilations", count, 1, 1));
  NARROWS_TRY(pads, readPerAxis(node, "pads", 2 * count, 0, -kMaxAttribute));
  NARROWS_TRY(auto_pad, node.attributes.text("auto_pad", "NOTSET"));
  WindowAxes axes{kernel_shape, strides, dilations, Ints(count, 0), Ints(count, 0)};
  axes.automatic = auto_pad != "NOTSET" && !auto_pad.empty();
  axes.same_upper = auto_pad == "SAME_UPPER";
  axes.same = axes.same_upper || auto_pad == "SAME_LOWER";
  if (axes.automatic && !axes.same && auto_pad != "VALID")
    return makeError("auto_pad is \"{}\"", auto_pad);
  for (std::size_t i = 0; i < count; ++i) {
    if (axes.same) {
      padSame(x[i + 2], axes.kernel[i], axes.stride[i], axes.dilation[i], axes.same_upper,
              axes.begin[i], axes.end[i]);
    } else if (!axes.automatic) {
      axes.begin[i] = pads[i];
      axes.end[i] = pads[count + i];
    }
  }
  return axes;
}

Result<WindowAttributes> readWindow(NodeImport& node, const Shape& x, const Ints& kernel) {
  if (x.rank() != 3 && x.rank() != 4) {
    return makeError("input is {}; 1 or 2 spatial axes are supported", toString(x));
  }
  NARROWS_TRY(axes, readWindowAxes(node, x, kernel));
  WindowAttributes read;
  read.window.kernel = toExtent(axes.kernel);
  read.window.stride = toExtent(axes.stride);
  read.window.dilation = toExtent(axes.dilation);
  read.automatic = axes.automatic;
  read.same = axes.same;
  read.same_upper = axes.same_upper;
  read.window.pads = axes.begin.size() == 1
                         ? Padding2d{0, axes.begin[0], 0, axes.end[0]}
                         : Padding2d{axes.begin[0], axes.begin[1], axes.end[0], axes.end[1]};
  return read;
}

Result<OperandId> asMap(NodeImport& node, OperandId x) {
  const Shape& shape = node.shape(x);
  if (shape.rank() != 3) return x;
  return node.add(Reshape{{shape[0], shape[1], 1, shape[2]}}, {x});
}

Status finishWindow(NodeImport& node, Op op, std::vector<OperandId> inputs, std::size_t rank) {
  if (rank != 3) return node.finish(std::move(op), std::move(inputs));
  NARROWS_TRY(map, node.add(std::move(op), std::move(inputs)));
  const Shape shape = node.shape(map);
  return node.finish(Reshape{{shape[0], shape[1], shape[3]}}, {map});
}

}  // namespace narrows
