#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# From the commits base..HEAD in build/linux back to the repository: what they
# change in the kernel's own files becomes patches/NNNN-*.patch, what they add
# goes to the same path here, and patches/series says which belongs to which.
# lab/tree.sh is the way there.
#
# Where both have changed: FORCE=1 overwrites what is in the repository; KEEP=1
# keeps its versions of new files, and 'make tree' takes them to build/linux.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
. "$root/lab/overlay.sh"

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/patches"
force=${FORCE-}
keep=${KEEP-}

# New files whose content is not what build/linux has.
different_files()
{
	overlay_files | while read -r file; do
		blob=$(kgit rev-parse -q --verify "HEAD:$file") || continue
		[ "$(git hash-object --no-filters "$root/$file")" = "$blob" ] ||
			echo "$file"
	done
}

# A change made here since the last apply would be lost.
check_repository()
{
	[ -z "$force$keep" ] || return 0
	if [ ! -f "$patches/series" ]; then
		files=$(different_files)
		[ -z "$files" ] || die "the repository has other versions of" \
			"$(echo "$files" | tr '\n' ' ')(FORCE=1 overwrites, KEEP=1 keeps them)"
		return 0
	fi
	here=$("$root/lab/tree.sh" commit) ||
		die "the repository's own series is broken, see above (FORCE=1 overwrites it)"
	same_history "$here" HEAD ||
		{ kgit rev-parse -q --verify $applied >/dev/null &&
			same_history "$here" $applied; } ||
		die "both the repository and build/linux have changed." \
			"Commit what is here, then take what is there with FORCE=1," \
			"or without the new files that the repository has with KEEP=1"
}

check_history()
{
	on_base HEAD || die "build/linux is not on top of the tag base"
	[ -z "$(kgit rev-list --merges $base..HEAD)" ] ||
		die "build/linux has a merge: make it one line with git rebase"
	! dirty || echo "sync       leaves out what is not committed in build/linux"
}

# split COMMIT: its new files to $tmp/new, the others to $tmp/changed
split()
{
	: >"$tmp/new"
	: >"$tmp/changed"
	kgit diff-tree -r --no-renames --no-commit-id --name-status "$1" >"$tmp/status"
	while read -r status file; do
		if in_base "$file"; then
			echo "$file" >>"$tmp/changed"
		elif [ "$status" = A ]; then
			echo "$file" >>"$tmp/new"
		else
			die "$(kgit log -1 --format="'%s' (%h)" "$1") changes $file, which" \
				"a commit before it adds: move that change there with" \
				"git commit --fixup and git rebase --autosquash"
		fi
	done <"$tmp/status"
}

# No blob ids, no git version, no mail separator with a hash: a patch file
# changes only when the patch does.
write_patch()
{
	kgit log -1 --format='From: %an <%ae>%nDate: %aD%nSubject: %s%n%n%b' "$1" |
		sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
	echo ---
	[ -s "$tmp/changed" ] || return 0
	echo
	xargs git -C "$linux" diff-tree -p --no-commit-id --no-renames --no-color \
		--no-ext-diff --diff-algorithm=myers --indent-heuristic \
		--unified=3 --inter-hunk-context=0 \
		--src-prefix=a/ --dst-prefix=b/ "$1" -- <"$tmp/changed" |
		sed '/^index [0-9a-f]*\.\.[0-9a-f]*\( [0-7]*\)\{0,1\}$/d'
}

write_commits()
{
	: >"$tmp/added"
	cat >"$tmp/series" <<-EOT
		# One commit a paragraph: its patch to the kernel's own files, then the
		# new files that it adds. Written by 'make sync'; see lab/tree.sh.
	EOT
	n=0
	kgit rev-list --reverse $base..HEAD >"$tmp/commits"
	while read -r commit; do
		n=$((n + 1))
		split "$commit"
		name=$(printf '%04d-%.52s.patch' $n "$(kgit log -1 --format=%f "$commit")")
		write_patch "$commit" >"$tmp/patches/$name"
		{
			echo "$name"
			sed 's/^/\t/' "$tmp/new"
		} >>"$tmp/series"
		cat "$tmp/new" >>"$tmp/added"
	done <"$tmp/commits"
	sort -o "$tmp/added" "$tmp/added"
}

# put SOURCE TARGET: a file that is the same keeps its time
put()
{
	cmp -s "$1" "$2" || {
		mkdir -p "$(dirname "$2")"
		cat "$1" >"$2"
		echo "sync       ${2#"$root/"}"
	}
}

install_patches()
{
	for old in "$patches"/*.patch; do
		[ -f "$old" ] || continue
		[ ! -f "$tmp/patches/${old##*/}" ] || continue
		rm "$old"
		echo "sync       removes ${old#"$root/"}"
	done
	for new in "$tmp"/patches/*.patch; do
		[ ! -f "$new" ] || put "$new" "$patches/${new##*/}"
	done
	put "$tmp/series" "$patches/series"
}

install_files()
{
	while read -r file; do
		[ -z "$keep" ] || [ ! -f "$root/$file" ] || continue
		kgit cat-file blob "HEAD:$file" >"$tmp/blob"
		put "$tmp/blob" "$root/$file"
		case $(kgit ls-tree HEAD -- "$file") in
		100755*)	chmod 755 "$root/$file" ;;
		*)		chmod 644 "$root/$file" ;;
		esac
	done <"$tmp/added"

	[ -z "$keep" ] || return 0
	# Only what a commit had at the last apply can have been removed there.
	overlay_files | comm -23 - "$tmp/added" >"$tmp/gone"
	while read -r file; do
		if kgit cat-file -e "$applied:$file" 2>/dev/null; then
			rm "$root/$file"
			echo "sync       removes $file"
		else
			echo "$file" >>"$tmp/unknown"
		fi
	done <"$tmp/gone"
	[ ! -s "$tmp/unknown" ] || die "in no commit of build/linux, yours to remove" \
		"or to add there: $(tr '\n' ' ' <"$tmp/unknown")"
}

mkdir -p "$patches"
check_history
check_repository
write_commits
install_patches
install_files

here=$("$root/lab/tree.sh" commit)
[ -n "$keep" ] || same_history "$here" HEAD || die "what was written does not make the same commits"
kgit update-ref $applied HEAD
echo "sync       $n commits"
