#!/usr/bin/env bash
# Figures of the stored results of experiments/: experiments/NAME/results.jsonl where kept, else what
# the last run left in build/experiments/NAME-SETTING (full before small). A figure without a stored
# result is not printed.
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

# The network that is kept, on the engine and on the pictures that nothing was chosen by.
baseline=$("$NARROWS" eval experiments/baseline/bccd.onnx --data "$(unpacked bccd-voc)" --split test \
  --uncut --json)
figure bccd_map50_baseline "$(jq -e .uncut_map50_percent <<<"$baseline")" %
# Bytes of each cut: records of the tightening, whose designs were chosen on the validation pictures,
# and their score on the test pictures, which no choice was made by.
bottleneck=$(results bottleneck)
test=$(dirname "${bottleneck:-.}")/test.json
if [[ -n $bottleneck && -f $test ]]; then
  stored "$bottleneck" --slurpfile test "$test" '[.[] | . as $r | ($r.keys | ltrimstr("j=")) as $j |
      ($test[0][] | select(.what | test("j\($j)[.]narrows$"))) as $t |
      $r + {j: $j, drop: $t.drop_points, low: $t.drop_low, high: $t.drop_high, bytes: $t.mean_bytes,
            less: (100 * (1 - $t.mean_bytes / $r.rows[0].mean_bytes))}] |
    (.[] | . as $r |
      ({name: "j\($r.j)_bytes_reduction_percent", value: $r.less, unit: "%"},
       {name: "j\($r.j)_bytes_mean", value: $r.bytes, unit: "B"},
       {name: "j\($r.j)_map_drop_points", value: $r.drop, unit: "points"},
       {name: "j\($r.j)_map_drop_low", value: $r.low, unit: "points"},
       {name: "j\($r.j)_map_drop_high", value: $r.high, unit: "points"}) | $r + .),
    .[0] + {name: "cuts_at_99_8_within_3", unit: "cuts",
            value: ([.[] | select(.less >= 99.8 and .drop <= 3)] | length)}'
fi
pruning=$(results pruning)
if [[ -n $pruning ]]; then
  stored "$pruning" '.[] | . as $r | ($r.keys | ltrimstr("j=")) as $j | $r.rows[0] as $first |
    $r.rows[-1] as $last | ([$r.rows[] | select(.stage == "pruned step 2")][0]) as $step2 |
    ({name: "j\($j)_macs_reduction_percent", value: $last.macs_reduction_percent, unit: "%"},
     {name: "j\($j)_step2_map_drop_points",
      value: ($first.accuracy_percent - ($step2 // $last).accuracy_percent), unit: "points"}) |
    $r + .'
fi
recovery=$(results recovery)
if [[ -n $recovery ]]; then
  stored "$recovery" '[.[] | (.rows[0].accuracy_percent - .rows[-2].accuracy_percent) as $lost |
      select($lost > 0) | 100 * (.rows[-1].accuracy_percent - .rows[-2].accuracy_percent) / $lost]
      as $shares | select($shares | length > 0) |
    .[0] + {name: "recovery_won_back_percent", value: ($shares | max), unit: "%"}'
fi
tcl=$(results tcl)
if [[ -n $tcl ]]; then
  stored "$tcl" '(max_by(.rows[-1].accuracy_percent)) as $best |
    ({name: "cls_best_drop_points",
      value: ($best.rows[0].accuracy_percent - $best.rows[-1].accuracy_percent), unit: "points"},
     {name: "cls_best_bytes", value: $best.rows[-1].mean_bytes, unit: "B"}) | $best + .'
fi
[[ -n $waist$pruning$recovery$tcl ]] || {
  echo "no stored results: run experiments/NAME/run first" >&2
  exit 1
}
