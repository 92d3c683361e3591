#!/usr/bin/env bash
# Minutes for the whole table of yolo-fastest-1.1 on the validation pictures of coco128: every cut,
# 1 to 8 bits, five coders.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

start=$(date +%s%N)
"$NARROWS" eval "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)" \
  --bits 1-8 --coder raw --coder deflate --coder lzma --coder zstd --coder context --json >"$WORK/eval.json"
jq -e '.rows | length > 0' "$WORK/eval.json" >/dev/null
figure eval_minutes "$(jq -n "($(date +%s%N) - $start) / 6e8 | round / 100")" min
figure yolo_fastest_map50_percent "$(jq -e .uncut_map50_percent "$WORK/eval.json")" %
