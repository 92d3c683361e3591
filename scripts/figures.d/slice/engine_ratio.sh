#!/usr/bin/env bash
# Time of the fast engine over that of ONNX Runtime for every model of the shared data.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$ROOT/scripts/install-onnxruntime" >&2
library=$(find "$ROOT/build/ort/node_modules/onnxruntime-node/bin" \
  -path "*linux/x64/libonnxruntime.so.1" | sed -n 1p)
mapfile -t models < <(ls "$SHARED"/models/*.onnx "$SHARED"/models/*.cfg)
"$BUILD/bench/engine/bench_engine" --ort "$library" "${models[@]}"
