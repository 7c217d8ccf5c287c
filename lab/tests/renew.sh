# SPDX-License-Identifier: GPL-2.0
#
# For tests in which the host drops what a guest registered and the guest goes on.
# Sourced by them after lib.sh.
#
#	links_are NUMBER		so many programs are linked, within 30 s
#	renews				insmod's programs are linked again, and work
#	check_start SECONDS		the checker, in the background of L2
#	check_is_clean			and what it said in the end

links()
{
	grep -c ^link /sys/kernel/debug/kvm/"$l2_pid"-*/hyperupcalls
}

# In the guest's time that is less.
links_are()
{
	for _ in $(seq 150); do
		[ "$(links)" -eq "$1" ] && break
		sleep 0.2
	done
	echo "$(links) links"
	[ "$(links)" -eq "$1" ]
}

count_in_guest()
{
	l2_run "sed -n 's/^consumed //p' /sys/kernel/debug/hyperupcall/tlb"
}

guest_says()
{
	l2_run "dmesg -c | grep hyperupcall:" >/run/said
	cat /run/said
	grep -q "$1" /run/said
}

# Counters of the program go on, as does what the guest shows of its link.
renews()
{
	counted=${counted-0}
	links_are "$1" && shootdowns_are_consumed || return
	l2_run "cat /sys/kernel/debug/hyperupcall/tlb"
	[ "$(count_in_guest)" -gt "$counted" ] || return
	counted=$(count_in_guest)
	guest_says "registers them again"
}

check_start()
{
	l2_run "rm -f /tmp/check.status;" \
		"(shootdown_check $vcpus $1 >/tmp/check; echo \$? >/tmp/check.status)" \
		"3>&- >/dev/null 2>&1 &"
}

check_is_clean()
{
	l2_run "for i in \$(seq 300); do [ -e /tmp/check.status ] && break;" \
		"sleep 0.2; done; cat /tmp/check; [ \$(cat /tmp/check.status) -eq 0 ]"
}
