// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program may consume an IPI that asks for a TLB flush if flush_tlb() said
 * that the target executes nothing before the flush. Here a sender changes the
 * page that an address means, sends an IPI, and once it was consumed or
 * handled the target must not reach the old page any more, whatever it does:
 * it goes in and out of HLT, of the guest and of its physical CPU.
 *
 * A program that consumes and flushes nothing must be found out.
 *
 * On emulated SVM every VM entry flushes, so that a stale translation is seen
 * while its vCPU stays in the guest.
 */
#include "interrupt_util.h"
#include "kvm_test_harness.h"

/* PAUSEs after which an IPI is lost, or the target does not use the page. */
#define LOST_AFTER	2000000000ULL
#define UNUSED_AFTER	10000

/*
 * One page for an even generation, one for an odd one. The target reads the
 * generation and counts.
 */
struct flush_page {
	uint64_t generation;
	uint64_t count;
};

/* After struct ipi_data, in the fourth page of struct hup::data. */
struct flush_data {
	uint64_t retired;	/* the last that may not be seen any more */
	uint64_t seen;		/* the last that the target saw */
	uint64_t used;		/* how many it saw before they were retired */
	uint64_t stale_reads;
	uint64_t stale_writes;
};

/* The guest's own copies. */
static struct flush_data *guest_flush;
static struct flush_page *guest_page;		/* the address that changes */
static struct flush_page *guest_pages[2];	/* what it may mean */
static uint64_t *guest_pte;
static uint64_t guest_ptes[2];

FIXTURE(flush) {
	struct hup *h;
	struct ipi_data *data;
	struct flush_data *flush;
	uint32_t offset;
};

FIXTURE_VARIANT(flush) {
	bool one_cpu;		/* both vCPUs share one */
	bool wrong;		/* the program consumes, and flushes nothing */
	unsigned int n;
};

FIXTURE_VARIANT_ADD(flush, two_cpus) { .n = 6000 };
FIXTURE_VARIANT_ADD(flush, one_cpu) { .one_cpu = true, .n = 2000 };
FIXTURE_VARIANT_ADD(flush, wrong_program) { .wrong = true, .n = 1000 };

static void guest_flush_irq(struct ex_regs *regs)
{
	asm volatile("invlpg %0" : : "m" (*guest_page) : "memory");
	guest_irq(regs);
}

static vm_vaddr_t alias(struct kvm_vm *vm, vm_paddr_t gpa)
{
	vm_vaddr_t gva = vm_vaddr_unused_gap(vm, PAGE_SIZE, 1ULL << 31);

	virt_map(vm, gva, gpa, 1);
	return gva;
}

static void prepare_pages(struct hup *h)
{
	vm_vaddr_t gva[2], page, pte_page;
	struct kvm_vm *vm = h->vm;
	vm_paddr_t pte_gpa;
	uint64_t *pte;
	int i;

	for (i = 0; i < 2; i++)
		gva[i] = vm_vaddr_alloc_page(vm);
	page = alias(vm, addr_gva2gpa(vm, gva[0]));
	pte = vm_get_page_table_entry(vm, page);
	for (i = 0; i < 2; i++) {
		guest_ptes[i] = (*pte & ~GENMASK_ULL(51, 12)) |
				addr_gva2gpa(vm, gva[i]);
		guest_pages[i] = (struct flush_page *)gva[i];
	}
	sync_global_to_guest(vm, guest_ptes);
	sync_global_to_guest(vm, guest_pages);
	write_guest_global(vm, guest_page, (struct flush_page *)page);

	pte_gpa = addr_hva2gpa(vm, pte);
	pte_page = alias(vm, pte_gpa & PAGE_MASK);
	write_guest_global(vm, guest_pte,
			   (uint64_t *)(pte_page + pte_gpa % PAGE_SIZE));
	write_guest_global(vm, guest_flush,
			   (struct flush_data *)(h->data.gva + IPI_DATA_SIZE));
}

FIXTURE_SETUP(flush)
{
	struct hup *h = hup_create(2);

	vm_enable_cap(h->vm, KVM_CAP_HALT_POLL, 0);
	self->h = h;
	self->data = ipi_prepare(h, X2APIC, &self->offset);
	self->flush = h->data.hva + IPI_DATA_SIZE;
	memset(self->flush, 0, PAGE_SIZE);
	vm_install_exception_handler(h->vm, VECTOR, guest_flush_irq);
	prepare_pages(h);
}

FIXTURE_TEARDOWN(flush)
{
	hup_free(self->h);
}

/* Before it reads, the reader knows which generation it may not find. */
static void guest_use_page(void)
{
	uint64_t retired = READ_ONCE(guest_flush->retired);
	uint64_t found = READ_ONCE(guest_page->generation);

	if (found <= retired)
		guest_flush->stale_reads++;
	WRITE_ONCE(guest_page->count, READ_ONCE(guest_page->count) + 1);
	WRITE_ONCE(guest_flush->seen, found);
}

/* The target: uses the page, and sleeps or spins in between. */
static uint64_t guest_use_pages(uint64_t random, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	unsigned int i;

	guest_init_timer();
	while (!READ_ONCE(guest_data->stop)) {
		asm volatile("sti");
		for (i = guest_random(&random) % 128; i; i--) {
			guest_use_page();
			cpu_relax();
		}
		asm volatile("cli");
		for (i = guest_random(&random) % 32; i; i--) {
			guest_use_page();
			cpu_relax();
		}
		if (guest_random(&random) % 2)
			guest_sleep(guest_random(&random) % 262144);
	}
	return 0;
}

static uint64_t guest_accounted(void)
{
	return READ_ONCE(guest_data->consumed[VECTOR]) +
	       READ_ONCE(guest_data->received[TARGET][VECTOR]);
}

/* Gives the page to @generation, which the target reads there from then on. */
static void guest_change_page(uint64_t generation)
{
	WRITE_ONCE(guest_pages[generation % 2]->generation, generation);
	WRITE_ONCE(*guest_pte, guest_ptes[generation % 2]);
	/* Visible before the IPI, whatever way that takes. */
	asm volatile("mfence" : : : "memory");
}

static uint64_t guest_first_page(uint64_t a0, uint64_t a1, uint64_t a2,
				 uint64_t a3)
{
	guest_change_page(1);
	return 0;
}

/* Nobody may write to the old page any more, and who reads it finds nothing. */
static void guest_watch_old_page(struct flush_page *old, uint64_t *random)
{
	uint64_t count = READ_ONCE(old->count);

	WRITE_ONCE(old->generation, 0);
	if (guest_random(random) % 2)
		guest_sleep(guest_random(random) % 65536);
	else
		guest_pause(guest_random(random) % 256);
	if (READ_ONCE(old->count) != count)
		guest_flush->stale_writes++;
}

/* The sender. Returns how many it did not send, for one went wrong. */
static uint64_t guest_shoot_down(uint64_t n, uint64_t random, uint64_t a2,
				 uint64_t a3)
{
	uint64_t generation, waited;

	guest_init_timer();
	for (generation = 2; generation < n + 2; generation++) {
		for (waited = 0; waited < UNUSED_AFTER; waited++) {
			if (READ_ONCE(guest_flush->seen) == generation - 1)
				break;
			cpu_relax();
		}
		if (waited < UNUSED_AFTER)
			guest_flush->used++;
		/* It may be anywhere by the time of the IPI. */
		if (guest_random(&random) % 4)
			guest_sleep(guest_random(&random) % 262144);

		guest_change_page(generation);
		guest_send(TARGET, VECTOR, 1, 0);
		for (waited = 0; waited < LOST_AFTER; waited++) {
			if (guest_accounted() >= generation - 1)
				break;
			if (waited % 1024 == 100)
				kvm_hypercall(KVM_HC_SCHED_YIELD, TARGET, 0, 0,
					      0);
			cpu_relax();
		}
		if (guest_accounted() != generation - 1)
			break;
		WRITE_ONCE(guest_flush->retired, generation - 1);
		guest_watch_old_page(guest_pages[(generation - 1) % 2],
				     &random);
	}
	return n + 2 - generation;
}

/* Consumes if the flush is promised. */
static long load_flush(struct hup *h, uint32_t data)
{
	struct hup_asm a = {};
	unsigned int jump;

	hup_emit(&a, BPF_MOV64_REG(BPF_REG_8, BPF_REG_1));
	ipi_emit_asked(&a, data);
	hup_emit(&a, BPF_LDX_MEM(BPF_W, BPF_REG_1, BPF_REG_8,
				 offsetof(struct hyperupcall_ctx,
					  interrupt.target)));
	hup_emit(&a, HUP_CALL(FLUSH_TLB));
	jump = a.cnt;
	hup_emit(&a, BPF_JMP_IMM(BPF_JNE, BPF_REG_0, 1, 0));
	ipi_emit_count(&a, IPI_AT(data, consumed), BPF_REG_6, BPF_REG_3);
	hup_emit_return(&a, HYPERUPCALL_CONSUMED);
	a.insns[jump].off = a.cnt - jump - 1;
	hup_emit_return(&a, HYPERUPCALL_NO_OPINION);
	return hup_load_asm(h, &a);
}

HUP_TEST(flush, stale_translations)
{
	struct hup *h = self->h;
	struct ipi_data *data = self->data;
	struct flush_data *flush = self->flush;
	struct hyperupcall_stats stats;
	long prog, link;

	if (!variant->one_cpu && sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP(return, "two vCPUs cannot run at once on one CPU");

	if (variant->wrong)
		prog = ipi_load_answer(h, self->offset, HYPERUPCALL_CONSUMED);
	else
		prog = load_flush(h, self->offset);
	ASSERT_LT(0, prog) TH_LOG("%s", (char *)h->log.hva);
	link = hup_link(h, prog, HYPERUPCALL_EVENT_INTERRUPT);
	ASSERT_LT(0, link);

	hup_guest(h, SENDER, guest_first_page, 0, 0, 0, 0);
	/*
	 * The scheduler may leave both on one CPU for as long as the test takes.
	 * A vCPU's thread has the CPUs of the one that starts it.
	 */
	kvm_pin_this_task_to_pcpu(variant->one_cpu ? 0 : 1);
	hup_start(h, TARGET, guest_use_pages, 1, 0, 0, 0);
	kvm_pin_this_task_to_pcpu(0);
	hup_start(h, SENDER, guest_shoot_down, variant->n, 2, 0, 0);
	EXPECT_EQ(0, hup_join(h, SENDER));
	ipi_stop(h, TARGET);
	TH_LOG("used %lu consumed %lu handled %u running %lu stale reads %lu writes %lu",
	       flush->used, data->consumed[VECTOR],
	       data->received[TARGET][VECTOR],
	       data->in_state[HYPERUPCALL_VCPU_RUNNING], flush->stale_reads,
	       flush->stale_writes);

	EXPECT_EQ(variant->n,
		  data->consumed[VECTOR] + data->received[TARGET][VECTOR]);
	hup_stats(h, link, &stats);
	EXPECT_EQ(variant->n, stats.runs + stats.throttled);
	EXPECT_EQ(variant->wrong ? 0 : data->consumed[VECTOR],
		  hup_vcpu_stat(h, SENDER, "hyperupcall_flushes"));
	EXPECT_LT(variant->n / 20, data->consumed[VECTOR]);
	EXPECT_LT(variant->n / 20, flush->used);
	if (variant->wrong) {
		EXPECT_LT(0, flush->stale_reads);
		EXPECT_LT(0, flush->stale_writes);
	} else {
		EXPECT_EQ(0, flush->stale_reads);
		EXPECT_EQ(0, flush->stale_writes);
	}
	/* The program has to have both answers. */
	if (!variant->one_cpu && !variant->wrong)
		EXPECT_LT(variant->n / 20, data->received[TARGET][VECTOR]);
}

int main(int argc, char **argv)
{
	TEST_REQUIRE(kvm_has_cap(KVM_CAP_HYPERUPCALL));

	return test_harness_run(argc, argv);
}
