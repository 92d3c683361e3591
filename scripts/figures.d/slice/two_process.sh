#!/usr/bin/env bash
# Server and node as processes: equal answers, a restart in mid-run, many nodes on one server.
source "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

figures_of_test two_process
