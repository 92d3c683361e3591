# Sourced by the groups that compare integers and bf16 with f32.

# ratios PRECISION LABEL: time over that of f32, one line for each network and thread count, and the
# largest.
ratios() {
  "$BUILD/bench/engine/bench_precision" "$1" zoo:tiny-yolov3@416 zoo:resnet50@224 zoo:vgg16@224 \
    >"$WORK/$2.jsonl"
  jq -c --arg prefix "$2" '{name: ($prefix + "_"
      + (.model | sub("^zoo:"; "") | gsub("[^a-z0-9]"; "_")) + "_\(.threads)t"),
      value, unit, origin}' "$WORK/$2.jsonl"
  figure "${2}_max" "$(jq -s 'map(.value) | max' "$WORK/$2.jsonl")" ratio
}

# drops PRECISION: points of top-1 or mAP that it costs each model of the shared data, and the most.
drops() {
  local all=() model set table points
  while read -r model set; do
    table=$("$NARROWS" engine "$SHARED/models/$model" --data "$(unpacked "$set")" "--$1" --json </dev/null)
    points=$(jq '.[0].accuracy - .[1].accuracy' <<<"$table")
    figure "$1_drop_$(basename "${model%.*}" | tr -c 'a-z0-9\n' _)" "$points" points
    all+=("$points")
  done <<'MODELS'
squeezenet1_0-imagenet.onnx imagenet-1k-samples-256
mobilenetv2-imagenet.onnx imagenet-1k-samples-256
resnet20-cifar10.onnx cifar10-test-jpg
resnet56-cifar10.onnx cifar10-test-jpg
yolo-fastest-1.1-coco.cfg coco128
mobilenetv2-yolov3-nano-coco.cfg coco128
yolox_nano.onnx coco128
fastestdet.onnx coco128
MODELS
  figure "$1_drop_points_max" "$(printf '%s\n' "${all[@]}" | jq -s max)" points
}
