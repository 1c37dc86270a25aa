#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The checks of the sources alone
set -eu
exec "$(dirname "$(readlink -f "$0")")/../check.sh"
