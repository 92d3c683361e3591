# Sourced by the scripts beside it: where things are, how many jobs, and timed phases.
set -euo pipefail

CALLER_DIR=$PWD
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

# Keep one compiler for each gigabyte and a half of memory, so that small machines do not swap.
memoryJobs=$(awk '/MemAvailable/ {print int($2 / 1572864)}' /proc/meminfo)
cores=$(nproc)
JOBS=${NARROWS_JOBS:-$((memoryJobs < 1 ? 1 : memoryJobs < cores ? memoryJobs : cores))}

die() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# usage_error TEXT: wrong usage ends with exit code 2.
usage_error() {
  echo "$(basename "$0"): $*; --help shows the usage" >&2
  exit 2
}

# show_help: prints the comment block at the top of the calling script.
show_help() {
  sed -n '2,/^[^#]/{s/^# \{0,1\}//p}' "$0"
}

PHASES=()
# phase NAME COMMAND...: runs the command under a heading and notes its time; keeps its exit code.
phase() {
  local name=$1 start=$SECONDS code=0
  shift
  echo "=== $name"
  "$@" || code=$?
  PHASES+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
  return $code
}

print_phases() {
  echo "=== time of each phase"
  ((${#PHASES[@]} == 0)) || printf '%s\n' "${PHASES[@]}"
  printf '%5d s  in all\n' "$SECONDS"
}
