// SPDX-License-Identifier: GPL-2.0
/*
 * A program's object file, as clang makes it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/string.h>

#include "internal.h"

#define ENTRY_PREFIX	"hyperupcall/"

static const char * const event_names[__HYPERUPCALL_EVENT_MAX] = {
	[HYPERUPCALL_EVENT_VMEXIT]		= "vmexit",
	[HYPERUPCALL_EVENT_VMENTRY]		= "vmentry",
	[HYPERUPCALL_EVENT_INTERRUPT]		= "interrupt",
	[HYPERUPCALL_EVENT_PAGE_MAP]		= "page_map",
	[HYPERUPCALL_EVENT_RECLAIM]		= "reclaim",
	[HYPERUPCALL_EVENT_AGING]		= "aging",
	[HYPERUPCALL_EVENT_VCPU_PREEMPT]	= "vcpu_preempt",
};

static const Elf64_Ehdr *header(const struct object *obj)
{
	return obj->image;
}

static const char *string(const struct object *obj, unsigned int strtab,
			  unsigned int offset)
{
	const Elf64_Shdr *section = &obj->sections[strtab];
	const char *strings = obj->image + section->sh_offset;

	if (offset >= section->sh_size || strings[section->sh_size - 1])
		return "";
	return strings + offset;
}

const char *object_section_name(const struct object *obj, unsigned int index)
{
	return string(obj, header(obj)->e_shstrndx,
		      obj->sections[index].sh_name);
}

const void *object_section(const struct object *obj, unsigned int index,
			   size_t *size)
{
	*size = obj->sections[index].sh_size;
	return obj->image + obj->sections[index].sh_offset;
}

const char *object_symbol_name(const struct object *obj, const Elf64_Sym *sym)
{
	return obj->strings + sym->st_name;
}

/* The symbol of a global, or NULL. */
const Elf64_Sym *object_global(const struct object *obj, const char *name)
{
	const Elf64_Sym *sym;

	for (sym = obj->symbols; sym < obj->symbols + obj->nr_symbols; sym++) {
		if (obj->globals && sym->st_shndx == obj->globals &&
		    !strcmp(object_symbol_name(obj, sym), name))
			return sym;
	}
	return NULL;
}

/* The counter behind @sym, or the first one; NULL if there is none. */
const Elf64_Sym *object_next_count(const struct object *obj, const Elf64_Sym *sym)
{
	size_t size;

	if (!obj->globals)
		return NULL;

	object_section(obj, obj->globals, &size);
	for (sym = sym ? sym + 1 : obj->symbols;
	     sym < obj->symbols + obj->nr_symbols; sym++) {
		if (sym->st_shndx == obj->globals &&
		    sym->st_size == sizeof(u64) && size >= sizeof(u64) &&
		    sym->st_value <= size - sizeof(u64) &&
		    str_has_prefix(object_symbol_name(obj, sym),
				   HYPERUPCALL_COUNT_PREFIX))
			return sym;
	}
	return NULL;
}

static bool in_image(const struct object *obj, u64 offset, u64 size)
{
	u64 end;

	return !check_add_overflow(offset, size, &end) && end <= obj->size;
}

static bool is_bpf_object(const struct object *obj)
{
	const Elf64_Ehdr *hdr = header(obj);

	return obj->size >= sizeof(*hdr) &&
	       !memcmp(hdr->e_ident, ELFMAG, SELFMAG) &&
	       hdr->e_ident[EI_CLASS] == ELFCLASS64 &&
	       hdr->e_ident[EI_DATA] == ELFDATA2LSB &&
	       hdr->e_type == ET_REL && hdr->e_machine == EM_BPF &&
	       hdr->e_shentsize == sizeof(Elf64_Shdr) &&
	       in_image(obj, hdr->e_shoff, (u64)hdr->e_shnum * sizeof(Elf64_Shdr)) &&
	       hdr->e_shstrndx < hdr->e_shnum;
}

static int parse_entry(struct object *obj, unsigned int index)
{
	const char *name = object_section_name(obj, index);
	int event;

	if (obj->entry) {
		pr_err("%s: has more than one program\n", obj->name);
		return -EINVAL;
	}

	event = match_string(event_names, ARRAY_SIZE(event_names),
			     name + strlen(ENTRY_PREFIX));
	if (event < 0) {
		pr_err("%s: section %s names no event\n", obj->name, name);
		return -EINVAL;
	}
	obj->entry = index;
	obj->event = event;
	return 0;
}

static int parse_symbols(struct object *obj, unsigned int index)
{
	const Elf64_Shdr *section = &obj->sections[index];
	const Elf64_Shdr *strtab;
	unsigned int i;

	obj->symbols = obj->image + section->sh_offset;
	obj->nr_symbols = section->sh_size / sizeof(Elf64_Sym);
	if (section->sh_link >= header(obj)->e_shnum)
		goto malformed;

	strtab = &obj->sections[section->sh_link];
	obj->strings = obj->image + strtab->sh_offset;
	if (!strtab->sh_size || obj->strings[strtab->sh_size - 1])
		goto malformed;
	for (i = 0; i < obj->nr_symbols; i++) {
		if (obj->symbols[i].st_name >= strtab->sh_size)
			goto malformed;
	}
	return 0;

malformed:
	pr_err("%s: malformed symbol table\n", obj->name);
	return -ENOEXEC;
}

/* Globals of the program's own address space would be the host's memory. */
static int refuse_globals(const struct object *obj, unsigned int index)
{
	pr_err("%s: section %s: globals have to be __guest\n", obj->name,
	       object_section_name(obj, index));
	return -EINVAL;
}

static int parse_section(struct object *obj, unsigned int index)
{
	const Elf64_Shdr *section = &obj->sections[index];
	const char *name = object_section_name(obj, index);

	if (section->sh_type == SHT_SYMTAB)
		return parse_symbols(obj, index);
	if (!(section->sh_flags & SHF_ALLOC) || !section->sh_size)
		return 0;

	if (str_has_prefix(name, ENTRY_PREFIX))
		return parse_entry(obj, index);
	if (!strcmp(name, ".text"))
		obj->text = index;
	else if (!strcmp(name, ".addr_space.1"))
		obj->globals = index;
	else
		return refuse_globals(obj, index);
	return 0;
}

int object_parse(struct object *obj, const struct embedded *embedded)
{
	unsigned int i;
	int err;

	*obj = (struct object) {
		.name = embedded->name,
		.image = embedded->start,
		.size = embedded->end - embedded->start,
	};

	if (!is_bpf_object(obj))
		goto malformed;
	obj->sections = obj->image + header(obj)->e_shoff;
	for (i = 0; i < header(obj)->e_shnum; i++) {
		if (obj->sections[i].sh_type != SHT_NOBITS &&
		    !in_image(obj, obj->sections[i].sh_offset,
			      obj->sections[i].sh_size))
			goto malformed;
	}

	for (i = 1; i < header(obj)->e_shnum; i++) {
		err = parse_section(obj, i);
		if (err)
			return err;
	}
	if (!obj->entry || !obj->symbols) {
		pr_err("%s: has no program\n", obj->name);
		return -ENOEXEC;
	}
	return 0;

malformed:
	pr_err("%s: not a BPF object\n", obj->name);
	return -ENOEXEC;
}
