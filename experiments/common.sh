# Sourced by experiments/*/run: setting, folders, and a run of narrows that is kept as a record.
#
#   run [small|full] [OUT]      small is the default: 2 cores, the data of ../shared
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SETTING=${1:-small}
[[ $SETTING == small || $SETTING == full ]] || {
  echo "usage: run [small|full] [OUT]" >&2
  exit 2
}
NAME=$(basename "$(dirname "$(realpath "$0")")")
OUT=$(realpath -m "${2:-$ROOT/build/experiments/$NAME-$SETTING}")
SHARED=$(realpath "${NARROWS_SHARED:-$ROOT/../shared/data}")
SEED=${NARROWS_SEED:-1}
NARROWS=${NARROWS_PROGRAM:-$ROOT/build/workbench/bin/narrows}
mkdir -p "$OUT/data"
[[ -x $NARROWS ]] || "$ROOT/scripts/build" workbench narrows >&2

# dataset NAME: the folder that the archive unpacks to.
dataset() {
  [[ -d $OUT/data/$1 ]] || tar -xzf "$SHARED/datasets/$1.tar.gz" -C "$OUT/data"
  echo "$OUT/data/$1"
}

# record KEYS COMMAND...: runs a `narrows tighten --json` and appends one line to results.jsonl: the
# keys ("cut=pool1 bits=1"), the command, seed and date, and its rows. Done already: nothing to do.
record() {
  local keys=$1 rows line previous argument
  shift
  if [[ -f $OUT/results.jsonl ]] && grep -qF "\"keys\":\"$keys\"" "$OUT/results.jsonl"; then
    return
  fi
  echo "--- $keys" >&2
  # A bundle without a record is of a run that was killed between the two.
  previous=
  for argument in "$@"; do
    [[ $previous != --out ]] || rm -rf -- "$argument"
    previous=$argument
  done
  rows=$("$@" --json)
  line=$(jq -cn --arg keys "$keys" --arg command "${*/#$ROOT\//}" --arg date "$(date -u +%F)" \
    --argjson seed "$SEED" --arg setting "$SETTING" --argjson rows "$rows" \
    '{keys: $keys, command: $command, seed: $seed, date: $date, setting: $setting, rows: $rows}')
  echo "$line" >>"$OUT/results.jsonl"
}

# baseline: the Tiny YOLOv3 that the experiments on bccd-voc start from: what is kept, else trained.
baseline() {
  if [[ $SETTING == full ]]; then
    echo "$ROOT/experiments/baseline/bccd.onnx"
  else
    trained_baseline
  fi
}

# trained_baseline: a Tiny YOLOv3 trained on bccd-voc, from scratch, once for a setting.
trained_baseline() {
  local folder size epochs
  folder=$ROOT/build/experiments/baseline-$SETTING
  mkdir -p "$folder"
  if [[ ! -f $folder/bccd.onnx ]]; then
    if [[ $SETTING == full ]]; then
      size=256,classes=3 epochs=100
    else
      size=128,classes=3,width=0.25 epochs=40
    fi
    "$NARROWS" train "zoo:tiny-yolov3@$size" --data "$(dataset bccd-voc)" --split train \
      --validation-split val --anchors data --flip --zoom 0.3 --shift 0.1 --color 0.3 --mosaic 0.3 \
      --batch 8 --average 0.995 --epochs "$epochs" --validate-every 5 --seed "$SEED" \
      --run "$folder" --resume --out "$folder/bccd.onnx" >&2
  fi
  echo "$folder/bccd.onnx"
}

# The five cuts of Tiny YOLOv3 (the likely j = 1 .. 5) and epochs of a run of this setting.
CUTS=(pool1 pool2 pool3 pool4 conv5)
if [[ $SETTING == full ]]; then EPOCHS=60; else EPOCHS=5; fi

# bccd: what all runs on bccd-voc share.
bccd() {
  echo --data "$(dataset bccd-voc)" --split train --validation-split val --flip --seed "$SEED" \
    --epochs "$EPOCHS"
}

# score_once MODEL BUNDLE...: the only look at the test pictures, kept as OUT/test.json.
score_once() {
  [[ ! -f $OUT/test.json ]] || return 0
  "$NARROWS" score "$@" --data "$(dataset bccd-voc)" --split test --json >"$OUT/test.json.part"
  mv "$OUT/test.json.part" "$OUT/test.json"
}

# show FILTER: the last row of each record through jq.
show() {
  jq -r "$1" "$OUT/results.jsonl" | column -t -s $'\t'
}
