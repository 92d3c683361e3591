#!/usr/bin/env bash
# Whether a real exploration that is killed ten times at random moments, and one that two processes
# make together, end with the store of an unbroken one: the same rows, none twice. Times are measured
# anew by whoever measures, so they are left out. NARROWS_SEED chooses the moments.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

RANDOM=${NARROWS_SEED:-1}
explore=("$NARROWS" explore "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)"
  --limit 8 --cut layer3 --cut layer11 --cut layer24 --cut layer37 --cut layer60 --bits 1-8
  --coder context --coder zstd --device raspberry-pi4 --link wifi --link ble5 --exhaustive --threads 1
  --json --store)

# rows STORE: what the store holds, without times and hosts.
rows() {
  sqlite3 "$1" "SELECT cut, quantizer, coder, frames, mean_bytes, bytes_deviation, worst_bytes
      FROM frames ORDER BY cut, quantizer, coder;
    SELECT cut, quantizer, primary_percent, secondary_percent FROM accuracies
      ORDER BY cut, quantizer;"
}
same() { if [[ $(rows "$WORK/whole.sqlite") == "$(rows "$1")" ]]; then echo 1; else echo 0; fi; }

"${explore[@]}" "$WORK/whole.sqlite" >"$WORK/whole.json"

# steps STORE: cuts that are coded and accuracies that are measured.
steps() {
  sqlite3 "$1" "SELECT (SELECT COUNT(*) FROM cuts) + (SELECT COUNT(*) FROM accuracies);" \
    2>/dev/null || echo 0
}

# Each run is killed at a random moment after it has taken one or two steps, of some fifty, however
# fast the machine is.
killed=0
for ((i = 0; i < 100 && killed < 10; ++i)); do
  wanted=$(($(steps "$WORK/broken.sqlite") + 1 + RANDOM % 2))
  "${explore[@]}" "$WORK/broken.sqlite" >/dev/null 2>&1 &
  process=$!
  while kill -0 "$process" 2>/dev/null && (($(steps "$WORK/broken.sqlite") < wanted)); do
    sleep 0.05
  done
  sleep "$(jq -n "$RANDOM / 131072")"
  kill -KILL "$process" 2>/dev/null || { wait "$process" && break; }
  wait "$process" 2>/dev/null || killed=$((killed + 1))
  echo "killed with $(steps "$WORK/broken.sqlite") steps in the store" >&2
done
"${explore[@]}" "$WORK/broken.sqlite" >"$WORK/broken.json"
figure resume_kills "$killed" kills
figure resume_real_store_equal "$(same "$WORK/broken.sqlite")" "1 or 0"

"${explore[@]}" "$WORK/shared.sqlite" >"$WORK/first.json" &
first=$!
"${explore[@]}" "$WORK/shared.sqlite" >"$WORK/second.json"
wait "$first"
figure two_processes_store_equal "$(same "$WORK/shared.sqlite")" "1 or 0"
# What the two measured themselves is the whole, and nothing twice.
figure two_processes_measured_twice "$(jq -s '
  map(.work.accuracies_measured_in_this_run) as $here
  | ($here | add) - .[0].work.accuracies' "$WORK/first.json" "$WORK/second.json")" accuracies
