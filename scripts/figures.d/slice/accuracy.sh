#!/usr/bin/env bash
# Top-1 of the uncut networks on the packed sets, with the fast engine.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# top1 FIGURE MODEL DATA_SET
top1() {
  local value
  value=$("$NARROWS" eval "$SHARED/models/$2" --data "$(unpacked "$3")" --uncut --json |
    jq -e .uncut_top1_percent)
  figure "$1" "$value" %
}

top1 squeezenet_top1_percent squeezenet1_0-imagenet.onnx imagenet-1k-samples-256
top1 mobilenetv2_top1_percent mobilenetv2-imagenet.onnx imagenet-1k-samples-256
top1 resnet20_top1_percent resnet20-cifar10.onnx cifar10-test-jpg
top1 resnet56_top1_percent resnet56-cifar10.onnx cifar10-test-jpg
