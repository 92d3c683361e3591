#!/usr/bin/env bash
# Figures of the experiments: those of the bundles in experiments/kept measured again on the pictures
# that nothing was chosen by, the others from the stored results (experiments/NAME/results.jsonl where
# kept, else what the last run left in build/experiments/NAME-SETTING, full before small). A figure
# without a result is not printed.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# results NAME: the stored results, nothing when there are none.
results() {
  local file
  for file in "experiments/$1/results.jsonl" "build/experiments/$1-full/results.jsonl" \
    "build/experiments/$1-small/results.jsonl"; do
    if [[ -s $file ]]; then
      echo "$file"
      return
    fi
  done
}

# stored FILE [JQ-OPTION...] FILTER: figures that the filter makes of all records.
stored() {
  jq -cs "${@:2:$#-2}" "${@: -1} | {name, value, unit, origin: \"stored result, \(.setting), seed \(.seed), \(.date)\"}" \
    "$1"
}

# The kept bundles beside the kept network; test pictures for what they cost, validation pictures for
# how far the engine is from what was reported when they were made.
experiments/kept/unpack "$WORK/kept"
for split in val test; do
  (cd "$WORK/kept" && "$NARROWS" score "$OLDPWD/experiments/baseline/bccd.onnx" ./*.narrows \
    --data "$(unpacked bccd-voc)" --split $split --json) >"$WORK/$split.json"
done
jq -c '{name: "bccd_map50_baseline", value: .[0].accuracy_percent, unit: "%", origin: "measured"}' \
  "$WORK/test.json"
jq -c '{name: "transport_overhead_bytes", value: .[1].request_bytes, unit: "B", origin: "modelled"}' \
  "$WORK/test.json"

# Names of the results of a kept bundle: "3" of bottleneck for j3, of pruning for j3-pruned. The
# other pruned designs have the scores that the study ended with.
pruning=$(results pruning)
pruned=$(dirname "${pruning:-.}")/test.json
[[ -n $pruning && -f $pruned ]] || pruned=/dev/null
jq -cs --slurpfile test "$WORK/test.json" --slurpfile val "$WORK/val.json" \
  --slurpfile pruning "${pruning:-/dev/null}" --slurpfile pruned "$pruned" '
  (map({key: ("j" + (.keys | ltrimstr("j="))), value: .}) +
   ($pruning | map({key: ("j" + (.keys | ltrimstr("j=")) + "-pruned"), value: .})) | from_entries)
    as $made |
  def bundle: .what | split("/")[-1] | rtrimstr(".narrows");
  def less($now; $before): 100 * (1 - $now / $before);
  def step2($j):
    $made["\($j)-pruned"].rows[0].node_macs as $macs |
    {name: "\($j)_macs_reduction_percent", value: less(.node_macs; $macs), unit: "%"},
    {name: "\($j)_step2_bytes_mean", value: .mean_bytes, unit: "B"},
    {name: "\($j)_step2_map_drop_points", value: .drop_points, unit: "points"},
    {name: "\($j)_step2_map_drop_low", value: .drop_low, unit: "points"},
    {name: "\($j)_step2_map_drop_high", value: .drop_high, unit: "points"};
  [$test[0][1:][] | . + {bundle: bundle, original: $made[bundle].rows[0]}] as $kept |
  ($kept[] | select(.bundle | test("^j[1-5]$")) |
    {name: "\(.bundle)_bytes_reduction_percent", value: less(.mean_bytes; .original.mean_bytes), unit: "%"},
    {name: "\(.bundle)_bytes_mean", value: .mean_bytes, unit: "B"},
    {name: "\(.bundle)_map_drop_points", value: .drop_points, unit: "points"},
    {name: "\(.bundle)_map_drop_low", value: .drop_low, unit: "points"},
    {name: "\(.bundle)_map_drop_high", value: .drop_high, unit: "points"}),
  ($kept[] | select(.bundle | endswith("-pruned")) | step2(.bundle | rtrimstr("-pruned"))),
  ($pruned[0][]? | select(.node_macs) | bundle as $j | $made["\($j)-pruned"] as $record |
    select($record and all($kept[]; .bundle != "\($j)-pruned")) | step2($j) |
    . + {origin: "stored result, \($record.setting), seed \($record.seed), \($record.date)"}),
  {name: "cuts_at_99_8_within_3", unit: "cuts",
   value: ([$kept[] | select(.bundle | test("^j[1-5]$")) |
            select(less(.mean_bytes; .original.mean_bytes) >= 99.8 and .drop_points <= 3)] | length)},
  {name: "engine_vs_training_points_max", unit: "points",
   value: ([$val[0][1:][] | (.accuracy_percent - $made[bundle].rows[-1].accuracy_percent) |
            if . < 0 then -. else . end] | max)} |
  . + {origin: (.origin // "measured")}' "$(results bottleneck)"

# What the engine won back of what the quantizer alone lost, on the test pictures: the best cut.
recovery=$(results recovery)
recovered=$(dirname "${recovery:-.}")/test.json
if [[ -n $recovery && -f $recovered ]]; then
  stored "$recovery" --slurpfile test "$recovered" '
    ($test[0] | map({key: (.what | split("/")[-1]), value: .accuracy_percent}) | from_entries) as $of |
    [.[] | "j\(.keys | ltrimstr("j="))" as $j |
      ($test[0][0].accuracy_percent - $of["\($j)-quantized.narrows"]) as $lost | select($lost > 0) |
      100 * ($of["\($j).narrows"] - $of["\($j)-quantized.narrows"]) / $lost] as $shares |
    select($shares | length > 0) |
    .[0] + {name: "recovery_won_back_percent", value: ($shares | max), unit: "%"}'
fi

# Classification: the row with the fewest bytes among those that lose less than a point, else the one
# that loses least; and the smallest picture file of either format with which the uncut network loses
# less than a point.
tcl=$(results tcl)
# classification MODEL PREFIX: figures of the study of MODEL.
classification() {
  local test
  test=$(dirname "${tcl:-.}")/test-$1.json
  [[ -n $tcl && -f $test ]] || return 0
  stored "$tcl" --slurpfile test "$test" --arg model "$1" --arg prefix "$2" '
    ([.[] | select(.keys | contains("model=\($model)."))][0]) as $first | $test[0] as $rows |
    [$rows[1:][] | select(.what | endswith(".narrows"))] as $bundles |
    (([$bundles[] | select(.drop_points < 1)] | min_by(.mean_bytes)) //
      ($bundles | min_by(.drop_points))) as $best |
    (def file($format): [$rows[] | select((.what | startswith($format)) and .drop_points < 1)] |
                        min_by(.mean_bytes);
     {name: "\($prefix)_best_drop_points", value: $best.drop_points, unit: "points"},
     {name: "\($prefix)_best_bytes", value: $best.mean_bytes, unit: "B"},
     (("jpeg", "webp") as $format | file($format) | select(. != null) |
       {name: "\($prefix)_\($format)_bytes", value: .mean_bytes, unit: "B"})) | $first + .'
}
classification resnet20-cifar10 cls
classification squeezenet1_0-imagenet cls_squeezenet
