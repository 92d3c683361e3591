#!/usr/bin/env bash
# The node role on an emulated arm64: tests that pass, and what its node's run with a server of this
# machine records (frames that differ from this machine's, largest difference of a box, memory).
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

recorded=$WORK/arm64.jsonl
log=$WORK/arm64.txt
code=0
NARROWS_FIGURES=$recorded scripts/test-arm64 >"$log" 2>&1 || code=$?
cat "$log" >&2
counts=$(tail -n 1 "$log")
[[ $counts =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]] || die "scripts/test-arm64 ended with \"$counts\""
figure arm64_tests_passed "${BASH_REMATCH[1]}" tests
figure arm64_tests_failed "${BASH_REMATCH[2]}" tests
size=$(sed -n 's/^size of .*: \([0-9]*\) bytes stripped$/\1/p' "$log")
figure arm64_binary_bytes "$size" B
# The tests record what they do on every machine; here only what the node does counts.
jq -c 'select(.name | startswith("arm64_"))' "$recorded"
((code == 0)) || die "scripts/test-arm64 failed"
