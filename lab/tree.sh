#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# From the repository to commits on the pristine kernel in build/linux:
#
#	tree.sh commit	makes the commits and prints the last one's id
#	tree.sh apply	checks them out, too, as branch series
#
# Commits are made on an index of their own, and their ids depend on nothing but
# what is in the repository. So apply touches only files that really change, and
# make rebuilds only those. lab/sync.sh is the way back.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
. "$root/lab/overlay.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cache=$linux/.git/hyperupcall-commit

# Everything that the commits are made of.
inputs()
{
	kgit rev-parse $base
	cd "$root"
	find patches -maxdepth 1 -type f | sort | xargs sha256sum
	xargs -r sha256sum <"$tmp/overlay"
	xargs -r stat -c %a <"$tmp/overlay"
}

# add FILE-OR-FOLDER...: the overlay's files into the index
add()
{
	for path; do
		path=${path%/}
		grep -e "^$path\$" -e "^$path/" "$tmp/overlay" ||
			die "patches/series: $path is no new kernel file of this repository"
	done >"$tmp/add"
	cat "$tmp/add" >>"$tmp/added"

	(
		cd "$root"
		git --git-dir="$linux/.git" hash-object -w --no-filters \
			--stdin-paths <"$tmp/add" >"$tmp/blobs"
		while read -r file; do
			[ -x "$file" ] && echo 100755 || echo 100644
		done <"$tmp/add" >"$tmp/modes"
	)
	paste -d ' ' "$tmp/modes" "$tmp/blobs" >"$tmp/entries"
	paste "$tmp/entries" "$tmp/add" | kgit update-index --add --index-info
}

header()
{
	sed -n "s/^$1: //p" "$tmp/info"
}

# commit PARENT PATCH FILE-OR-FOLDER...: sets $commit
commit()
{
	parent=$1
	patch=$2
	shift 2
	[ -f "$patches/$patch" ] || die "patches/series: there is no patches/$patch"

	git mailinfo -b --encoding=UTF-8 "$tmp/body" "$tmp/diff" \
		<"$patches/$patch" >"$tmp/info"
	if grep -q '^diff ' "$tmp/diff"; then
		kgit apply --cached --whitespace=nowarn "$tmp/diff" 2>"$tmp/err" || {
			cat "$tmp/err" >&2
			die "patches/$patch does not apply to the commit before it"
		}
	fi
	[ $# -eq 0 ] || add "$@"

	tree=$(kgit write-tree)
	[ "$tree" != "$(kgit rev-parse "$parent^{tree}")" ] ||
		die "patches/$patch changes nothing"

	GIT_AUTHOR_NAME=$(header Author)
	GIT_AUTHOR_EMAIL=$(header Email)
	GIT_AUTHOR_DATE=$(header Date)
	: "${GIT_AUTHOR_DATE:=$(kgit log -1 --format=%aI $base)}"
	GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME
	GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
	GIT_COMMITTER_DATE=$GIT_AUTHOR_DATE
	export GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_AUTHOR_DATE
	export GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL GIT_COMMITTER_DATE
	commit=$({ header Subject; echo; cat "$tmp/body"; } | git stripspace |
		kgit commit-tree -p "$parent" "$tree")
}

one_line()
{
	echo "$1" | tr -s '\n\t' '  '
}

# Each new file belongs to one commit, each patch to one line.
check_complete()
{
	sort "$tmp/added" >"$tmp/sorted"
	twice=$(uniq -d "$tmp/sorted")
	[ -z "$twice" ] || die "patches/series: in more than one commit: $(one_line "$twice")"

	none=$(comm -23 "$tmp/overlay" "$tmp/sorted")
	[ -z "$none" ] || die "patches/series: in no commit: $(one_line "$none")"

	while read -r file; do
		! in_base "$file" ||
			die "$file is a file of the kernel: change it with a patch, not a copy"
	done <"$tmp/overlay"

	series | cut -d ' ' -f 1 | sort >"$tmp/listed"
	odd=$(find "$patches" -maxdepth 1 -name '*.patch' -printf '%f\n' | sort |
		comm -3 - "$tmp/listed")
	[ -z "$odd" ] || die "patches/ and patches/series disagree on $(one_line "$odd")"
}

make_commits()
{
	series >"$tmp/series"
	: >"$tmp/added"
	export GIT_INDEX_FILE="$linux/.git/hyperupcall-index"
	kgit read-tree $base
	commit=$(kgit rev-parse "$base^{commit}")
	while read -r line; do
		# shellcheck disable=SC2086 # names have no spaces
		commit "$commit" $line
	done <"$tmp/series"
	unset GIT_INDEX_FILE
	check_complete
}

# Sets $commit to the last commit of the series.
last_commit()
{
	[ -f "$patches/series" ] || die "there is no patches/series"
	overlay_files >"$tmp/overlay"
	key=$( (inputs) | sha256sum | cut -d ' ' -f 1)
	if [ "$(cut -d ' ' -f 1 "$cache" 2>/dev/null)" = "$key" ]; then
		commit=$(cut -d ' ' -f 2 "$cache")
		! kgit cat-file -e "$commit" 2>/dev/null || return 0
	fi
	make_commits
	echo "$key $commit" >"$cache"
}

apply()
{
	for rebase in rebase-merge rebase-apply; do
		[ ! -d "$linux/.git/$rebase" ] ||
			die "build/linux is in the middle of a rebase or a git am"
	done
	last_commit
	head=$(kgit rev-parse HEAD)
	! dirty || die "build/linux has uncommitted changes. Commit them and run" \
		"'make sync', or build them as they are with TREE=keep"
	if [ "$head" = "$commit" ]; then
		kgit update-ref $applied "$commit"
		return
	fi

	[ "$head" = "$(kgit rev-parse "$base^{commit}")" ] ||
		[ "$head" = "$(kgit rev-parse -q --verify $applied)" ] ||
		same_history "$head" "$commit" ||
		die "build/linux has commits that the repository has not. Run" \
			"'make sync', or build them as they are with TREE=keep"
	kgit checkout -q -B series "$commit"
	kgit update-ref $applied "$commit"
	echo "tree       build/linux is at $(kgit rev-list --count $base..) commits on base"
}

[ -e "$linux/.git" ] || die "there is no build/linux: run 'make kernel'"
case ${1-} in
commit)	last_commit; echo "$commit" ;;
apply)	apply ;;
*)	die "usage: tree.sh commit | apply" ;;
esac
