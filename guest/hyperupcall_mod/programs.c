// SPDX-License-Identifier: GPL-2.0
/*
 * All programs of the module: given to the hypervisor, taken back, and told what
 * becomes of the guest meanwhile.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>

#include "internal.h"

/* Held while programs are registered or unregistered, but not in a panic. */
DEFINE_MUTEX(programs_lock);

/* Complete before anything watches for the end of this kernel. */
static LIST_HEAD(programs);
static enum cpuhp_state hotplug_state;

static bool registered;
/* Whether programs know which CPU is on which vCPU; changes with no CPU hotplug. */
static bool cpus_known;

/* What programs with a table of memory know is so until it ends for good. */
static DEFINE_RAW_SPINLOCK(memory_end_lock);
static bool memory_ended;

struct program *programs_find(const char *name)
{
	struct program *program;

	list_for_each_entry(program, &programs, list) {
		if (!strcmp(program->obj.name, name))
			return program;
	}
	return NULL;
}

int programs_add(const struct embedded *embedded)
{
	struct program *program = program_create(embedded);

	if (IS_ERR(program))
		return PTR_ERR(program);
	list_add_tail(&program->list, &programs);
	return 0;
}

void programs_for_each(void (*fn)(struct program *program))
{
	struct program *program;

	list_for_each_entry(program, &programs, list)
		fn(program);
}

bool programs_want_cpus(void)
{
	struct program *program;

	list_for_each_entry(program, &programs, list) {
		if (program->cpus)
			return true;
	}
	return false;
}

/* Is there no use for the program any more? */
static bool has_ended(const struct program *program)
{
	return program->memory && READ_ONCE(memory_ended);
}

bool programs_want_memory(void)
{
	struct program *program;

	list_for_each_entry(program, &programs, list) {
		if (program->memory && !has_ended(program))
			return true;
	}
	return false;
}

static int load_all(void)
{
	struct program *program;
	int err = 0;

	list_for_each_entry(program, &programs, list) {
		if (!err && !has_ended(program))
			err = program_load(program);
	}
	return err;
}

/* What vcpus.c asks is asked by a program that has nothing else to do. */
static int check_vcpus(void)
{
	struct program *program;
	int err = 0;

	list_for_each_entry(program, &programs, list) {
		if (!program->ipi)
			continue;
		err = program_link(program);
		if (!err)
			err = vcpus_check(program->ipi);
		err = program_unlink(program) ?: err;
		err = program_unload(program) ?: err;
		if (err)
			break;
	}
	return err;
}

static void set_cpu(unsigned int cpu, bool online)
{
	struct program *program;

	list_for_each_entry(program, &programs, list)
		program_set_cpu(program, cpu, online);
}

static void tell_cpus(void)
{
	unsigned int cpu;

	guard(cpus_read_lock)();
	WRITE_ONCE(cpus_known, true);
	for_each_online_cpu(cpu)
		set_cpu(cpu, true);
}

static int cpu_goes_online(unsigned int cpu)
{
	if (READ_ONCE(cpus_known))
		set_cpu(cpu, true);
	return 0;
}

static int cpu_goes_offline(unsigned int cpu)
{
	set_cpu(cpu, false);
	return 0;
}

int programs_watch_cpus(void)
{
	int state;

	state = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "hyperupcall:online",
					  cpu_goes_online, cpu_goes_offline);
	if (state < 0) {
		pr_err("cannot watch CPU hotplug: %d\n", state);
		return state;
	}
	hotplug_state = state;
	return 0;
}

void programs_unwatch_cpus(void)
{
	if (hotplug_state)
		cpuhp_remove_state_nocalls(hotplug_state);
}

static void begin(struct program *program)
{
	guard(raw_spinlock_irqsave)(&memory_end_lock);
	program_set_alive(program, !program->memory || !memory_ended);
}

static int link_one(struct program *program)
{
	int err;

	if (program->ipi || has_ended(program))
		return 0;

	begin(program);
	err = program_link(program);
	/* programs_end_memory() may have come by before there was a link. */
	if (!err && has_ended(program))
		program_unlink(program);
	return err;
}

static int link_all(void)
{
	struct program *program;
	int err = 0;

	list_for_each_entry(program, &programs, list) {
		if (!err)
			err = link_one(program);
	}
	return err;
}

static int unlink_all(void)
{
	struct program *program;
	int err = 0;

	list_for_each_entry(program, &programs, list)
		err = program_unlink(program) ?: err;
	return err;
}

static int unload_all(void)
{
	struct program *program;
	int err = 0;

	list_for_each_entry(program, &programs, list)
		err = program_unload(program) ?: err;
	return err;
}

static void blind_all(void)
{
	WRITE_ONCE(cpus_known, false);
	programs_for_each(program_blind);
}

/*
 * No program leaves a call in a queue any more, as none is linked or none knows
 * of a CPU, but one may have left a call that is in its globals in the queue of
 * a CPU. The IPI for that queue is sent by someone who has preemption disabled
 * until then, which is what synchronize_rcu() waits for; then this CPU has taken
 * it, and every other takes what is in its queue before what
 * kick_all_cpus_sync() adds.
 */
static void drain_queues(void)
{
	synchronize_rcu();
	kick_all_cpus_sync();
}

/*
 * Give all programs to the hypervisor, which has none of them, with no call of
 * theirs in a queue: at first, and after programs_unregister(). After an error it
 * may have some, for programs_unregister().
 */
int programs_register(void)
{
	int err;

	lockdep_assert_held(&programs_lock);

	err = percpu_map();
	if (!err)
		err = load_all();
	if (!err)
		err = check_vcpus();
	if (err)
		return err;

	tell_cpus();
	if (programs_want_memory())
		err = memory_map();
	if (!err)
		err = link_all();
	WRITE_ONCE(registered, !err);
	return err;
}

/*
 * Leave nothing with the hypervisor, and nothing of the programs in a queue. An
 * error if the hypervisor keeps something. A program that it keeps knows nothing
 * of the guest any more, and has its globals for ever, see program_free(); the
 * regions stay mapped then, for it would find others in their place.
 */
int programs_unregister(void)
{
	int err;

	lockdep_assert_held(&programs_lock);

	WRITE_ONCE(registered, false);
	memory_stop();
	scoped_guard(cpus_read_lock)
		blind_all();
	err = unlink_all();
	drain_queues();
	err = unload_all() ?: err;
	return err ?: window_unmap_all();
}

/*
 * Leave nothing with the hypervisor when this kernel ends, in any context.
 * Frees nothing, for it may be a panic, with another CPU anywhere in here.
 */
void programs_leave(void)
{
	hypercall_close();
	WRITE_ONCE(registered, false);
	blind_all();
	unlink_all();
	unload_all();
	window_unmap_all();
}

bool programs_are_registered(void)
{
	return READ_ONCE(registered);
}

/* Has the hypervisor dropped them by itself? It drops all of them or none. */
bool programs_are_dropped(void)
{
	struct program *program;

	lockdep_assert_held(&programs_lock);

	list_for_each_entry(program, &programs, list) {
		if (program_is_dropped(program))
			return true;
	}
	return false;
}

/* When no CPU can get at them any more. */
void programs_free(void)
{
	struct program *program, *next;

	list_for_each_entry_safe(program, next, &programs, list) {
		list_del(&program->list);
		program_free(program);
	}
}

/* Programs that know of pages know these and no others. */
void programs_set_memory(const struct hyperupcall_memory *pieces,
			 unsigned int nr_pieces)
{
	struct program *program;
	unsigned int i;

	list_for_each_entry(program, &programs, list) {
		for (i = 0; program->memory && i < HYPERUPCALL_MAX_MEMORY; i++)
			program_set_memory(program, i,
					   i < nr_pieces ? &pieces[i] : NULL);
	}
}

/* What they know of pages is not so any more. In any context. */
void programs_end_memory(void)
{
	struct program *program;

	scoped_guard(raw_spinlock_irqsave, &memory_end_lock) {
		WRITE_ONCE(memory_ended, true);
		list_for_each_entry(program, &programs, list) {
			if (program->memory)
				program_set_alive(program, false);
		}
	}
	list_for_each_entry(program, &programs, list) {
		if (program->memory)
			program_unlink(program);
	}
}
