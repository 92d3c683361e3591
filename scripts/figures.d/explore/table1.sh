#!/usr/bin/env bash
# Table I of the pruning study (SAS 2023) from the profiles: our eight cells beside the published
# ones, with the least and the most over what the study does not print.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test cost_study
