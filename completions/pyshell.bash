# bash completion for pyshell                                             -*- shell-script -*-
# pyshell itself computes the candidates.

_pyshell() {
    local line=${COMP_LINE:0:COMP_POINT} part=$2
    # The word ends in a character at which bash splits words: nothing follows it yet.
    [[ $part == [:=@] ]] && part=
    mapfile -t COMPREPLY < <("${1/#\~/$HOME}" --complete bash "$line" "$part" 2>/dev/null)
}

complete -o nospace -F _pyshell pyshell
