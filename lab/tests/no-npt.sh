#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Selftests on a host that translates guest addresses by shadow page tables.

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/lab/env.sh"
log=check$suffix/no-npt-boot
tests=
for name in interrupt interrupt_flush window taken_memory dirty_log reclaim lifetime_reset; do
	tests="$tests build/selftests/hyperupcall/${name}_test"
done

status=0
"$root/lab/boot.sh" -i -c 2 -t 600 -a 'kvm_amd.npt=0 kvm_intel.ept=0' "$log" \
	sh -c "grep -qx N /sys/module/kvm_*/parameters/[en]pt &&
		exec sh lab/tests/selftest.sh $tests" >&2 || status=$?
cat "$build/log/$log/l1/output"
exit $status
