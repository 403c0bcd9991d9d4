# Keeps a worker's git to its own branch.
#
# Runs at every change of a ref, so it starts no process unless there is something to pin or to refuse.
# "gt-rules" in a worktree's administrative folder holds two lines: the worker's branch (empty: none) and its name.

refuse() {
    printf 'gt: %s\n' "$@" >&2
    exit 1
}

explain() {
    case $1 in
    refs/remotes/*)
        refuse "this worktree fetches nothing itself: run \`gt rig fetch\`, which fetches for you." \
            "Then look at refs/remotes/origin/*, and merge or rebase as you like."
        ;;
    refs/heads/"$own")
        refuse "your branch $own can't be deleted or renamed; it is what \`gt done\` submits."
        ;;
    refs/heads/*)
        [ -n "$own" ] || refuse "no branch can be made or moved from this worktree (${1#refs/heads/})."
        refuse "you work on the branch $own alone; ${1#refs/heads/} stays as it is." \
            "Commit on your own branch, and hand it in with \`gt done\`. To try something out: git checkout --detach"
        ;;
    refs/tags/*)
        refuse "tags are not made in a worker's worktree (${1#refs/tags/}); say in your note what should be tagged." \
            "Hand your branch in with \`gt done\`."
        ;;
    *)
        refuse "$1 is not yours to change. Commit on your own branch, and hand it in with \`gt done\`."
        ;;
    esac
}

# A stash is shared by all worktrees and dropped by whoever pops it; its commit is kept in any case.
pin() {
    case $1 in *[!0]*) ;; *) return ;; esac
    git -c core.hooksPath=/dev/null update-ref "refs/gt/stash/$worker/$1" "$1" ||
        refuse "the stash could not be kept safe; commit on your own branch instead."
}

# What stands on the left is the new value; "ref:..." for a symbolic ref.
check() {
    case $2 in
    refs/heads/"$own")
        case $1 in *[!0]*) ;; *) explain "$2" ;; esac
        ;;
    refs/stash) pin "$1" ;;
    refs/rewritten/* | refs/bisect/* | refs/worktree/*) ;;
    */*) explain "$2" ;;
    HEAD)
        case $1 in
        ref:refs/heads/"$own") ;;
        ref:*) explain "${1#ref:}" ;;
        esac
        ;;
    *_HEAD | AUTO_MERGE | BISECT_EXPECTED_REV) ;;
    *) explain "$2" ;;
    esac
}

rules=
if [ -f "$git_dir/gt-rules" ]; then
    rules=$git_dir/gt-rules
else
    case $git_dir in
    # A worktree that a worker made for itself: it may look, and move no branch.
    "$repo" | "$repo"/worktrees/*) rules=/dev/null ;;
    esac
fi

has_hook reference-transaction && chained=yes || chained=

if [ -n "$rules" ] && [ "$1" = prepared ]; then
    { read -r own && read -r worker; } <"$rules" || own=
    : "${worker:=${git_dir##*/}}"
    updates=
    while read -r old new ref; do
        check "$new" "$ref"
        [ -z "$chained" ] || updates="$updates$old $new $ref
"
    done
    [ -z "$chained" ] || printf %s "$updates" | "$hooks/reference-transaction" "$@"
    exit
fi

[ -n "$chained" ] || exit 0
exec "$hooks/reference-transaction" "$@"
