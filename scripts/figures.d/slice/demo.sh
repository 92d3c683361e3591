#!/usr/bin/env bash
# Minutes from `git clone` into an empty directory to the end of scripts/demo, with no object of
# an earlier build at hand. The packages are installed already.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

start=$(date +%s)
git clone --quiet "$ROOT" "$WORK/narrows" >&2
CCACHE_DIR=$WORK/ccache "$WORK/narrows/scripts/demo" >&2
seconds=$(($(date +%s) - start))
figure demo_minutes_from_clone "$(jq -n "$seconds / 60 * 100 | round / 100")" min
