#!/usr/bin/env bash
# 1 when every stored frame decodes to its map on this machine and, where the tools are at hand
# (packages g++-aarch64-linux-gnu and qemu-user-static), an emulated arm64 decodes and writes the
# codes of the context coder as this machine does; else 0.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

test=$(find "$BUILD/src" -name narrows_codec_test -type f | sed -n 1p)
[[ -x $test ]] || die "no test binary narrows_codec_test in $BUILD"
ok=1
"$test" --gtest_filter='*Golden*' >"$WORK/golden.txt" 2>&1 || ok=0
cat "$WORK/golden.txt" >&2
! grep -q 'Running 0 tests' "$WORK/golden.txt" || die "there are no tests of golden frames"

arm64="not checked"
if command -v aarch64-linux-gnu-g++ qemu-aarch64-static >/dev/null; then
  mkdir "$WORK/include"
  ln -s /usr/include/fmt "$WORK/include/fmt"
  aarch64-linux-gnu-g++ -std=c++20 -O2 -static -ffp-contract=off -DFMT_HEADER_ONLY -Isrc \
    -isystem "$WORK/include" bench/codec/cross_check.cpp src/narrows/base/assert.cpp \
    src/narrows/codec/context_{coder,grid,guess,tables,standard,lanes_avx2,lanes_avx512,lanes_neon,loops,loops_avx2,loops_avx512,loops_neon,plane_loops,plane_loops_avx2,plane_loops_neon}.cpp \
    -o "$WORK/cross_check" >&2
  "$BUILD/bench/codec/codec_cross_check" write "$WORK/codes" >&2
  arm64="the same"
  qemu-aarch64-static "$WORK/cross_check" read "$WORK/codes" >&2 || { ok=0; arm64="differs"; }
fi
figure golden_streams_ok "$ok" boolean | jq -c --arg arm64 "$arm64" '. + {arm64: $arm64}'
