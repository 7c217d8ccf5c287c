#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A guest whose firmware is OVMF, which pages and runs in 64-bit mode long before
# any kernel does: at a restart the host drops what the old kernel gave it all the
# same. The kernel is started without UEFI, so that it finds no ACPI tables and
# has one CPU. QEMU 7.2 emulates no processor on which OVMF can have SMM.

vcpus=1
. "$lab/tests/lib.sh"
firmware=/run/ovmf

boot()
{
	mkdir -p $firmware
	cp /usr/share/OVMF/OVMF_CODE_4M.fd $firmware/code
	cp /usr/share/OVMF/OVMF_VARS_4M.fd $firmware/variables
	L2_OPTIONS="-drive if=pflash,unit=0,format=raw,readonly=on,file=$firmware/code
		-drive if=pflash,unit=1,format=raw,file=$firmware/variables"
	l2_start $vcpus
}

expect "boots" boot
for how in by_vmm by_sysrq; do
	expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
	expect "memory is charged to the VMM" memory_is_charged
	expect "restart $how" $how
	expect "nothing is charged to the VMM after restart $how" \
		nothing_is_charged
done
expect "insmod" l2_run insmod /hyperupcall.ko programs=tlb
l2_stop
plan
