#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the tests on a kernel that counts, and says which lines of the project's
# kernel files they reach: build/log/coverage/table and, line by line,
# build/log/coverage/uncovered. Fails below 90 %, and if a test fails.
#
# coverage.sh --table makes them of the last run.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
VARIANT=coverage
export VARIANT
. "$root/lab/env.sh"
. "$root/lab/overlay.sh"
out=$build/log/coverage

status=0
[ "${1-}" = --table ] || "$root/lab/check.sh" || status=1
mkdir -p "$out"
overlay_files | grep -E '^(arch|include|kernel|mm|virt)/.*\.[ch]$' >"$out/files"
"$root/lab/coverage.py" "$root" "$obj" "$build/log/check$suffix" "$out" 90 || status=1
echo "logs: build/log/coverage/"
exit $status
