#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# selftest.sh BINARY...: KVM selftests, one after the other, from a tmpfs. Their
# VMMs ask for hyperupcalls.

echo 1 >/sys/module/kvm/parameters/hyperupcall
status=0
for test; do
	echo "# $test"
	cp "$test" /run/selftest
	/run/selftest || status=$?
done
exit $status
