#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A CPU that shows a guest's program what others left in its buffers, here one with
# TSA, gets no hyperupcalls, unless mitigations are off.

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/lab/env.sh"
log=check$suffix/unsafe-cpu-
skipped=4

# boot NAME STATUS [BOOT OPTION...]: what a selftest says that needs hyperupcalls
boot()
{
	name=$1 expected=$2
	shift 2
	status=0
	L1_CPU=EPYC-Milan "$root/lab/boot.sh" -i -t 300 "$@" "$log$name" \
		sh lab/tests/selftest.sh \
		build/selftests/hyperupcall/window_limit_test || status=$?
	[ "$status" -eq "$expected" ]
}

result()
{
	if [ "$2" -eq 0 ]; then
		echo "ok $1 - $3"
	else
		echo "not ok $1 - $3"
	fi
}

"$root/lab/accel.sh" | grep -q 'accel tcg' || {
	echo '1..0 # SKIP the CPU is not ours to choose'
	exit
}
echo 1..2
boot on $skipped >&2
result 1 $? 'no hyperupcalls on a CPU with TSA'
boot off 0 -a mitigations=off >&2
result 2 $? 'hyperupcalls on a CPU with TSA, with mitigations=off'
