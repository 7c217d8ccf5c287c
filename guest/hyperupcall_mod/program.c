// SPDX-License-Identifier: GPL-2.0
/*
 * A program's way into the hypervisor and out of it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/kvm_para.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "internal.h"

/* The end of the verifier's log is what says why. */
#define LOG_SIZE	SZ_16K

/* A global that the module fills in, NULL if the program does not have it. */
static void *shared_global(struct program *program, const char *name,
			   size_t size)
{
	const Elf64_Sym *sym = object_global(&program->obj, name);
	size_t globals_size;

	if (!sym || sym->st_size != size)
		return NULL;
	object_section(&program->obj, program->obj.globals, &globals_size);
	if (size > globals_size || sym->st_value > globals_size - size)
		return NULL;
	return program->globals + sym->st_value;
}

static int create_globals(struct program *program)
{
	const struct object *obj = &program->obj;
	const void *init;
	size_t size;

	if (!obj->globals)
		return 0;

	init = object_section(obj, obj->globals, &size);
	program->globals = vzalloc(PAGE_ALIGN(size));
	if (!program->globals)
		return -ENOMEM;
	memcpy(program->globals, init, size);

	program->cpus = shared_global(program, HYPERUPCALL_CPUS_SYMBOL,
				      sizeof(struct hyperupcall_cpu[HYPERUPCALL_MAX_CPUS]));
	program->memory = shared_global(program, HYPERUPCALL_MEMORY_SYMBOL,
					sizeof(struct hyperupcall_memory[HYPERUPCALL_MAX_MEMORY]));
	program->guest = shared_global(program, HYPERUPCALL_GUEST_SYMBOL,
				       sizeof(*program->guest));
	program->ipi = shared_global(program, HYPERUPCALL_IPI_SYMBOL,
				     sizeof(*program->ipi));
	return 0;
}

static u64 *counter(struct program *program, const Elf64_Sym *sym)
{
	return program->globals + sym->st_value;
}

/*
 * As they were when the program came, but for its counters, which go on. No
 * queue has a call that is in there: see drain_queues().
 */
static int reset_globals(struct program *program)
{
	const struct object *obj = &program->obj;
	const Elf64_Sym *sym = NULL;
	const void *init;
	size_t size;
	void *new;

	if (!obj->globals)
		return 0;

	init = object_section(obj, obj->globals, &size);
	new = kvmalloc(size, GFP_KERNEL);
	if (!new)
		return -ENOMEM;

	memcpy(new, init, size);
	while ((sym = object_next_count(obj, sym)))
		*(u64 *)(new + sym->st_value) = *counter(program, sym);
	memcpy(program->globals, new, size);
	kvfree(new);
	return 0;
}

static int map_globals(struct program *program, u64 *window)
{
	const struct object *obj = &program->obj;
	size_t size;
	int err;

	*window = 0;
	if (!obj->globals)
		return 0;

	object_section(obj, obj->globals, &size);
	err = window_map(obj->name, program->globals, size,
			 HYPERUPCALL_MAP_WRITE, window);
	if (err)
		return err;

	if (program->guest) {
		program->guest->globals = (unsigned long)program->globals - *window;
		program->guest->percpu_size = percpu_size();
		program->guest->pv_spinlocks = hypercall_feature(KVM_FEATURE_PV_UNHALT);
	}
	return 0;
}

static void print_log(const char *name, char *log)
{
	char *line;

	while ((line = strsep(&log, "\n"))) {
		if (*line)
			pr_err("%s: %s\n", name, line);
	}
}

/* Asks again for a program that was refused, to hear why. */
static void explain(const char *name, const struct hyperupcall_load *refused)
{
	struct hyperupcall_load load = *refused;
	struct hyperupcall_unload unload = {};
	char *log;

	log = vzalloc(LOG_SIZE);
	if (!log)
		return;

	load.log_buf = (unsigned long)log;
	load.log_size = LOG_SIZE;
	load.log_level = 1;
	if (!hypercall(HYPERUPCALL_LOAD, &load, sizeof(load))) {
		unload.prog = load.prog;
		hypercall(HYPERUPCALL_UNLOAD, &unload, sizeof(unload));
	}
	log[LOG_SIZE - 1] = '\0';
	print_log(name, log);
	vfree(log);
}

/* Events that happen to the host, which has stricter limits for them. */
static bool is_global(enum hyperupcall_event event)
{
	return event == HYPERUPCALL_EVENT_RECLAIM || event == HYPERUPCALL_EVENT_AGING;
}

static int load(struct program *program, u64 window)
{
	struct hyperupcall_load *load = &program->load;
	const char *name = program->obj.name;
	struct bpf_insn *insns;
	long err;

	*load = (struct hyperupcall_load) {};
	insns = relocate(&program->obj, window, &load->insn_cnt);
	if (IS_ERR(insns))
		return PTR_ERR(insns);

	load->insns = (unsigned long)insns;
	if (is_global(program->obj.event))
		load->flags = HYPERUPCALL_LOAD_GLOBAL;
	strscpy(load->name, name);
	err = hypercall(HYPERUPCALL_LOAD, load, sizeof(*load));
	if (err) {
		pr_err("%s: the hypervisor refuses the program: %ld\n", name,
		       err);
		if (err == -EACCES || err == -EINVAL || err == -E2BIG)
			explain(name, load);
	}
	kvfree(insns);
	return err;
}

/*
 * Who discards a free page has zeroes in it afterwards: not where the one who
 * takes it into use wants to find what was written when it became free.
 */
static int check_event(struct program *program)
{
	if (program->obj.event != HYPERUPCALL_EVENT_RECLAIM)
		return 0;
	if (page_poisoning_enabled_static()) {
		pr_err("%s: this kernel poisons free pages (page_poison=1)\n",
		       program->obj.name);
		return -EOPNOTSUPP;
	}
	return 0;
}

/* A program that the hypervisor does not have yet. */
struct program *program_create(const struct embedded *embedded)
{
	struct program *program;
	int err;

	program = kzalloc(sizeof(*program), GFP_KERNEL);
	if (!program)
		return ERR_PTR(-ENOMEM);

	err = object_parse(&program->obj, embedded);
	if (!err)
		err = check_event(program);
	if (!err)
		err = create_globals(program);
	if (err) {
		program_free(program);
		return ERR_PTR(err);
	}
	return program;
}

/* Gives it to the hypervisor, which does not have it, not even in part. */
int program_load(struct program *program)
{
	u64 window;
	int err;

	err = reset_globals(program);
	if (!err)
		err = map_globals(program, &window);
	return err ?: load(program, window);
}

/*
 * A program may see this change at any time, and takes a copy of an entry with
 * smp_load_acquire(&window). What else is in an entry never changes.
 */
void program_set_cpu(struct program *program, unsigned int cpu, bool online)
{
	const struct hyperupcall_cpu *area = percpu_area(cpu);
	unsigned int vcpu = percpu_vcpu(cpu);
	struct hyperupcall_cpu *entry;

	if (!program->cpus)
		return;
	if (vcpu >= HYPERUPCALL_MAX_CPUS) {
		pr_info_once("CPU %u is vCPU %u, and programs know vCPUs below %u\n",
			     cpu, vcpu, HYPERUPCALL_MAX_CPUS);
		return;
	}

	entry = &program->cpus[vcpu];
	if (online) {
		entry->gva = area->gva;
		entry->cpu = area->cpu;
		/* Pairs with guest_cpu(). */
		smp_store_release(&entry->window, area->window);
	} else {
		WRITE_ONCE(entry->window, 0);
	}
}

/* The @i-th piece of memory that a program knows; NULL if there is none. */
void program_set_memory(struct program *program, unsigned int i,
			const struct hyperupcall_memory *piece)
{
	struct hyperupcall_memory *entry = &program->memory[i];

	if (!piece) {
		WRITE_ONCE(entry->end, 0);
		return;
	}
	entry->start = piece->start;
	entry->window = piece->window;
	/* Pairs with guest_memory(). */
	smp_store_release(&entry->end, piece->end);
}

/* For programs that may be asked after this kernel has come to its end. */
void program_set_alive(struct program *program, bool alive)
{
	if (program->guest)
		WRITE_ONCE(program->guest->alive, alive);
}

/*
 * Take from a program all that it knows of the guest, in any context: in a run
 * that begins after that it has no opinion, and leaves no call in a queue. For
 * the case that the hypervisor keeps it.
 */
void program_blind(struct program *program)
{
	unsigned int i;

	program_set_alive(program, false);
	for (i = 0; program->cpus && i < HYPERUPCALL_MAX_CPUS; i++)
		WRITE_ONCE(program->cpus[i].window, 0);
	for (i = 0; program->memory && i < HYPERUPCALL_MAX_MEMORY; i++)
		program_set_memory(program, i, NULL);
}

int program_link(struct program *program)
{
	struct hyperupcall_link *link = &program->link;
	long err;

	*link = (struct hyperupcall_link) {
		.prog = program->load.prog,
		.event = program->obj.event,
	};
	err = hypercall(HYPERUPCALL_LINK, link, sizeof(*link));
	if (err)
		pr_err("%s: the hypervisor refuses to link the program: %ld\n",
		       program->obj.name, err);
	return err;
}

/* These two may run in a panic, and again after they failed. */
int program_unlink(struct program *program)
{
	return hypercall_drop(HYPERUPCALL_UNLINK, program->obj.name,
			      &program->link.link);
}

int program_unload(struct program *program)
{
	return hypercall_drop(HYPERUPCALL_UNLOAD, program->obj.name,
			      &program->load.prog);
}

/* True if the program was linked and the hypervisor does not have the link. */
bool program_is_dropped(const struct program *program)
{
	struct hyperupcall_stats stats = {
		.link = READ_ONCE(program->link.link),
	};
	long err;

	if (!stats.link)
		return false;
	err = hypercall(HYPERUPCALL_STATS, &stats, sizeof(stats));
	return err == -ENOENT || err == -ENOSYS;
}

/*
 * The globals of a program that is unloaded may still be in the window: only
 * programs look there, and there is none that could. Those of a program that the
 * hypervisor keeps may be written to, and so belong to it for ever.
 */
void program_free(struct program *program)
{
	if (!program->load.prog && !program->link.link)
		vfree(program->globals);
	kfree(program);
}
