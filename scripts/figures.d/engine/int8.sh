#!/usr/bin/env bash
# Time of 8-bit integers over f32 in the fast engine, with VNNI instructions and, where the processor
# has them, with AMX; and what they cost in top-1 or mAP on the models of the shared data.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

networks=(zoo:tiny-yolov3@416 zoo:resnet50@224 zoo:vgg16@224)
# ratios INSTRUCTIONS: one line for each network and thread count, and the largest.
ratios() {
  "$BUILD/bench/engine/bench_int8" "${networks[@]}" >"$WORK/int8.jsonl"
  jq -c --arg with "$1" '{name: ("int8_ratio_" + $with + "_"
      + (.model | sub("^zoo:"; "") | gsub("[^a-z0-9]"; "_")) + "_\(.threads)t"),
      value, unit, origin}' "$WORK/int8.jsonl"
  figure "int8_ratio_$1_max" "$(jq -s 'map(.value) | max' "$WORK/int8.jsonl")" ratio
}
grep -q avx512_vnni /proc/cpuinfo && DNNL_MAX_CPU_ISA=AVX512_CORE_VNNI ratios vnni
grep -q amx_int8 /proc/cpuinfo && ratios amx

drops=()
# drop MODEL SET: points of accuracy that integers cost.
drop() {
  local model=$SHARED/models/$1
  local table
  table=$("$NARROWS" engine "$model" --data "$(unpacked "$2")" --int8 --json)
  local points
  points=$(jq '.[0].accuracy - .[1].accuracy' <<<"$table")
  figure "int8_drop_$(basename "${1%.*}" | tr -c 'a-z0-9\n' _)" "$points" points
  drops+=("$points")
}
drop squeezenet1_0-imagenet.onnx imagenet-1k-samples-256
drop mobilenetv2-imagenet.onnx imagenet-1k-samples-256
drop resnet20-cifar10.onnx cifar10-test-jpg
drop resnet56-cifar10.onnx cifar10-test-jpg
drop yolo-fastest-1.1-coco.cfg coco128
drop mobilenetv2-yolov3-nano-coco.cfg coco128
drop yolox_nano.onnx coco128
drop fastestdet.onnx coco128
figure int8_drop_points_max "$(printf '%s\n' "${drops[@]}" | jq -s max)" points
