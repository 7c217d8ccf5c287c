/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of hyperupcall.ko know of each other. A function that fails
 * says why, in one line; its callers only undo. (No memory is something that
 * the allocator says.)
 */
#ifndef _HYPERUPCALL_INTERNAL_H
#define _HYPERUPCALL_INTERNAL_H

#include <linux/bpf.h>
#include <linux/elf.h>
#include <linux/hyperupcall.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "shared.h"

/* hypercall.c */
int hypercall_probe(void);
int hypercall_probe_again(void);
bool hypercall_feature(unsigned int feature);
long hypercall(enum hyperupcall_op op, void *arg, size_t size);
int hypercall_drop(enum hyperupcall_op op, const char *what, u32 *id);
void hypercall_close(void);
void hypercall_open(void);
bool hypercall_is_closed(void);

/* ksyms.c */
enum ksym_kind {
	KSYM_TEXT,
	KSYM_PER_CPU,
	KSYM_DATA,
};

/**
 * struct ksym - a symbol of the running kernel
 * @kind: what it is
 * @addr: its address; of a per-CPU variable, its offset in the per-CPU area
 * @size: its size, at least one
 */
struct ksym {
	enum ksym_kind kind;
	unsigned long addr;
	unsigned long size;
};

int ksyms_init(void);
int ksym_find(const char *name, struct ksym *sym);
unsigned long ksym_addr(const char *name);
extern unsigned long ksym_per_cpu_start;

/* watch.c */
struct ftrace_ops;

int watch_start(struct ftrace_ops *ops, const char *const *names);
void watch_end(struct ftrace_ops *ops);
bool watch_is_dead(void);

/* functions.c */
int functions_add(const char *prog, const char *name, unsigned long addr);
bool functions_are_patched(void);

/* embedded.S, which the build generates: the programs' objects */
struct embedded {
	const char *name;
	const void *start;
	const void *end;
};

extern const struct embedded hyperupcall_embedded[];
extern const struct embedded hyperupcall_embedded_end[];

/* object.c */

/**
 * struct object - a program's ELF object, and what of it was found
 * @name: for messages
 * @image: the object
 * @size: its size
 * @sections: section headers
 * @symbols: symbol table
 * @nr_symbols: its entries
 * @strings: their names
 * @entry: index of the section with the program
 * @text: index of the section with its other functions, or zero
 * @globals: index of the section with its globals, or zero
 * @event: the event that @entry's name says
 */
struct object {
	const char *name;
	const void *image;
	size_t size;
	const Elf64_Shdr *sections;
	const Elf64_Sym *symbols;
	unsigned int nr_symbols;
	const char *strings;
	unsigned int entry;
	unsigned int text;
	unsigned int globals;
	enum hyperupcall_event event;
};

int object_parse(struct object *obj, const struct embedded *embedded);
const char *object_section_name(const struct object *obj, unsigned int index);
const void *object_section(const struct object *obj, unsigned int index,
			   size_t *size);
const Elf64_Sym *object_global(const struct object *obj, const char *name);
const Elf64_Sym *object_next_count(const struct object *obj,
				   const Elf64_Sym *sym);
const char *object_symbol_name(const struct object *obj, const Elf64_Sym *sym);

/* relocate.c */
struct bpf_insn *relocate(const struct object *obj, u64 globals,
			  unsigned int *insn_cnt);

/* window.c */
int window_map(const char *what, const void *gva, size_t size, u32 flags,
	       u64 *offset);
void window_unmap(u64 offset);
int window_unmap_all(void);
void window_free(void);

/* percpu.c */
int percpu_init(void);
int percpu_map(void);
void percpu_free(void);
unsigned int percpu_size(void);
unsigned int percpu_vcpu(unsigned int cpu);
const struct hyperupcall_cpu *percpu_area(unsigned int cpu);

/* vcpus.c */
int vcpus_check(const struct hyperupcall_ipi *ipi);

/* memory.c */
int memory_watch(void);
void memory_unwatch(void);
int memory_map(void);
void memory_stop(void);
int vmemmap_watch(void);
void vmemmap_unwatch(void);
int vmemmap_check(void);

/* program.c */

/**
 * struct program - a program, which the hypervisor has or had or shall have
 * @list: in the list of all
 * @obj: where it comes from
 * @globals: its globals, which the hypervisor maps. They stay the same when
 *	the program is registered again.
 * @cpus: those of @globals that say which CPU is on which vCPU, or NULL
 * @memory: those that say where which struct pages are, or NULL
 * @guest: those that say something of the guest as a whole, or NULL
 * @ipi: those that say which vCPUs an IPI was from and to, or NULL
 * @load: as the hypervisor has it; it writes the id here, which is zero if the
 *	hypervisor does not have the program. A panic finds the id also if the
 *	CPU that made the hypercall stops before it gets any further.
 * @link: its link, in the way of @load
 */
struct program {
	struct list_head list;
	struct object obj;
	void *globals;
	struct hyperupcall_cpu *cpus;
	struct hyperupcall_memory *memory;
	struct hyperupcall_guest *guest;
	struct hyperupcall_ipi *ipi;
	struct hyperupcall_load load;
	struct hyperupcall_link link;
};

struct program *program_create(const struct embedded *embedded);
int program_load(struct program *program);
void program_set_cpu(struct program *program, unsigned int cpu, bool online);
void program_set_memory(struct program *program, unsigned int i,
			const struct hyperupcall_memory *piece);
void program_set_alive(struct program *program, bool alive);
void program_blind(struct program *program);
int program_link(struct program *program);
int program_unlink(struct program *program);
int program_unload(struct program *program);
bool program_is_dropped(const struct program *program);
void program_free(struct program *program);

/* programs.c */

extern struct mutex programs_lock;

struct program *programs_find(const char *name);
int programs_add(const struct embedded *embedded);
void programs_for_each(void (*fn)(struct program *program));
bool programs_want_cpus(void);
bool programs_want_memory(void);
int programs_watch_cpus(void);
void programs_unwatch_cpus(void);
int programs_register(void);
int programs_unregister(void);
void programs_leave(void);
bool programs_are_registered(void);
bool programs_are_dropped(void);
void programs_free(void);
void programs_set_memory(const struct hyperupcall_memory *pieces,
			 unsigned int nr_pieces);
void programs_end_memory(void);

/* renew.c */
void renew_start(void);
void renew_now(void);
void renew_stop(void);

/* main.c */
/* What a program gives as the function of a call that it queues. */
void hyperupcall_nop(void *info);

/* debugfs.c */
void debugfs_init(void);
void debugfs_add(struct program *program);
void debugfs_exit(void);

/* leave.c */
int leave_init(void);
void leave_exit(void);

#endif /* _HYPERUPCALL_INTERNAL_H */
