#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A leak fails whatever ran in L1: with the kernel's own sample of leaks it
# does, and without it does not.

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/lab/env.sh"
log=check$suffix/leak-

result()
{
	if [ "$2" -eq 0 ]; then
		echo "ok $1 - $3"
	else
		echo "not ok $1 - $3"
	fi
}

echo 1..2
"$root/lab/boot.sh" -i -t 300 "${log}none" true
result 1 $? 'nothing leaks'

said=$("$root/lab/boot.sh" -i -t 300 "${log}some" \
	insmod "$obj/samples/kmemleak/kmemleak-test.ko" 2>&1)
echo "$said" | grep -q 'L1 leaks memory' &&
	grep -q kmemleak_test_init "$build/log/${log}some/l1/leaks"
result 2 $? 'a leak is found'
