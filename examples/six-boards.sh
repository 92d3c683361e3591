#!/usr/bin/env bash
# Starts the group of six-boards.toml on this machine, one worker process for each board, runs
# pictures through it and stops the workers again.
#
#   examples/six-boards.sh MODEL PICTURES [OPTION of narrows run...]
#
# MODEL is what narrows plan takes: PATH.onnx, PATH.cfg or zoo:NAME. NARROWS names the program
# (build/workbench/bin/narrows), DEVICES the group's file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
narrows=${NARROWS:-$here/../build/workbench/bin/narrows}
devices=${DEVICES:-$here/six-boards.toml}

case ${1:-} in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 0 ;;
esac
if (($# < 2)); then
  echo "expected MODEL and PICTURES; see --help" >&2
  exit 2
fi
model=$1 pictures=$2
shift 2

work=$(mktemp -d)
workers=()
stop() {
  ((${#workers[@]} == 0)) || kill "${workers[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap stop EXIT

"$narrows" plan "$model" --devices "$devices" --out "$work/group.narrows"
tar -xOf "$work/group.narrows" plan.json | jq -r '.devices[].name' >"$work/names"
while read -r name; do
  "$narrows" worker --listen 127.0.0.1:0 --threads 1 --json >"$work/$name.out" &
  workers+=($!)
done <"$work/names"
while read -r name; do
  until [[ -s $work/$name.out ]]; do sleep 0.05; done
  echo "$name=127.0.0.1:$(jq -r .port "$work/$name.out")"
done <"$work/names" | tee "$work/workers.txt"

"$narrows" run "$work/group.narrows" --workers "$work/workers.txt" --input "$pictures" "$@"
