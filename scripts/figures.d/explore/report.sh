#!/usr/bin/env bash
# The page of a real exploration: its size, and what the console of a headless Chromium says when
# it opens it. The page's own policy turns any network request into such an error.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$ROOT/scripts/install-report-libraries" >&2
"$NARROWS" explore "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)" \
  --limit 16 --cut layer3 --cut layer11 --cut layer24 --device raspberry-pi4 --link wifi --link ble5 \
  --store "$WORK/store.sqlite" --exhaustive --regimes --json >"$WORK/explore.json"
"$NARROWS" report "$WORK/explore.json" --out "$WORK/report.html" >&2
chromium --headless=new --no-sandbox --disable-gpu --window-size=1200,3000 \
  --virtual-time-budget=20000 --enable-logging=stderr --user-data-dir="$WORK/profile" --dump-dom \
  "file://$WORK/report.html" >"$WORK/dom.html" 2>"$WORK/console"
grep -q 'data-drawn="yes"' "$WORK/dom.html" || die "the page did not draw its plots"
figure report_mb "$(jq -n "$(stat -c %s "$WORK/report.html") / 1e4 | round / 100")" MB
figure report_console_errors "$(grep -c 'ERROR:CONSOLE' "$WORK/console" || true)" errors
