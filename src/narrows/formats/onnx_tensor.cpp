#include "narrows/formats/onnx_tensor.h"

#include <onnx/onnx_pb.h>

#include <limits>

#include "narrows/formats/onnx_weights.h"
#include "narrows/formats/onnx_wire.h"

namespace narrows {

Result<Tensor> readTensorProto(ByteSpan bytes) {
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return makeError("{} bytes, at most 2 GiB are accepted", bytes.size());
  }
  NARROWS_CHECK(checkTensorWire(bytes));
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return makeError("not an ONNX tensor");
  }
  ExternalFiles none{std::nullopt};
  return takeTensor(proto, none);
}

}  // namespace narrows
