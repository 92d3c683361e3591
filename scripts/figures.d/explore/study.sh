#!/usr/bin/env bash
# Table I of the pruning study from our own trained designs (experiments/kept) and the network that
# they were made of, with the Neural Compute Stick's profile: mAP and bytes measured, the rest
# modelled. What each cell is made of: experiments/energy.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

NARROWS_PROGRAM=$NARROWS "$ROOT/experiments/energy/run" full "$WORK/energy" >&2
jq -c '.here | to_entries[] | {name: "study_\(.key)", value, unit: "times", origin: "modelled"}' \
  "$WORK/energy/table.json"
