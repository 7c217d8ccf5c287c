#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check-case.sh NAME CPUS LIMIT COMMAND...: runs one case of lab/cases and says
# how it went. Leaves "PASSED FAILED" in build/log/check/NAME.result; with
# VARIANT, in build/log/check-VARIANT/, and with SUITE in check-SUITE/.

set -u
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
name=$1 cpus=$2 limit=$3
shift 3
check=check$suffix${SUITE+-$SUITE}
log=build/log/$check/$name
cd "$root" || exit

start=$(date +%s)
echo "     $name: starts, log $log.log"
if [ "$cpus" -eq 0 ]; then
	mkdir -p "$log/l1"
	timeout "$limit" "$@" >"$log/l1/output" 2>"$log.log" </dev/null
else
	# With the host's clock an L2 on two CPUs loses timers, for a minute
	# now and then, and a busy machine looks like an RCU stall.
	lab/boot.sh -i -c "$cpus" -t "$limit" "$check/$name" "$@" \
		>"$log.log" 2>&1 </dev/null
fi
status=$?

output=$log/l1/output
[ -e "$output" ] || output=/dev/null
awk -v status=$status -f lab/tap.awk "$output" >"$log.result"

read -r passed failed <"$log.result"
t=$(($(date +%s) - start))
# In one piece: another case may be talking, too.
report=$(printf '%2d:%02d %s: %s passed, %s failed\n' $((t / 60)) $((t % 60)) \
		"$name" "$passed" "$failed"
	sed 1d "$log.result"
	[ "$failed" -eq 0 ] || {
		tail -n 8 "$log.log" | sed 's/^/    /'
		echo "    logs: $log.log $log/"
	})
printf '%s\n' "$report"
