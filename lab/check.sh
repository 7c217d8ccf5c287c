#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: runs the cases of lab/cases and the KVM selftests, or
# those of these names, two at a time: each boots an L1 of its own. The last
# line is "N passed, N failed". With VARIANT that is L1's kernel, and the cases
# that run on this machine are left out.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"

"$root/lab/l2-image.sh"
log=build/log/check$suffix
mkdir -p build/log
exec 9>"$log.lock"
flock -n 9 || die "another check.sh is running here, and the logs are its"
rm -rf "$log"
mkdir -p "$log"

cases()
{
	sed -e 's/#.*//' -e '/^[ \t]*$/d' lab/cases
	for test in build/selftests/hyperupcall/*_test; do
		[ ! -x "$test" ] ||
			echo "$(basename "$test") 2 300 sh lab/tests/selftest.sh $test"
	done
}

in_l1()
{
	if [ -n "$VARIANT" ]; then
		awk '$2 > 0'
	else
		cat
	fi
}

wanted()
{
	[ $# -gt 0 ] || { cat; return; }
	while read -r name rest; do
		for one; do
			[ "$one" != "$name" ] || echo "$name $rest"
		done
	done
}

cases | in_l1 | wanted "$@" >"$log/cases"
xargs -r -P 2 -L 1 lab/check-case.sh <"$log/cases"

passed=0
failed=0
while read -r name rest; do
	if read -r p f 2>/dev/null <"$log/$name.result"; then
		passed=$((passed + p)) failed=$((failed + f))
	else
		failed=$((failed + 1))
	fi
done <"$log/cases"
ls build/selftests/hyperupcall/*_test >/dev/null 2>&1 || [ $# -gt 0 ] || {
	echo "there are no KVM selftests in build/selftests/hyperupcall/"
	failed=$((failed + 1))
}
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
