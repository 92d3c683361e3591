#include "narrows/engine/onednn/rescale.h"

#include <algorithm>

#include "narrows/engine/onednn/calls.h"

namespace narrows::onednn {
namespace {

using executor::ByteKernel;
using executor::ScaledMap;

class RescaleKernel final : public Calls {
 public:
  RescaleKernel(const dnnl::engine& engine, const ScaledMap& from, const ScaledMap& to,
                std::size_t threads)
      : Calls(engine) {
    const Shape& shape = from.layout.shape;
    const bool by_rows = shape[0] == 1;
    const std::size_t axis = by_rows ? 2 : 0;
    const std::int64_t items = shape[axis];
    constexpr std::int64_t kSmall = 8192;  // below this a second thread costs more than it brings
    const std::int64_t parts =
        shape.elements() < kSmall
            ? 1
            : std::clamp<std::int64_t>(items, 1, static_cast<std::int64_t>(threads));
    for (std::int64_t i = 0; i < parts; ++i) {
      const std::int64_t begin = items * i / parts;
      const std::int64_t end = items * (i + 1) / parts;
      const auto part = [&](const ScaledMap& map) {
        Dims dims(shape.extents().begin(), shape.extents().end());
        dims[axis] = end - begin;
        const auto& strides = map.layout.strides;
        return dnnl::memory::desc(dims, typeOf(map.dtype),
                                  Dims(strides.begin(), strides.begin() + 4));
      };
      const OneThread one_thread;
      dnnl::primitive_attr attributes;
      if (from.scale != to.scale) attributes.set_output_scales(0, {from.scale / to.scale});
      if (from.zero != 0) attributes.set_zero_points(DNNL_ARG_SRC, 0, {from.zero});
      if (to.zero != 0) attributes.set_zero_points(DNNL_ARG_DST, 0, {to.zero});
      attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
      const dnnl::reorder::primitive_desc pd(engine, part(from), engine, part(to), attributes);
      Call call;
      call.primitive = dnnl::reorder(pd);
      call.source = dnnl::memory(pd.src_desc(), engine, nullptr);
      call.target = dnnl::memory(pd.dst_desc(), engine, nullptr);
      call.scratch = dnnl::memory(pd.scratchpad_desc(), engine, nullptr);
      call.arguments = {{DNNL_ARG_FROM, call.source},
                        {DNNL_ARG_TO, call.target},
                        {DNNL_ARG_SCRATCHPAD, call.scratch}};
      const auto offset = [&](const ScaledMap& map) {
        return begin * map.layout.strides[axis] * static_cast<std::int64_t>(byteSize(map.dtype));
      };
      call.source_offset = offset(from);
      call.target_offset = offset(to);
      call.scratch_bytes = pd.scratchpad_desc().get_size();
      addCall(std::move(call));
    }
  }
};

}  // namespace

Result<std::unique_ptr<ByteKernel>> makeRescale(const dnnl::engine& engine, const ScaledMap& from,
                                                const ScaledMap& to, std::size_t threads) {
  try {
    return std::unique_ptr<ByteKernel>(std::make_unique<RescaleKernel>(engine, from, to, threads));
  } catch (const dnnl::error& error) {
    return makeError("oneDNN does not rescale a map {}: {}", toString(from.layout.shape),
                     error.what());
  }
}

}  // namespace narrows::onednn
