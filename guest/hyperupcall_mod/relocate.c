// SPDX-License-Identifier: GPL-2.0
/*
 * From an object to the instructions that LOAD gets: the program, then its
 * other functions, with the values of all symbols filled in.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/filter.h>
#include <linux/printk.h>
#include <linux/slab.h>

#include "internal.h"

/* Relocation types of BPF objects, see Documentation/bpf/llvm_reloc.rst. */
#define R_BPF_64_64	1	/* the value of a 64-bit load */
#define R_BPF_64_32	10	/* the target of a call */

/**
 * struct relocation - a relocation in progress
 * @obj: the object
 * @globals: where in the window its globals are
 * @insns: all instructions
 * @insn_cnt: how many
 * @text: the first of those of the section .text
 */
struct relocation {
	const struct object *obj;
	u64 globals;
	struct bpf_insn *insns;
	unsigned int insn_cnt;
	unsigned int text;
};

static int ksym_value(const struct object *obj, const Elf64_Sym *sym,
		      u64 *value)
{
	const char *name = object_symbol_name(obj, sym);
	struct ksym ksym;
	int err;

	err = ksym_find(name, &ksym);
	if (err == -ENOENT) {
		*value = 0;
		if (ELF64_ST_BIND(sym->st_info) == STB_WEAK)
			return 0;
		pr_err("%s: the kernel has no symbol %s\n", obj->name, name);
	}
	if (err)
		return err;

	*value = ksym.addr;
	if (ksym.kind == KSYM_TEXT)
		return functions_add(obj->name, name, ksym.addr);
	if (ksym.kind == KSYM_DATA)
		return window_map(name, (void *)ksym.addr, ksym.size, 0, value);
	return 0;
}

static int relocate_load(struct relocation *rel, const Elf64_Sym *sym,
			 unsigned int at)
{
	struct bpf_insn *insn = &rel->insns[at];
	u64 value;
	int err;

	if (at + 1 >= rel->insn_cnt ||
	    insn->code != (BPF_LD | BPF_IMM | BPF_DW))
		return -ENOEXEC;

	if (sym->st_shndx == SHN_UNDEF) {
		err = ksym_value(rel->obj, sym, &value);
		if (err)
			return err;
	} else if (rel->obj->globals && sym->st_shndx == rel->obj->globals) {
		value = rel->globals + sym->st_value;
	} else {
		return -ENOEXEC;
	}

	value += (s64)insn[0].imm;
	insn[0].imm = lower_32_bits(value);
	insn[1].imm = upper_32_bits(value);
	return 0;
}

/* The target is the symbol plus imm + 1 instructions, as clang counts. */
static int relocate_call(struct relocation *rel, const Elf64_Sym *sym,
			 unsigned int at)
{
	struct bpf_insn *insn = &rel->insns[at];
	s64 target;

	if (insn->code != (BPF_JMP | BPF_CALL) ||
	    insn->src_reg != BPF_PSEUDO_CALL)
		return -ENOEXEC;

	target = sym->st_value / sizeof(*insn) + insn->imm + 1;
	if (rel->obj->text && sym->st_shndx == rel->obj->text)
		target += rel->text;
	else if (sym->st_shndx != rel->obj->entry)
		return -ENOEXEC;
	insn->imm = target - at - 1;
	return 0;
}

static int relocate_one(struct relocation *rel, const Elf64_Rel *entry,
			unsigned int first)
{
	unsigned int symbol = ELF64_R_SYM(entry->r_info);
	unsigned int at = first + entry->r_offset / sizeof(struct bpf_insn);
	const Elf64_Sym *sym;
	int err = -ENOEXEC;

	if (symbol >= rel->obj->nr_symbols || at >= rel->insn_cnt)
		goto out;

	sym = &rel->obj->symbols[symbol];
	switch (ELF64_R_TYPE(entry->r_info)) {
	case R_BPF_64_64:
		err = relocate_load(rel, sym, at);
		break;
	case R_BPF_64_32:
		err = relocate_call(rel, sym, at);
		break;
	}
out:
	if (err == -ENOEXEC)
		pr_err("%s: instruction %u refers to what cannot be referred to\n",
		       rel->obj->name, at);
	return err;
}

/* All relocations of @section, whose instructions start at @first. */
static int relocate_section(struct relocation *rel, unsigned int section,
			    unsigned int first)
{
	const Elf64_Ehdr *hdr = rel->obj->image;
	const Elf64_Rel *entry, *end;
	unsigned int i;
	size_t size;
	int err;

	for (i = 1; i < hdr->e_shnum; i++) {
		if (rel->obj->sections[i].sh_type != SHT_REL ||
		    rel->obj->sections[i].sh_info != section)
			continue;
		entry = object_section(rel->obj, i, &size);
		for (end = entry + size / sizeof(*entry); entry < end; entry++) {
			err = relocate_one(rel, entry, first);
			if (err)
				return err;
		}
	}
	return 0;
}

/* Returns instructions for kvfree(), or an ERR_PTR. */
struct bpf_insn *relocate(const struct object *obj, u64 globals,
			  unsigned int *insn_cnt)
{
	struct relocation rel = { .obj = obj, .globals = globals };
	const void *entry, *text = NULL;
	size_t entry_size, text_size = 0;
	int err;

	entry = object_section(obj, obj->entry, &entry_size);
	if (obj->text)
		text = object_section(obj, obj->text, &text_size);

	rel.insns = kvmalloc(entry_size + text_size, GFP_KERNEL);
	if (!rel.insns)
		return ERR_PTR(-ENOMEM);
	memcpy(rel.insns, entry, entry_size);
	if (text)
		memcpy((void *)rel.insns + entry_size, text, text_size);
	rel.text = entry_size / sizeof(*rel.insns);
	rel.insn_cnt = rel.text + text_size / sizeof(*rel.insns);

	err = relocate_section(&rel, obj->entry, 0);
	if (!err && obj->text)
		err = relocate_section(&rel, obj->text, rel.text);
	if (err) {
		kvfree(rel.insns);
		return ERR_PTR(err);
	}
	*insn_cnt = rel.insn_cnt;
	return rel.insns;
}
