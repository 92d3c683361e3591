#!/usr/bin/env bash
# Bytes and speed of the context coder against general compressors and an adaptive yardstick, on
# maps cut out of the shared models, or on those in $NARROWS_MAPS (scripts/figures --maps).
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

bench=$BUILD/bench/codec/bench_codec
[[ -x $bench ]] || die "no $bench: it needs libbrotli-dev"
if [[ -n ${NARROWS_MAPS:-} ]]; then
  "$bench" --figures --maps "$NARROWS_MAPS"
else
  sets=()
  for name in imagenet-1k-samples-256 cifar10-test-jpg coco128; do
    sets+=(--data "$name=$(unpacked "$name")")
  done
  "$bench" --figures --models "$SHARED/models" "${sets[@]}"
fi
