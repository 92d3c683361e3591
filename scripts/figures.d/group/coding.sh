#!/usr/bin/env bash
# What coding saves of a group's traffic, and what it costs two detectors in accuracy.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test coded_traffic
