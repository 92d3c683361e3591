#!/usr/bin/env bash
# Whether a bundle keeps what its exploration promised: one explore and one split each for Tiny
# YOLOv3 trained on blood cells (87 validation pictures of bccd-voc) and for yolo-fastest (128
# pictures of coco128); then node and server run the bundle as two processes over a link of 2 Mbit/s.
# Both devices are this machine, with the profile that it measures first; a node memory that does not
# hold the network makes cutting it worth while. Answers with the boxes of such pictures are as large as
# narrows measure says of them. The design is the fastest of those that are cut.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# deployed NAME NODE-MB ANSWER-BYTES MODEL OPTION...
deployed() {
  local name=$1 node_mb=$2 answer=$3 model=$4 id origin
  shift 4
  first "$NARROWS" profile "$model" --runs 20 --output "$WORK/$name.toml" >&2
  "$NARROWS" explore "$model" "$@" --device "$WORK/$name.toml" \
    --server "$WORK/$name.toml" --link 2Mbit/s --bits 2-6 --coder context --coder zstd \
    --answer-bytes "$answer" --coded-pictures 16 --threads 1 --max-node-mb "$node_mb" --goal latency \
    --store "$WORK/$name.sqlite" --json >"$WORK/$name.json"
  id=$(jq -r '[.front[] | select(.interface != "-")] | min_by(.latency_ms).id' "$WORK/$name.json")
  "$NARROWS" split "$model" --design "$id" --store "$WORK/$name.sqlite" \
    --out "$WORK/$name.narrows" >&2
  first "$NARROWS" measure "$model" "${@:1:4}" --design "$id" --store "$WORK/$name.sqlite" \
    --bundle "$WORK/$name.narrows" --json >"$WORK/$name-measured.json"
  jq -c --arg id "$id" '.front[] | select(.id == $id)' "$WORK/$name.json" >&2
  jq -c '.rows[]' "$WORK/$name-measured.json" >&2
  origin=$(jq -r .origin "$WORK/$name-measured.json")
  value() { jq "(.rows | map({key: .what, value: .}) | from_entries) as \$at | $1" \
    "$WORK/$name-measured.json"; }
  figure "deployed_${name}_accuracy_error_points" "$(value '$at.accuracy_percent.difference')" points
  figure "deployed_${name}_bytes_error_percent" \
    "$(value '100 * $at.mean_bytes.difference / $at.mean_bytes.promised')" %
  figure "deployed_${name}_bytes_stated_percent" \
    "$(value '100 * $at.mean_bytes.stated_error / $at.mean_bytes.promised')" %
  figure "deployed_${name}_latency_error_percent" \
    "$(value '100 * $at.latency_ms.difference / $at.latency_ms.promised')" % "$origin"
  figure "deployed_${name}_latency_stated_percent" \
    "$(value '100 * $at.latency_ms.stated_error / $at.latency_ms.promised')" % modelled
  figure "deployed_${name}_within_stated" \
    "$(value 'if all(.rows[]; .within) then 1 else 0 end')" "1 or 0" "$origin"
  jq -c .parts "$WORK/$name-measured.json" >&2
  figure "deployed_${name}_latency_ms" "$(value '$at.latency_ms.measured')" ms "$origin"
  figure "deployed_${name}_answers_unlike" "$(value .answers_unlike)" answers
}

deployed bccd 16 780 "$ROOT/experiments/baseline/bccd.onnx" --data "$(unpacked bccd-voc)" --split val \
  --cut pool1 --cut pool2 --cut pool3 --cut pool4 --cut conv5.leaky
deployed yolo_fastest 5 380 "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)" \
  --limit 128 --cut layer3 --cut layer11 --cut layer24
