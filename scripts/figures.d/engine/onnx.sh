#!/usr/bin/env bash
# ONNX's own backend tests: how many pass on the fast engine; the test itself holds the reference
# engine to the same counts.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
figures_of_test onnx_node
