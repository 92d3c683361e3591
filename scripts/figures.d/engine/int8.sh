#!/usr/bin/env bash
# Time of 8-bit integers over f32 in the fast engine, with VNNI instructions and, where the processor
# has them, with AMX; and what they cost in top-1 or mAP on the models of the shared data.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
source "$ROOT/scripts/figures.d/engine/precision.bash"

grep -q avx512_vnni /proc/cpuinfo &&
  DNNL_MAX_CPU_ISA=AVX512_CORE_VNNI ratios int8 int8_ratio_vnni
grep -q amx_int8 /proc/cpuinfo && ratios int8 int8_ratio_amx
drops int8
