#!/usr/bin/env bash
# Time of bf16 over f32 in the fast engine, where the processor multiplies bf16, and what it costs in
# top-1 or mAP on the models of the shared data.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
source "$ROOT/scripts/figures.d/engine/precision.bash"

if ! grep -q avx512_bf16 /proc/cpuinfo; then
  figure bf16_instructions 0 ""
  exit 0
fi
ratios bf16 bf16_ratio
drops bf16
