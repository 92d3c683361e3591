#!/usr/bin/env bash
# The page of a real exploration: its size, and what a headless Chromium finds on it (web/check.mjs):
# errors of the console, requests to a network, and what a phone or a keyboard would stumble over. The
# page's own policy turns any network request into an error of the console.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$ROOT/scripts/install-report-libraries" >&2
"$NARROWS" explore "$SHARED/models/yolo-fastest-1.1-coco.cfg" --data "$(unpacked coco128)" \
  --limit 16 --cut layer3 --cut layer11 --cut layer24 --device raspberry-pi4 --link wifi --link ble5 \
  --store "$WORK/store.sqlite" --exhaustive --regimes --json >"$WORK/explore.json"
"$NARROWS" report "$WORK/explore.json" --out "$WORK/report.html" >&2
# The page as a desk and as a phone, light and dark, mouse and keyboard; what is found is a failure.
node "$ROOT/web/check.mjs" "$WORK/report.html" "$WORK" >"$WORK/check.json"
jq -e '.undrawn == 0' "$WORK/check.json" >/dev/null || die "the page did not draw its plots"
jq -e '[.requests, .clipped_texts, .overflow_px, .unreached_controls, .unseen_focus, .lost_focus,
    .out_of_order, .unnamed_drawings, .unlabelled_controls] | add == 0' "$WORK/check.json" >/dev/null ||
  die "the page: $(jq -c 'del(.views)' "$WORK/check.json")"
jq -e '.least_contrast >= 4.5' "$WORK/check.json" >/dev/null || die "the page has faint text"
figure report_mb "$(jq -n "$(stat -c %s "$WORK/report.html") / 1e4 | round / 100")" MB
figure report_console_errors "$(jq .console_errors "$WORK/check.json")" errors
figure report_requests "$(jq .requests "$WORK/check.json")" requests
figure report_phone_overflow_px "$(jq .overflow_px "$WORK/check.json")" px
figure report_controls_without_keyboard \
  "$(jq '.unreached_controls + .unseen_focus + .lost_focus' "$WORK/check.json")" controls
figure report_least_contrast "$(jq '.least_contrast * 100 | floor / 100' "$WORK/check.json")" ratio
