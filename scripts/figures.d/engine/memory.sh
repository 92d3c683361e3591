#!/usr/bin/env bash
# What Program::memory() says against what the process grows by, and vgg16 with weights that stay in
# a mapped file. Each measurement is a process of its own.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

memory=$BUILD/bench/engine/bench_memory
for network in tiny-yolov3@416 resnet50@224 vgg16@224 mobilenetv2@224 efficientnetv2-s@224 \
  yolov10n@640; do
  "$memory" growth "zoo:$network"
  "$memory" growth "zoo:$network" xnnpack >>"$WORK/xnnpack.jsonl"
done >"$WORK/growth.jsonl"
jq -c '{name: (.name + "_" + (.model | sub("^zoo:"; "") | gsub("[^a-z0-9]"; "_"))),
        value, unit, origin}' "$WORK/growth.jsonl"
# largest_error FILE: of errors above 2 MB; smaller ones are what the library keeps for itself.
largest_error() {
  jq -s '
    [.[] | select(.name == "memory_error_percent") | .value] as $percent |
    [.[] | select(.name == "memory_error_mb") | .value] as $mb |
    [range($mb | length) | select($mb[.] > 2) | $percent[.]] | max // 0' "$1"
}
figure memory_error_percent_max "$(largest_error "$WORK/growth.jsonl")" %
figure xnnpack_memory_error_percent_max "$(largest_error "$WORK/xnnpack.jsonl")" %

"$memory" again zoo:resnet50@224 >"$WORK/again.jsonl"
value() { jq -s --arg name "$2" 'map(select(.name == $name))[0].value' "$1"; }
for name in second_said_mb second_grown_mb; do
  figure "resnet50_$name" "$(value "$WORK/again.jsonl" $name)" MB
done
figure resnet50_second_compile_ratio "$(jq -n \
  --argjson a "$(value "$WORK/again.jsonl" second_compile_ms)" \
  --argjson b "$(value "$WORK/again.jsonl" first_compile_ms)" '$a / $b')" ratio

"$memory" write zoo:vgg16@224 "$WORK/vgg16.onnx"
"$memory" run "$WORK/vgg16.onnx" >"$WORK/whole.jsonl"
"$memory" run "$WORK/vgg16.onnx" 36000000 >"$WORK/stream.jsonl"
figure vgg16_stream_rss_mb "$(value "$WORK/stream.jsonl" peak_rss_mb)" MB
figure vgg16_whole_rss_mb "$(value "$WORK/whole.jsonl" peak_rss_mb)" MB
figure vgg16_stream_slowdown "$(jq -n --argjson a "$(value "$WORK/stream.jsonl" run_ms)" \
  --argjson b "$(value "$WORK/whole.jsonl" run_ms)" '$a / $b')" ratio
