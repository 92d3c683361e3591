#!/usr/bin/env bash
# 1 when every stored frame and stream decodes to its maps on an emulated arm64 too, else 0.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

scripts/install-dependencies cross >&2
scripts/build arm64 narrows_codec_test >&2
ok=1
scripts/emulate-arm64 build/arm64/src/narrows/codec/narrows_codec_test --gtest_filter='*Golden*' \
  >"$WORK/golden.txt" 2>&1 || ok=0
cat "$WORK/golden.txt" >&2
! grep -q 'Running 0 tests' "$WORK/golden.txt" || die "there are no tests of golden frames"
figure golden_streams_arm64_ok "$ok" boolean
