#!/bin/sh
# gt-hook: of the town's. Written anew when a worktree is made; changes here are lost.

repo=${0%/gt-hooks/*}
git_dir=${GIT_DIR:-.}

# The town's hooks path hides the one that the project's tooling sets in the repository's own configuration, and the
# user's own. The bare repository sees all settings but those of this worktree.
ask_git() {
    hooks=$(git --git-dir="$repo" config --type=path --get core.hooksPath)
    : "${hooks:=$repo/hooks}"
}

# Hooks run often and settings change rarely: the answer holds until one of git's files is as new as the question.
is_fresh() {
    for file in "$repo/config" "${GIT_CONFIG_GLOBAL:-$HOME/.gitconfig}" \
        "${XDG_CONFIG_HOME:-$HOME/.config}/git/config" "${GIT_CONFIG_SYSTEM:-/etc/gitconfig}"; do
        [ ! -f "$file" ] || [ "$asked" -nt "$file" ] || return 1
    done
    [ -f "$answer" ]
}

find_hooks() {
    # Only a worktree that the town made has a place for the answer.
    [ -f "$git_dir/gt-rules" ] || { ask_git && return; }
    asked=$git_dir/gt-hooks-asked
    answer=$git_dir/gt-hooks-answer
    hooks=
    if is_fresh; then read -r hooks <"$answer"; fi
    [ -z "$hooks" ] || return
    : >"$asked"
    ask_git
    printf '%s\n' "$hooks" >"$answer"
}

# Whether the project has a hook of this name. A tool may have written down where git looks now: that is no project's.
has_hook() {
    find_hooks
    case $hooks/ in */gt-hooks/ | */gt-hooks//) return 1 ;; esac
    [ -f "$hooks/$1" ] && [ -x "$hooks/$1" ]
}

