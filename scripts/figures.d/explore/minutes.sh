#!/usr/bin/env bash
# Minutes for tiny-yolov3: every cut, 1 to 8 bits and two-level, five coders, four links, 32
# pictures of coco128. Its weights are random, which is the hard case: every quantizer costs
# agreement, so that little can be ruled out.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

start=$(date +%s%N)
"$NARROWS" explore zoo:tiny-yolov3 --data "$(unpacked coco128)" --limit 32 \
  --device raspberry-pi4 --link wifi --link ble4 --link ble5 --link lte-cat4 \
  --store "$WORK/store.sqlite" --json >"$WORK/explore.json"
figure explore_minutes "$(jq -n "($(date +%s%N) - $start) / 6e8 | round / 100")" min
jq -e '.front | length > 0' "$WORK/explore.json" >/dev/null
