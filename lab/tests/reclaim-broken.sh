#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A program that says discard for pages in use: the checker has to see it.

vcpus=2
. "$lab/tests/lib.sh"
. "$lab/reclaim.sh"

boot()
{
	swap_start zram0 1024 || return
	L2_MEMORY=512M vmm_start "$vcpus" || return
	l2_run "echo always >/sys/kernel/mm/transparent_hugepage/enabled"
}

churn()
{
	vmm_reclaim_start 160M
	l2_run "churn 4 $1 /tmp"
	status=$?
	vmm_reclaim_stop
	return $status
}

finds_lost_pages()
{
	churn 512
	[ $? -eq 1 ]
}

expect "boots" boot
expect "insmod of the broken program" \
	l2_run insmod /hyperupcall.ko programs=reclaim_broken
expect "checker finds lost pages" finds_lost_pages
expect "rmmod" l2_run rmmod hyperupcall
expect "checker is clean again" churn 128
l2_stop
plan
