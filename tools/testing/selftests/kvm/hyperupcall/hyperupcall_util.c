// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the hyperupcall tests share, see hyperupcall_util.h.
 */
#include <linux/kvm_para.h>

#include "apic.h"
#include "hyperupcall_util.h"

/* One page for each vCPU: what its agent is to call, and room for a struct. */
struct hup_cmd {
	hup_guest_fn fn;
	uint64_t arg[4];
	uint64_t ret;
	uint8_t buf[1024];
};

#define HUP_DATA_PAGES	4
#define HUP_LOG_SIZE	(64 * 1024)

static void guest_agent(struct hup_cmd *cmd)
{
	for (;;) {
		GUEST_UCALL_NONE();
		cmd->ret = cmd->fn(cmd->arg[0], cmd->arg[1], cmd->arg[2],
				   cmd->arg[3]);
	}
}

/* Runs the vCPU until its agent waits for the next command. */
static void hup_run_agent(struct hup_vcpu *hv)
{
	struct ucall uc;

	if (hv->run)
		hv->run(hv->vcpu);
	else
		vcpu_run(hv->vcpu);
	TEST_ASSERT_KVM_EXIT_REASON(hv->vcpu, KVM_EXIT_IO);
	if (get_ucall(hv->vcpu, &uc) == UCALL_ABORT)
		REPORT_GUEST_ASSERT(uc);
	TEST_ASSERT(uc.cmd == UCALL_NONE, "unexpected ucall %lu", uc.cmd);
}

static void hup_prepare(struct hup_vcpu *hv, hup_guest_fn fn, uint64_t a0,
			uint64_t a1, uint64_t a2, uint64_t a3)
{
	hv->cmd->fn = fn;
	hv->cmd->arg[0] = a0;
	hv->cmd->arg[1] = a1;
	hv->cmd->arg[2] = a2;
	hv->cmd->arg[3] = a3;
}

uint64_t hup_guest(struct hup *h, unsigned int vcpu, hup_guest_fn fn,
		   uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct hup_vcpu *hv = &h->vcpus[vcpu];

	hup_prepare(hv, fn, a0, a1, a2, a3);
	hup_run_agent(hv);
	return hv->cmd->ret;
}

static void *hup_thread(void *arg)
{
	hup_run_agent(arg);
	return NULL;
}

void hup_start(struct hup *h, unsigned int vcpu, hup_guest_fn fn,
	       uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	struct hup_vcpu *hv = &h->vcpus[vcpu];
	int r;

	hup_prepare(hv, fn, a0, a1, a2, a3);
	r = pthread_create(&hv->thread, NULL, hup_thread, hv);
	TEST_ASSERT(!r, "pthread_create: %s", strerror(r));
}

uint64_t hup_join(struct hup *h, unsigned int vcpu)
{
	struct hup_vcpu *hv = &h->vcpus[vcpu];
	int r = pthread_join(hv->thread, NULL);

	TEST_ASSERT(!r, "pthread_join: %s", strerror(r));
	return hv->cmd->ret;
}

static struct hup_mem hup_alloc(struct kvm_vm *vm, size_t size)
{
	struct hup_mem mem = { .size = size };

	mem.gva = vm_vaddr_alloc(vm, size, KVM_UTIL_MIN_VADDR);
	mem.hva = addr_gva2hva(vm, mem.gva);
	return mem;
}

static void hup_add_vcpu(struct hup *h, uint32_t id)
{
	struct hup_vcpu *hv = &h->vcpus[id];
	struct hup_mem page = hup_alloc(h->vm, getpagesize());
	struct kvm_sregs sregs;

	kvm_static_assert(sizeof(struct hup_cmd) <= 4096);

	hv->cmd = page.hva;
	hv->cmd_gva = page.gva;
	hv->vcpu = vm_vcpu_add(h->vm, id, guest_agent);
	/* While the vCPU runs, its statistics can be read, but not opened. */
	hv->stats_fd = vcpu_get_stats_fd(hv->vcpu);
	vcpu_args_set(hv->vcpu, 1, page.gva);

	/* Without WP, a page that is read-only is not so for CPL 0. */
	vcpu_sregs_get(hv->vcpu, &sregs);
	sregs.cr0 |= X86_CR0_WP;
	vcpu_sregs_set(hv->vcpu, &sregs);
}

int hup_enable(struct kvm_vm *vm, const void *policy, size_t size)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_HYPERUPCALL,
		.args = { (uintptr_t)policy, size },
	};

	return __vm_ioctl(vm, KVM_ENABLE_CAP, &cap) ? -errno : 0;
}

/* A VM without vCPUs, hyperupcalls off. */
struct hup *hup_create_vm(unsigned int nr_vcpus)
{
	struct hup *h = calloc(1, sizeof(*h));

	TEST_ASSERT(h && nr_vcpus <= HUP_MAX_VCPUS, "cannot create VM");
	h->nr_vcpus = nr_vcpus;
	h->vm = __vm_create(VM_SHAPE_DEFAULT, nr_vcpus, 1024);
	return h;
}

/* Adds vCPUs that have not run yet, and the tests' memory. */
void hup_add_vcpus(struct hup *h)
{
	unsigned int i;

	for (i = 0; i < h->nr_vcpus; i++)
		hup_add_vcpu(h, i);
	h->insns = hup_alloc(h->vm, HUP_MAX_INSNS * sizeof(struct bpf_insn));
	h->log = hup_alloc(h->vm, HUP_LOG_SIZE);
	h->data = hup_alloc(h->vm, HUP_DATA_PAGES * getpagesize());
}

/* Runs the vCPUs until their agents wait. */
void hup_boot(struct hup *h)
{
	unsigned int i;

	for (i = 0; i < h->nr_vcpus; i++)
		hup_run_agent(&h->vcpus[i]);
}

struct hup *hup_create_off(unsigned int nr_vcpus)
{
	struct hup *h = hup_create_vm(nr_vcpus);

	hup_add_vcpus(h);
	hup_boot(h);
	return h;
}

struct hup *hup_create_policy(unsigned int nr_vcpus,
			      const struct kvm_hyperupcall_policy *policy)
{
	struct hup *h = hup_create_vm(nr_vcpus);
	int r = hup_enable(h->vm, policy, policy ? sizeof(*policy) : 0);

	TEST_ASSERT(!r, "KVM_CAP_HYPERUPCALL: %s", strerror(-r));
	hup_add_vcpus(h);
	hup_boot(h);
	return h;
}

struct hup *hup_create(unsigned int nr_vcpus)
{
	return hup_create_policy(nr_vcpus, NULL);
}

static void hup_close_stats(struct hup *h)
{
	unsigned int i;

	for (i = 0; i < h->nr_vcpus; i++)
		close(h->vcpus[i].stats_fd);
}

/* Destroys the VM and leaves the VMM's memory alone. */
void hup_release(struct hup *h)
{
	hup_close_stats(h);
	kvm_vm_release(h->vm);
}

void hup_free(struct hup *h)
{
	hup_close_stats(h);
	kvm_vm_free(h->vm);
	free(h);
}

struct hup_mem hup_add_slot(struct hup *h, enum vm_mem_backing_src_type type,
			    uint32_t slot, unsigned int npages, uint32_t flags)
{
	struct hup_mem mem = { .size = npages * getpagesize() };
	vm_paddr_t gpa = (1ULL << 30) + ((uint64_t)slot << 24);

	vm_userspace_mem_region_add(h->vm, type, gpa, slot, npages, flags);
	mem.gva = vm_vaddr_unused_gap(h->vm, mem.size, gpa);
	virt_map(h->vm, mem.gva, gpa, npages);
	mem.hva = addr_gpa2hva(h->vm, gpa);
	return mem;
}

static void hup_set_user_bit(struct kvm_vm *vm, vm_paddr_t table, int level)
{
	uint64_t *pte = addr_gpa2hva(vm, table);
	int i;

	for (i = 0; i < 512; i++) {
		if (!(pte[i] & PTE_PRESENT_MASK))
			continue;
		pte[i] |= PTE_USER_MASK;
		if (level > PG_LEVEL_4K && !(pte[i] & PTE_LARGE_MASK))
			hup_set_user_bit(vm, PTE_GET_PA(pte[i]), level - 1);
	}
}

/* Lets the agent of vCPU 0 go on at another privilege level. */
void hup_set_cpl(struct hup *h, unsigned int cpl)
{
	struct kvm_vcpu *vcpu = h->vcpus[0].vcpu;
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	hup_set_user_bit(h->vm, h->vm->pgd, PG_LEVEL_512G);

	vcpu_sregs_get(vcpu, &sregs);
	sregs.cs.dpl = cpl;
	sregs.cs.selector = (sregs.cs.selector & ~3) | cpl;
	sregs.ss.dpl = cpl;
	sregs.ss.selector = (sregs.ss.selector & ~3) | cpl;
	vcpu_sregs_set(vcpu, &sregs);

	/* The agent reports by I/O, which CPL 3 may do at IOPL 3. */
	vcpu_regs_get(vcpu, &regs);
	regs.rflags |= 3 << 12;
	vcpu_regs_set(vcpu, &regs);
}

static uint64_t hup_read_stat(int fd, const char *name)
{
	struct kvm_stats_desc *descs, *desc;
	struct kvm_stats_header header;
	uint64_t value = 0;
	bool found = false;
	int i;

	read_stats_header(fd, &header);
	descs = read_stats_descriptors(fd, &header);
	for (i = 0; i < header.num_desc && !found; i++) {
		desc = get_stats_descriptor(descs, i, &header);
		if (strcmp(desc->name, name))
			continue;
		read_stat_data(fd, &header, desc, &value, 1);
		found = true;
	}
	TEST_ASSERT(found, "no statistic '%s'", name);
	free(descs);
	return value;
}

uint64_t hup_vcpu_stat(struct hup *h, unsigned int vcpu, const char *name)
{
	return hup_read_stat(h->vcpus[vcpu].stats_fd, name);
}

/* Waits until the vCPU's thread sleeps in HLT. */
void hup_wait_blocking(struct hup *h, unsigned int vcpu)
{
	while (!hup_read_stat(h->vcpus[vcpu].stats_fd, "blocking"))
		usleep(1000);
}

static uint64_t guest_hypercall(uint64_t a0, uint64_t a1, uint64_t a2,
				uint64_t a3)
{
	return kvm_hypercall(KVM_HC_HYPERUPCALL, a0, a1, a2, a3);
}

long hup_raw(struct hup *h, uint64_t op, uint64_t gva, uint64_t size,
	     uint64_t a3)
{
	return hup_guest(h, 0, guest_hypercall, op, gva, size, a3);
}

long hup_op_on(struct hup *h, unsigned int vcpu, uint64_t op, void *arg,
	       size_t size)
{
	struct hup_vcpu *hv = &h->vcpus[vcpu];
	long r;

	TEST_ASSERT(size <= sizeof(hv->cmd->buf), "struct too large");
	memcpy(hv->cmd->buf, arg, size);
	r = hup_guest(h, vcpu, guest_hypercall, op,
		      hv->cmd_gva + offsetof(struct hup_cmd, buf), size, 0);
	memcpy(arg, hv->cmd->buf, size);
	return r;
}

long hup_op(struct hup *h, uint64_t op, void *arg, size_t size)
{
	return hup_op_on(h, 0, op, arg, size);
}

void hup_query(struct hup *h, struct hyperupcall_query *query)
{
	long r;

	memset(query, 0, sizeof(*query));
	r = hup_op(h, HYPERUPCALL_QUERY, query, sizeof(*query));
	TEST_ASSERT(!r, "QUERY returned %ld", r);
}

long hup_map(struct hup *h, vm_vaddr_t gva, uint64_t size, uint32_t flags,
	     uint32_t *offset)
{
	struct hyperupcall_map map = {
		.gva = gva,
		.size = size,
		.flags = flags,
	};
	long r = hup_op(h, HYPERUPCALL_MAP, &map, sizeof(map));

	if (r)
		return r;
	TEST_ASSERT(map.region && map.offset && !(map.offset % getpagesize()) &&
		    map.offset + size <= 1ULL << 32,
		    "MAP gave region %u at %#llx", map.region, map.offset);
	if (offset)
		*offset = map.offset;
	return map.region;
}

long hup_unmap(struct hup *h, uint32_t region)
{
	struct hyperupcall_unmap unmap = { .region = region };

	return hup_op(h, HYPERUPCALL_UNMAP, &unmap, sizeof(unmap));
}

static long hup_load_flags(struct hup *h, const struct bpf_insn *insns,
			   uint32_t cnt, uint32_t flags)
{
	struct hyperupcall_load load = {
		.insns = h->insns.gva,
		.insn_cnt = cnt,
		.flags = flags,
		.name = "selftest",
		.log_buf = h->log.gva,
		.log_size = h->log.size,
		.log_level = 1,
	};
	long r;

	TEST_ASSERT(cnt <= HUP_MAX_INSNS, "program too long");
	memcpy(h->insns.hva, insns, cnt * sizeof(*insns));
	memset(h->log.hva, 0, h->log.size);
	r = hup_op(h, HYPERUPCALL_LOAD, &load, sizeof(load));
	if (r)
		return r;
	TEST_ASSERT(load.prog, "LOAD gave no id");
	return load.prog;
}

long hup_load(struct hup *h, const struct bpf_insn *insns, uint32_t cnt)
{
	return hup_load_flags(h, insns, cnt, 0);
}

/* For a global event, where may_goto has less iterations. */
long hup_load_global(struct hup *h, const struct bpf_insn *insns, uint32_t cnt)
{
	return hup_load_flags(h, insns, cnt, HYPERUPCALL_LOAD_GLOBAL);
}

long hup_unload(struct hup *h, uint32_t prog)
{
	struct hyperupcall_unload unload = { .prog = prog };

	return hup_op(h, HYPERUPCALL_UNLOAD, &unload, sizeof(unload));
}

static long __hup_link(struct hup *h, struct hyperupcall_link *link)
{
	long r = hup_op(h, HYPERUPCALL_LINK, link, sizeof(*link));

	if (r)
		return r;
	TEST_ASSERT(link->link, "LINK gave no id");
	return link->link;
}

long hup_link(struct hup *h, uint32_t prog, uint32_t event)
{
	struct hyperupcall_link link = { .prog = prog, .event = event };

	return __hup_link(h, &link);
}

long hup_replace(struct hup *h, uint32_t prog, uint32_t event, uint32_t id)
{
	struct hyperupcall_link link = {
		.prog = prog,
		.event = event,
		.flags = HYPERUPCALL_LINK_REPLACE,
		.link = id,
	};

	return __hup_link(h, &link);
}

long hup_unlink(struct hup *h, uint32_t link)
{
	struct hyperupcall_unlink unlink = { .link = link };

	return hup_op(h, HYPERUPCALL_UNLINK, &unlink, sizeof(unlink));
}

void hup_stats(struct hup *h, uint32_t link, struct hyperupcall_stats *stats)
{
	long r;

	memset(stats, 0, sizeof(*stats));
	stats->link = link;
	r = hup_op(h, HYPERUPCALL_STATS, stats, sizeof(*stats));
	TEST_ASSERT(!r, "STATS of link %u returned %ld", link, r);
}

long hup_test_run(struct hup *h, uint32_t prog,
		  struct hyperupcall_test_run *run)
{
	long r;

	run->prog = prog;
	do {
		r = hup_op(h, HYPERUPCALL_TEST_RUN, run, sizeof(*run));
	} while (r == -EAGAIN || r == -EDQUOT);
	return r;
}

uint64_t hup_run(struct hup *h, uint32_t prog, uint64_t data0, uint64_t data1,
		 uint64_t *faults)
{
	struct hyperupcall_test_run run = {
		.ctx.data = { data0, data1 },
	};
	long r = hup_test_run(h, prog, &run);

	TEST_ASSERT(!r, "TEST_RUN of program %u returned %ld", prog, r);
	if (faults)
		*faults = run.faults;
	return run.retval;
}

/* Registers of a vCPU that has been reset, as far as KVM tells by them. */
void hup_leave_paged_mode(struct kvm_sregs *sregs)
{
	sregs->cr0 &= ~X86_CR0_PG;
	sregs->efer = 0;
	sregs->cs.l = 0;
	sregs->cs.db = 1;
}

void hup_set_smm(struct kvm_vcpu *vcpu, bool smm)
{
	struct kvm_vcpu_events events;

	vcpu_events_get(vcpu, &events);
	events.flags = KVM_VCPUEVENT_VALID_SMM;
	events.smi.smm = smm;
	vcpu_events_set(vcpu, &events);
}

/* The vCPU is then as it was, for the agent. */
void hup_reset_vcpu(struct hup *h, unsigned int vcpu_id)
{
	struct kvm_vcpu *vcpu = h->vcpus[vcpu_id].vcpu;
	struct kvm_sregs sregs, reset;

	vcpu_sregs_get(vcpu, &sregs);
	reset = sregs;
	hup_leave_paged_mode(&reset);
	vcpu_sregs_set(vcpu, &reset);
	vcpu_sregs_set(vcpu, &sregs);
}

void hup_find_apic(struct hup *h, unsigned int vcpu_id)
{
	struct kvm_lapic_state lapic;

	vcpu_ioctl(h->vcpus[vcpu_id].vcpu, KVM_GET_LAPIC, &lapic);
	vcpu_ioctl(h->vcpus[vcpu_id].vcpu, KVM_SET_LAPIC, &lapic);
}

static void hup_send(struct hup *h, unsigned int vcpu_id, uint32_t mode)
{
	struct kvm_msi msi = {
		.address_lo = APIC_DEFAULT_GPA | vcpu_id << 12,
		.data = mode,
	};

	TEST_ASSERT(__vm_ioctl(h->vm, KVM_SIGNAL_MSI, &msi) > 0,
		    "KVM_SIGNAL_MSI");
}

void hup_send_init(struct hup *h, unsigned int vcpu_id)
{
	hup_find_apic(h, vcpu_id);
	hup_send(h, vcpu_id, APIC_DM_INIT);
}

void hup_send_nmi(struct hup *h, unsigned int vcpu_id)
{
	hup_send(h, vcpu_id, APIC_DM_NMI);
}

unsigned long hup_locked_kb(void)
{
	unsigned long kb, sum = 0;
	char line[128];
	FILE *f = fopen("/proc/self/status", "r");

	TEST_ASSERT(f, "cannot read /proc/self/status");
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmLck: %lu", &kb) == 1 ||
		    sscanf(line, "VmPin: %lu", &kb) == 1)
			sum += kb;
	}
	fclose(f);
	return sum;
}
