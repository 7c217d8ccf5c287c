#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# selftest.sh BINARY...: KVM selftests, one after the other, from a tmpfs. Their
# VMMs ask for hyperupcalls. The host of those called *_swap_test has swap.

. "$lab/reclaim.sh"
echo 1 >/sys/module/kvm/parameters/hyperupcall
status=0
for test; do
	echo "# $test"
	cp "$test" /run/selftest
	case $test in
	*_swap_test)	swap_start zram0 256 || status=$? ;;
	esac
	/run/selftest || status=$?
	case $test in
	*_swap_test)	swap_stop zram0 ;;
	esac
done
exit $status
