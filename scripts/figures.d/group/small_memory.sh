#!/usr/bin/env bash
# Networks on one device that is too small: vgg16 in 64 MB, yolov2 in 48 MB, each in a memory control
# group where this machine allows one.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test small_memory_run
