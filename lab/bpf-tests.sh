#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds the kernel's own BPF tests, from the pristine source and once for both
# kernels of lab/check-bpf.sh, into build/bpf-tests: test_verifier, veristat, and
# test_progs with the files that lab/bpf-tests lists. Their Makefile takes all
# files that it finds, so it finds a copy without the others.
#
#	VARIANT=bpf-base bpf-tests.sh		the tests
#	VARIANT=... bpf-tests.sh modules	what they load into the kernel VARIANT
#
# The programs are compiled with the types of the pristine kernel; libbpf finds
# fields of the running one.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/bpf-tests
source=$out/source
selftests=tools/testing/selftests/bpf
modules='bpf_testmod bpf_test_no_cfi bpf_test_modorder_x bpf_test_modorder_y'

listed()
{
	sed -e 's/#.*//' -e '/^$/d' "$root/lab/bpf-tests"
}

inputs()
{
	cat "$obj/.hyperupcall-build" "$root/lab/bpf-tests" "$root/lab/bpf-tests.sh"
	clang-19 --version
	llvm-config-19 --version
}

# Without O= the tests read no kernel's autoconf.h. For CCACHE_BASEDIR, see
# lab/selftests.sh; with TRUNNER_EXTRA_FILES, modules would be built in there, and
# helpers of tests that lab/bpf-tests does not have.
tests_make()
{
	CCACHE_BASEDIR='' make -C "$source/$selftests" -j"$jobs" OUTPUT="$out" \
		CC='ccache gcc' HOSTCC='ccache gcc' \
		CLANG=clang-19 LLC=llc-19 LLVM_CONFIG=llvm-config-19 \
		LLVM_STRIP=llvm-strip-19 LLVM_OBJCOPY=llvm-objcopy-19 LLD=lld-19 \
		VMLINUX_BTF="$obj/vmlinux" TRUNNER_EXTRA_FILES= "$@"
}

# The programs that the tests which are left name, those that the Makefile wants
# in any case, and those that one of them includes.
wanted_programs()
{
	{
		grep -ohE '[A-Za-z0-9_]+\.(l?skel\.h|bpf\.o)' prog_tests/*.c |
			sed 's/\..*//'
		# shellcheck disable=SC2016 # make expands it
		tests_make -s --no-print-directory feature_display=0 --eval='list: ; @printf "%s\n" \
			$(basename $(LSKELS) $(LSKELS_EXTRA) $(LINKED_BPF_SRCS))' list
		echo btf_data
	} | sort -u | while read -r program; do
		[ -e "progs/$program.c" ] || continue
		echo "$program.c"
		sed -n 's/^#include "\([^"/]*\.c\)"$/\1/p' "progs/$program.c"
	done
}

# remove_others FOLDER LIST: all C files of the folder that are not in the list
remove_others()
{
	(cd "$1" && ls -- *.c) | grep -vxF -f "$2" | sed "s,^,$1/," | xargs -r rm
}

unpack()
{
	rm -rf "$source"
	mkdir -p "$source"
	git -C "$linux" archive refs/tags/base tools scripts include/uapi \
		kernel/bpf/disasm.c kernel/bpf/disasm.h | tar -x -C "$source"
	cd "$source/$selftests"
	listed | sed 's/$/.c/' >"$out/files"
	while read -r file; do
		[ -e "prog_tests/$file" ] || die "lab/bpf-tests: there is no $file"
	done <"$out/files"
	remove_others prog_tests "$out/files"
	wanted_programs >"$out/programs"
	remove_others progs "$out/programs"
}

compile()
{
	unpack
	tests_make test_verifier test_progs veristat
	# Without a disassembler, what looks at the JIT's code skips.
	grep -qx feature-llvm=1 "$out/FEATURE-DUMP.selftests" ||
		die "the tests were built without LLVM's libraries"
}

compile_modules()
{
	rm -rf "$out/modules$suffix"
	for module in $modules; do
		mkdir -p "$out/modules$suffix/$module"
		cp "$source/$selftests/$module"/* "$out/modules$suffix/$module/"
		kmake M="$out/modules$suffix/$module" modules
	done
}

# once STAMP WHAT COMMAND: a step, unless it has been done with what there is
once()
{
	now=$(inputs | sha256sum)
	[ "$now" != "$(cat "$out/.$1" 2>/dev/null)" ] || return 0
	step "$1" "$2" "$0" "$3"
	echo "$now" >"$out/.$1"
}

mkdir -p "$out"
case ${1-} in
'')		once bpf-tests "builds the kernel's BPF tests" --compile ;;
modules)	once "modules$suffix" "builds what they load" --modules ;;
--compile)	compile ;;
--modules)	compile_modules ;;
*)		die "usage: bpf-tests.sh [modules]" ;;
esac
