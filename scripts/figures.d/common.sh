# Sourced by the figure groups: where the build and the data are, and how a figure is printed.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

BUILD=$ROOT/build/bench
NARROWS=$BUILD/bin/narrows
SHARED=${NARROWS_SHARED:-$ROOT/../shared/data}
[[ -d $SHARED ]] || die "no shared data at $SHARED; set NARROWS_SHARED"
export NARROWS_SHARED=$SHARED

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

# figure NAME VALUE UNIT [ORIGIN]
figure() {
  jq -nc --arg name "$1" --argjson value "$2" --arg unit "$3" --arg origin "${4:-measured}" \
    '{name: $name, value: $value, unit: $unit, origin: $origin}'
}

# first COMMAND...: runs it before other work on the machine, which is no part of a plan's latency;
# only an administrator may. In a session of its own, since Linux may weigh sessions against each
# other (autogroup) before it looks at processes.
first() {
  if ! nice -n -20 true 2>/dev/null; then
    "$@"
    return
  fi
  setsid --wait bash -c '{ echo -20 >/proc/self/autogroup; } 2>/dev/null; exec nice -n -20 "$@"' \
    first "$@"
}

# figures_of_test NAME: runs the test binary and prints the figures that it records.
figures_of_test() {
  local binary=$BUILD/tests/narrows_$1_test recorded=$WORK/$1.jsonl
  [[ -x $binary ]] || binary=$(find "$BUILD/src" -name "narrows_$1_test" -type f | sed -n 1p)
  [[ -x $binary ]] || die "no test binary narrows_$1_test in $BUILD"
  NARROWS_FIGURES=$recorded NARROWS_FULL=1 "$binary" >&2 || die "test $1 failed"
  [[ -s $recorded ]] || die "test $1 recorded no figures"
  cat "$recorded"
}

# unpacked NAME: the folder of a data set, unpacked once into the test cache.
unpacked() {
  local cache=${NARROWS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/narrows-test-data}
  local archive=$SHARED/datasets/$1.tar.gz home
  home=$cache/$1-$(stat -c %s "$archive")
  if [[ ! -d $home ]]; then
    mkdir -p "$cache"
    local partial
    partial=$(mktemp -d "$cache/$1.XXXXXX")
    tar -xzf "$archive" -C "$partial"
    mv -T "$partial" "$home"
  fi
  echo "$home/$1"
}
