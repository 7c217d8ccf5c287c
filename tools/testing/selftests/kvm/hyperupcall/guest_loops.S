/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest code whose addresses a test knows to the instruction.
 */
.text

.globl hup_halt, hup_halted
hup_halt:
	sti
	hlt
hup_halted:
	cli
	ret

.globl hup_spin, hup_spin_end
hup_spin:
	pause
	cmpq $0, (%rdi)
	je hup_spin
hup_spin_end:
	ret

/*
 * Make a hypercall and exit to the VMM, with the registers as they are: the
 * same bytes in 64-bit and in 32-bit mode.
 */
.globl hup_vmmcall, hup_vmcall
hup_vmmcall:
	vmmcall
	inb %dx, %al
hup_vmcall:
	vmcall
	inb %dx, %al

.section .note.GNU-stack, "", %progbits
