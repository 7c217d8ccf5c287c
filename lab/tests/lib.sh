# SPDX-License-Identifier: GPL-2.0
#
# For tests that run in L1 with a Linux guest. Sourced by them.
#
#	expect WHAT COMMAND...		one test: COMMAND has to succeed
#	plan				at the end: how many there were
#	consumed			IPIs that KVM consumed for this VM
#	charged				memory that is charged to the VMM, in kB

. "$lab/l2.sh"

tests=0
failures=0

expect()
{
	tests=$((tests + 1))
	what=$1
	shift
	if "$@" >/run/expect 2>&1; then
		echo "ok $tests - $what"
	else
		echo "not ok $tests - $what"
		echo "# $* failed:"
		failures=$((failures + 1))
	fi
	sed 's/^/# /' /run/expect
	echo "# at $(cut -d ' ' -f 1 /proc/uptime) s"
}

plan()
{
	echo "1..$tests"
	exit $((failures > 0))
}

not()
{
	! "$@"
}

consumed()
{
	l2_stat ipis_consumed
}

charged()
{
	awk '/^Vm(Lck|Pin):/ { sum += $2 } END { print sum }' \
		/proc/"$l2_pid"/status
}

# The workload for two seconds, and whether IPIs were consumed meanwhile.
shootdowns_are_consumed()
{
	before=$(consumed)
	l2_run "shootdown munmap $vcpus 2" || return
	echo "ipis_consumed $before $(consumed)"
	[ "$(consumed)" -gt "$before" ]
}

shootdowns_are_delivered()
{
	before=$(consumed)
	l2_run "shootdown munmap $vcpus 2" || return
	echo "ipis_consumed $before $(consumed)"
	[ "$(consumed)" -eq "$before" ]
}

memory_is_charged()
{
	echo "$(charged) kB are charged"
	[ "$(charged)" -gt 0 ]
}

nothing_is_charged()
{
	echo "$(charged) kB are charged"
	[ "$(charged)" -eq 0 ]
}

boot()
{
	l2_start "$vcpus" ,kvm-pv-tlb-flush=off
}
