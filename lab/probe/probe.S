/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A boot sector that asks a QEMU whether VMRUN delivers an injected interrupt
 * once: it injects one into a guest of its own, whose handler counts and spins
 * with interrupts off, for long enough that QEMU leaves its CPU loop a few
 * times. A QEMU with the bug enters the handler again when it does.
 *
 * Leaves by isa-debug-exit at port 0xf4 with the count, or ODD if the guest did
 * not end as it should.
 */
#define VMCB		0x10000
#define HSAVE		0x11000
#define IDT		0x12000
#define HOST_STACK	0x9000
#define GUEST_STACK	0x1f000

#define VECTOR		0x40
#define SPINS		0x30000000	/* some hundred ms at least */
#define ODD		0x10

#define CODE_SEG	0x08
#define DATA_SEG	0x10
#define CODE_ATTR	0xc9b
#define DATA_ATTR	0xc93

#define MSR_EFER	0xc0000080
#define EFER_SVME	0x1000
#define MSR_VM_HSAVE_PA	0xc0010117
#define EXIT_VMMCALL	0x81

/* Offsets in the VMCB, AMD's manual volume 2, appendix B */
#define INTERCEPT_VM	0x010		/* bit 0 VMRUN, bit 1 VMMCALL */
#define ASID		0x058
#define EXITCODE	0x070
#define EVENTINJ	0x0a8
#define SEG(n)		(0x400 + 16 * (n))
#define ES		SEG(0)
#define CS		SEG(1)
#define SS		SEG(2)
#define DS		SEG(3)
#define GDTR		SEG(6)
#define IDTR		SEG(8)
#define EFER		0x4d0
#define CR0		0x558
#define DR7		0x560
#define DR6		0x568
#define RFLAGS		0x570
#define RIP		0x578
#define RSP		0x5d8

	.macro	seg at, selector, attr
	movl	$(\attr << 16 | \selector), VMCB + \at
	movl	$-1, VMCB + \at + 4
	.endm

	.text
	.code16
	.globl	_start
_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	lgdtl	gdtr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$CODE_SEG, $protected

	.code32
protected:
	movw	$DATA_SEG, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$HOST_STACK, %esp

	cld
	movl	$VMCB, %edi
	movl	$0x3000 / 4, %ecx
	xorl	%eax, %eax
	rep stosl

	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_SVME, %eax
	wrmsr
	movl	%eax, VMCB + EFER
	movl	$MSR_VM_HSAVE_PA, %ecx
	movl	$HSAVE, %eax
	xorl	%edx, %edx
	wrmsr

	/* The one gate: the handler is below 64K. */
	movl	$(CODE_SEG << 16), %eax
	orl	$handler, %eax
	movl	%eax, IDT + VECTOR * 8
	movl	$0x8e00, IDT + VECTOR * 8 + 4

	/* The guest: our segments, no paging, interrupts off. */
	seg	ES, DATA_SEG, DATA_ATTR
	seg	CS, CODE_SEG, CODE_ATTR
	seg	SS, DATA_SEG, DATA_ATTR
	seg	DS, DATA_SEG, DATA_ATTR
	movl	$gdt_end - gdt - 1, VMCB + GDTR + 4
	movl	$gdt, VMCB + GDTR + 8
	movl	$0x7ff, VMCB + IDTR + 4
	movl	$IDT, VMCB + IDTR + 8
	movl	%cr0, %eax
	movl	%eax, VMCB + CR0
	movl	$0x400, VMCB + DR7
	movl	$0xffff0ff0, VMCB + DR6
	movl	$2, VMCB + RFLAGS
	movl	$guest, VMCB + RIP
	movl	$GUEST_STACK, VMCB + RSP
	movl	$3, VMCB + INTERCEPT_VM
	movl	$1, VMCB + ASID
	movl	$(0x80000000 | VECTOR), VMCB + EVENTINJ

	movl	$VMCB, %eax
	vmrun
	movl	count, %eax
	cmpl	$EXIT_VMMCALL, VMCB + EXITCODE
	je	report
	movl	$ODD, %eax
report:
	outl	%eax, $0xf4
1:	hlt
	jmp	1b

guest:
	vmmcall

handler:
	incl	count
	cmpl	$1, count
	jne	2f
	movl	$SPINS, %ecx
1:	decl	%ecx
	jnz	1b
2:	iretl

count:
	.long	0

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff
	.quad	0x00cf93000000ffff
gdt_end:
gdtr:
	.word	gdt_end - gdt - 1
	.long	gdt

	.org	510
	.word	0xaa55
