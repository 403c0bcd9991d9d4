#compdef gt bd
# Completion of gt for zsh; `gt completions --help` says how to install it.
_gt() {
    local -a found
    local line
    for line in "${(@f)$(gt complete -- "${(@)words[1,CURRENT]}" 2>/dev/null)}"; do
        [[ -n $line ]] && found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( $#found )); then _describe gt found; else _files; fi
}
if [[ $funcstack[1] == _gt ]]; then _gt "$@"; else compdef _gt gt bd; fi
