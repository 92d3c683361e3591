#!/usr/bin/env bash
# Time of the fast engine over that of ONNX Runtime, fp32, on networks of the zoo with normalisation
# folded; 1 and 2 threads, runs interleaved, medians of 20.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$ROOT/scripts/install-onnxruntime" >&2
library=$(find "$ROOT/build/ort/node_modules/onnxruntime-node/bin" \
  -path "*linux/x64/libonnxruntime.so.1" | sed -n 1p)
# One process for each network: the graphs with their weights take gigabytes.
for network in tiny-yolov3@416 resnet50@224 vgg16@224 mobilenetv2@224 efficientnetv2-s@224 \
  yolov10n@640; do
  "$BUILD/bench/engine/bench_engine" --ort "$library" --rounds 20 "zoo:$network"
done | jq -c 'select(.name == "engine_ratio")' >"$WORK/ratios.jsonl"
jq -c '{name: ("fp32_ratio_" + (.model | sub("^zoo:"; "") | gsub("[^a-z0-9]"; "_"))
               + "_\(.threads)t"),
        value, unit, origin, ours_ms, ort_ms}' "$WORK/ratios.jsonl"
figure fp32_ratio_geomean \
  "$(jq -s 'map(.value | log) | (add / length | exp)' "$WORK/ratios.jsonl")" ratio
figure fp32_ratio_max "$(jq -s 'map(.value) | max' "$WORK/ratios.jsonl")" ratio
