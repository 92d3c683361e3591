"""halve.py IN.onnx OUT.onnx: weights in half precision, cast back where they are read."""

import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SMALL = 64  # elements; scalars and lists of sizes stay as they are


def halve(model):
    kept, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size <= SMALL:
            kept.append(tensor)
            continue
        half = tensor.name + ".half"
        kept.append(numpy_helper.from_array(values.astype(np.float16), half))
        casts.append(
            helper.make_node("Cast", [half], [tensor.name], name=tensor.name + ".cast", to=TensorProto.FLOAT)
        )
    nodes = list(model.graph.node)
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(kept)
    model.graph.node.extend(casts + nodes)


network = onnx.load(sys.argv[1])
halve(network)
onnx.save(network, sys.argv[2])
