#!/usr/bin/env bash
# 1 when every stored frame decodes to its map on this machine, else 0.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

test=$(find "$BUILD/src" -name narrows_codec_test -type f | head -n 1)
[[ -x $test ]] || die "no test binary narrows_codec_test in $BUILD"
ok=1
"$test" --gtest_filter='*Golden*' >"$WORK/golden.txt" 2>&1 || ok=0
cat "$WORK/golden.txt" >&2
grep -q 'tests\? from' "$WORK/golden.txt" && ! grep -q 'Running 0 tests' "$WORK/golden.txt" ||
  die "there are no tests of golden frames"
figure golden_streams_ok "$ok" boolean
