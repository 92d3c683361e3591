#!/usr/bin/env bash
# Splits run for real beside their prediction: 12 cuts of two networks over three shaped links, node
# and server as two processes of one thread each. Both networks are in the profile that prices them.
# Where the machine has no network namespaces the links are emulated, and the origin says simulated.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

mkdir "$WORK/pictures"
picture=$(find "$(unpacked coco128)" -name '*.jpg' | sort | sed -n 1p)
cp "$picture" "$WORK/pictures/"
networks=(zoo:mobilenetv2@224 zoo:resnet18@224)
first "$NARROWS" profile "${networks[@]}" --runs 20 --output "$WORK/host.toml" >&2
for network in "${networks[@]}"; do
  first "$NARROWS" measure "$network" --data "$WORK/pictures" --device "$WORK/host.toml" \
    --server "$WORK/host.toml" --cuts 6 --link 5Mbit/s --link 50Mbit/s --link 500Mbit/s \
    --pictures 30 --json 2>"$WORK/nodes.log" || { tail -n 3 "$WORK/nodes.log" >&2; exit 1; }
done >"$WORK/runs.json"
origin=$(jq -rs '.[0].origin' "$WORK/runs.json")
sum() { jq -s "map(.$1) | add" "$WORK/runs.json"; }
jq -c '.rows[]' "$WORK/runs.json" >&2
figure latency_within_10_percent_of_plans \
  "$(jq -s '100 * (map(.within_10_percent) | add) / (map(.plans) | add)' "$WORK/runs.json")" % \
  "$origin"
figure latency_plans "$(sum plans)" plans "$origin"
figure latency_plans_bound_by_computing "$(sum bound_by_computing)" plans "$origin"
figure latency_median_error_percent "$(jq -s '
  [.[].rows[].error_percent | fabs] | sort | .[length / 2 | floor]' "$WORK/runs.json")" % "$origin"
