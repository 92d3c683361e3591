#!/usr/bin/env bash
# Minutes for Tiny YOLOv3: every cut, 1 to 8 bits and two-level, five coders, four links, 32
# pictures. First the one trained on blood cells (experiments/baseline, 256x256) on its validation
# pictures, then one of random weights at 416x416 on coco128, which is the hard case: every quantizer
# costs agreement, so that little can be ruled out.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# explored NAME MODEL DATA...: its minutes, and the share of distinct accuracies that were measured.
explored() {
  local name=$1 start
  shift
  start=$(date +%s%N)
  "$NARROWS" explore "$@" --limit 32 \
    --device raspberry-pi4 --link wifi --link ble4 --link ble5 --link lte-cat4 \
    --store "$WORK/$name.sqlite" --json >"$WORK/$name.json"
  figure "${name}_minutes" "$(jq -n "($(date +%s%N) - $start) / 6e8 | round / 100")" min
  jq -e '.front | length > 0' "$WORK/$name.json" >/dev/null
  figure "${name}_accuracies_measured_percent" \
    "$(jq '.work | 1000 * .accuracies_measured / .accuracies | round / 10' "$WORK/$name.json")" %
}
explored explore "$ROOT/experiments/baseline/bccd.onnx" --data "$(unpacked bccd-voc)" --split val
explored explore_random zoo:tiny-yolov3 --data "$(unpacked coco128)"
mv "$WORK/explore.json" "$WORK/lazy.json"
explored explore "$ROOT/experiments/baseline/bccd.onnx" --data "$(unpacked bccd-voc)" --split val \
  --exhaustive >/dev/null
figure explore_front_equal "$(jq -n --slurpfile a "$WORK/lazy.json" \
  --slurpfile b "$WORK/explore.json" 'if $a[0].front == $b[0].front then 1 else 0 end')" "1 or 0"
