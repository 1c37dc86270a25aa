#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs the checks that need only the sources
set -eu
exec "$(dirname "$(readlink -f "$0")")/../check.sh"
