#!/usr/bin/env bash
# The TCL study's speed-ups (IEEE Access 2025): ResNet-50 cut after the stem, Raspberry Pi 4 and a GPU
# server, 1 to 10 MB/s, one bit a value, packed; against all on the node and the picture as 8-bit
# samples. Modelled from the profiles; coding is timed here.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

links=()
for rate in 1 2 3 4 5 6 7 8 9 10; do links+=(--link "$((8 * rate))Mbit/s"); done
"$NARROWS" price zoo:resnet50@224 --device raspberry-pi4 --server gpu-server "${links[@]}" \
  --cut maxpool --bits 1 --answer-bytes 0 --request-bytes 0 --json >"$WORK/tcl.json"
# One line for each rate: latencies of the three plans.
jq -c '.rows as $rows | ($rows[] | select(.cut == "(all on node)") | .latency_ms) as $node
  | [$rows[] | select(.cut == "maxpool")][]
  | . as $cut | ($rows[] | select(.cut == "(all on server)" and .link == $cut.link) | .latency_ms) as $server
  | {link, vs_server: ($server / .latency_ms), vs_node: ($node / .latency_ms)}' \
  "$WORK/tcl.json" >"$WORK/rates.jsonl"
cat "$WORK/rates.jsonl" >&2
for against in server node; do
  # At 5 MB/s, the middle of the sweep.
  figure "tcl_speedup_vs_$against" \
    "$(jq -s "map(select(.link == \"40Mbit/s\"))[0].vs_$against" "$WORK/rates.jsonl")" times modelled
  figure "tcl_speedup_vs_${against}_most" \
    "$(jq -s "map(.vs_$against) | max" "$WORK/rates.jsonl")" times modelled
  figure "tcl_speedup_vs_${against}_least" \
    "$(jq -s "map(.vs_$against) | min" "$WORK/rates.jsonl")" times modelled
done
figure tcl_speedup_vs_server_published 2.33 times published
figure tcl_speedup_vs_node_published 1.85 times published
