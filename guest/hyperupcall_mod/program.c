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

static int map_globals(struct program *program, u64 *window)
{
	const struct object *obj = &program->obj;
	const void *init;
	size_t size;
	int err;

	*window = 0;
	if (!obj->globals)
		return 0;

	init = object_section(obj, obj->globals, &size);
	program->globals = vzalloc(PAGE_ALIGN(size));
	if (!program->globals)
		return -ENOMEM;
	memcpy(program->globals, init, size);

	err = window_map(obj->name, program->globals, size,
			 HYPERUPCALL_MAP_WRITE, window);
	if (err)
		return err;

	program->cpus = shared_global(program, HYPERUPCALL_CPUS_SYMBOL,
				      sizeof(struct hyperupcall_cpu[HYPERUPCALL_MAX_CPUS]));
	program->memory = shared_global(program, HYPERUPCALL_MEMORY_SYMBOL,
					sizeof(struct hyperupcall_memory[HYPERUPCALL_MAX_MEMORY]));
	program->guest = shared_global(program, HYPERUPCALL_GUEST_SYMBOL,
				       sizeof(*program->guest));
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
	const char *name = program->obj.name;
	struct hyperupcall_load load = {};
	struct bpf_insn *insns;
	long err;

	insns = relocate(&program->obj, window, &load.insn_cnt);
	if (IS_ERR(insns))
		return PTR_ERR(insns);

	load.insns = (unsigned long)insns;
	if (is_global(program->obj.event))
		load.flags = HYPERUPCALL_LOAD_GLOBAL;
	strscpy(load.name, name);
	err = hypercall(HYPERUPCALL_LOAD, &load, sizeof(load));
	if (!err) {
		program->prog = load.prog;
	} else {
		pr_err("%s: the hypervisor refuses the program: %ld\n", name,
		       err);
		if (err == -EACCES || err == -EINVAL || err == -E2BIG)
			explain(name, &load);
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

struct program *program_load(const struct embedded *embedded)
{
	struct program *program;
	u64 window;
	int err;

	program = kzalloc(sizeof(*program), GFP_KERNEL);
	if (!program)
		return ERR_PTR(-ENOMEM);

	err = object_parse(&program->obj, embedded);
	if (!err)
		err = check_event(program);
	if (!err)
		err = map_globals(program, &window);
	if (!err)
		err = load(program, window);
	if (err) {
		program_free(program);
		return ERR_PTR(err);
	}
	return program;
}

/*
 * A program may see this change at any time, and takes a copy of an entry with
 * smp_load_acquire(&window). What else is in an entry never changes.
 */
void program_set_cpu(struct program *program, unsigned int cpu, bool online)
{
	const struct hyperupcall_cpu *area;
	struct hyperupcall_cpu *entry;
	unsigned int vcpu;

	area = percpu_area(cpu, &vcpu);
	if (!program->cpus || vcpu >= HYPERUPCALL_MAX_CPUS)
		return;

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

int program_link(struct program *program)
{
	struct hyperupcall_link link = {
		.prog = program->prog,
		.event = program->obj.event,
	};
	long err;

	err = hypercall(HYPERUPCALL_LINK, &link, sizeof(link));
	if (err)
		pr_err("%s: the hypervisor refuses to link the program: %ld\n",
		       program->obj.name, err);
	else
		program->link = link.link;
	return err;
}

/* These two may run in a panic; called again they do nothing. */
void program_unlink(struct program *program)
{
	struct hyperupcall_unlink unlink = { .link = xchg(&program->link, 0) };

	if (unlink.link)
		hypercall(HYPERUPCALL_UNLINK, &unlink, sizeof(unlink));
}

void program_unload(struct program *program)
{
	struct hyperupcall_unload unload = { .prog = xchg(&program->prog, 0) };

	if (unload.prog)
		hypercall(HYPERUPCALL_UNLOAD, &unload, sizeof(unload));
}

/*
 * The program is unloaded, but its globals may still be in the window: only
 * programs look there, and there is none that could.
 */
void program_free(struct program *program)
{
	vfree(program->globals);
	kfree(program);
}
