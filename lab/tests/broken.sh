#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A program that consumes IPIs and flushes nothing: the checker has to see it.

vcpus=4
. "$lab/tests/lib.sh"

finds_lost_flush()
{
	l2_run "shootdown_check $vcpus 20"
	[ $? -eq 1 ]
}

expect "boots" boot
expect "insmod of the broken program" \
	l2_run insmod /hyperupcall.ko programs=tlb_broken
expect "checker finds lost flushes" finds_lost_flush
expect "rmmod" l2_run rmmod hyperupcall
expect "checker is clean again" l2_run "shootdown_check $vcpus 5"
l2_stop
plan
