#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures TLB shootdowns and membarriers in a Linux guest and prints a table.
# More virtual CPUs than L1 has CPUs, and a clock that counts instructions.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"

vcpus=4
seconds=${SECONDS_A_ROW:-5}
log=build/log/run

"$root/lab/l2-image.sh"
status=0
STEP_HINT="The consoles are $log/l1.console and $log/l2.console." \
	step run-boot "boots L1 (1 CPU), 3 times L2 ($vcpus vCPUs), measures" \
	"$root/lab/boot.sh" -i -t 900 run sh lab/bench.sh $vcpus "$seconds" ||
	status=$?
echo
[ ! -s "$root/$log/l1/output" ] ||
	awk -f "$root/lab/table.awk" "$root/$log/l1/output" || status=1
echo "logs: $log/"
exit $status
