#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest's program in the host's bpftool: what it is, and whose.

vcpus=2
. "$lab/tests/lib.sh"
bpftool=$lab/../build/bpftool/bpftool

no_program()
{
	"$bpftool" prog show >/run/progs || return
	cat /run/progs
	! grep -q hyperupcall /run/progs
}

# "5: hyperupcall  name tlb  tag 0123456789abcdef  gpl  vmm_pid 123"
program()
{
	"$bpftool" prog show >/run/progs || return
	cat /run/progs
	grep -qE "^[0-9]+: hyperupcall  name tlb  .* vmm_pid $l2_pid\$" /run/progs
}

program_in_json()
{
	"$bpftool" -j prog show >/run/progs || return
	cat /run/progs
	grep -q "\"type\":\"hyperupcall\",\"name\":\"tlb\"" /run/progs &&
		grep -q "\"vmm_pid\":$l2_pid[,}]" /run/progs
}

dump()
{
	id=$(awk '$2 == "hyperupcall" { print $1 + 0 }' /run/progs)
	"$bpftool" prog dump xlated id "$id" >/run/dump || return
	head -n 3 /run/dump
	[ -s /run/dump ]
}

not_run()
{
	not "$bpftool" prog run id "$id" data_in /run/progs repeat 1
}

expect "boots" boot
expect "no program" no_program
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
expect "its program" program
expect "its instructions" dump
expect "it cannot be run" not_run
expect "its program, in JSON" program_in_json
expect "rmmod" l2_run rmmod hyperupcall
expect "no program any more" no_program
l2_stop
plan
