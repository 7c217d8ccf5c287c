#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The series as a reviewer gets it, from what is in the repository:
#
#	series.sh write	build/series/*.patch and the cover letter
#	series.sh check	checkpatch.pl --strict on each, and git am on the
#			pristine source gives the same tree
#	series.sh build	each commit builds; by hand, it takes its time

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
. "$root/lab/overlay.sh"
series=$build/series
cover=$root/patches/cover-letter.txt
worktree=$build/series-tree

# git's template with the subject and the text of patches/cover-letter.txt
cover_letter()
{
	awk -v cover="$cover" '
		BEGIN { getline subject <cover; getline <cover }
		{ sub(/\*\*\* SUBJECT HERE \*\*\*/, subject) }
		/^\*\*\* BLURB HERE \*\*\*$/ {
			while ((getline line <cover) > 0)
				print line
			next
		}
		{ print }
	'
}

# The cover letter is no *.patch, so that 'git am build/series/*.patch' works.
write()
{
	commit=$("$root/lab/tree.sh" commit)
	rm -rf "$series"
	kgit format-patch -q --cover-letter --no-signature --no-base \
		-o "$series" "$base..$commit"
	cover_letter <"$series/0000-cover-letter.patch" >"$series/0000-cover-letter.txt"
	rm "$series/0000-cover-letter.patch"
	echo "series     build/series: $(find "$series" -name '*.patch' | wc -l) patches and 0000-cover-letter.txt"
}

# A checkout of the pristine source, of the files that the series touches only
# if $1 says sparse.
pristine()
{
	kgit worktree prune
	rm -rf "$worktree"
	kgit worktree prune
	kgit worktree add -q --no-checkout --detach "$worktree" $base
	if [ "${1-}" = sparse ]; then
		# shellcheck disable=SC2046 # one word a file
		git -C "$worktree" sparse-checkout set --no-cone /Makefile \
			$(sed -n 's,^diff --git a/\([^ ]*\) b/.*,/\1,p' "$series"/*.patch)
	fi
	git -C "$worktree" reset -q --hard
}

# What checkpatch.pl finds, but for what it cannot know: the tarball has no
# history, trace headers are laid out as all trace headers are, bpf has an errno
# of its own, a macro may name a field twice, and one that moves stays as it was.
checkpatch()
{
	(cd "$linux" && scripts/checkpatch.pl --strict --terse --show-types --showfile \
		--no-summary --ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID "$1") |
		grep -v -e '/trace\.h:[0-9]*: CHECK:\(OPEN_ENDED_LINE\|PARENTHESIS_ALIGNMENT\|SPACING\):' \
			-e '/hyperupcall/prog\.c:[0-9]*: WARNING:ENOTSUPP:' \
			-e "/state_damage_test\.c:[0-9]*: CHECK:MACRO_ARG_REUSE: .*'field'" \
			-e "/kvm_host\.h:[0-9]*: CHECK:MACRO_ARG_"
}

check()
{
	write
	status=0
	# checkpatch wants the distribution's python3, with its packages.
	PATH=/usr/bin:$PATH
	for patch in "$series"/*.patch; do
		! checkpatch "$patch" || status=1
	done

	pristine sparse
	if ! git -C "$worktree" am -q "$series"/*.patch; then
		echo "git am does not take the series on the pristine source"
		status=1
	elif [ "$(git -C "$worktree" rev-parse 'HEAD^{tree}')" != \
	       "$(kgit rev-parse "$("$root/lab/tree.sh" commit)^{tree}")" ]; then
		echo "git am gives another tree than the repository"
		status=1
	fi
	kgit worktree remove --force "$worktree"
	[ $status -ne 0 ] || echo "series     checkpatch --strict and git am are clean"
	return $status
}

# What the series touches or what uses it most, and libbpf, in every commit.
# Objects lie in the tree, as in build/linux, so that ccache serves both.
build_commits()
{
	pristine
	commit=$("$root/lab/tree.sh" commit)
	for id in $(kgit rev-list --reverse "$base..$commit"); do
		git -C "$worktree" checkout -q --detach "$id"
		kgit log -1 --format='%h %s' "$id"
		(
			linux=$worktree
			obj=$worktree/obj
			mkdir -p "$obj"
			kmake -s tinyconfig
			cat "$root/configs/kernel.config" >>"$obj/.config"
			kmake -s olddefconfig prepare
			kmake -s kernel/bpf/ arch/x86/kvm/ arch/x86/net/ \
				net/core/filter.o kernel/trace/bpf_trace.o
			if kgit diff-tree -r --name-only "$id" | grep -q '^tools/lib/bpf/'; then
				mkdir -p "$build/series-libbpf"
				make -s -C "$worktree/tools/lib/bpf" -j"$jobs" \
					OUTPUT="$build/series-libbpf/"
			fi
		)
	done
	kgit worktree remove --force "$worktree"
}

case ${1-} in
write)		write ;;
check)		check ;;
build)		step series-build "builds every commit of the series" "$0" --build ;;
--build)	build_commits ;;
*)		die "usage: series.sh write | check | build" ;;
esac
