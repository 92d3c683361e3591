#!/usr/bin/env bash
# Whether an exploration that is killed ten times ends with the store of an unbroken one.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test explore
