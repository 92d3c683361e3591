#!/usr/bin/env bash
# Worker processes killed, stopped and lying at random moments: frames lost or wrong.
# NARROWS_SEED chooses the moments (1 without it).
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test worker_faults
