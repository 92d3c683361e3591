#!/usr/bin/env bash
# How well the layers of other networks predict the time of a network and of its pieces on this
# host, 1 thread: `narrows profile`, each network left out of the fit in turn.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

"$NARROWS" profile zoo:tiny-yolov3@416 zoo:resnet50@224 zoo:vgg16@224 zoo:mobilenetv2@224 \
  zoo:efficientnetv2-s@224 zoo:yolov10n@640 --runs "${NARROWS_PROFILE_RUNS:-20}" --cuts 4 \
  --json >"$WORK/profile.json"
figure predictor_median_error_percent "$(jq .median_error_percent "$WORK/profile.json")" %
figure predictor_pieces "$(jq '.pieces | length' "$WORK/profile.json")" pieces
figure predictor_worst_network_error_percent "$(jq '
  [.pieces[] | select(.piece == "whole") | .error_percent | fabs] | max' "$WORK/profile.json")" %
