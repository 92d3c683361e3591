#!/usr/bin/env bash
# How much of a real model's space an exploration measures, and whether its Pareto set is that of
# the exhaustive run: yolo-fastest-1.1, every cut, 1 to 8 bits and two-level, five coders, four
# links, 32 pictures of coco128.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

explore() {
  "$NARROWS" explore "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)" \
    --limit 32 --device raspberry-pi4 --link wifi --link ble4 --link ble5 --link lte-cat4 \
    --store "$WORK/store.sqlite" --json "$@"
}

start=$(date +%s%N)
explore >"$WORK/lazy.json"
figure explore_yolo_fastest_minutes "$(jq -n "($(date +%s%N) - $start) / 6e8 | round / 100")" min
explore --exhaustive >"$WORK/all.json"
jq -e '.work.accuracies == .work.accuracies_measured' "$WORK/all.json" >/dev/null
figure accuracies_measured_percent \
  "$(jq '.work | 10000 * .accuracies_measured / .accuracies | round / 100' "$WORK/lazy.json")" %
figure front_equal "$(jq -n --slurpfile a "$WORK/lazy.json" --slurpfile b "$WORK/all.json" \
  'if $a[0].front == $b[0].front then 1 else 0 end')" "1 or 0"
figure front_designs "$(jq '.front | length' "$WORK/lazy.json")" designs
