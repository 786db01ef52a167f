# bash completion for pyshell                                             -*- shell-script -*-
# pyshell itself tells what fits, so that this file knows no command.

_pyshell() {
    local line=${COMP_LINE:0:COMP_POINT} part=$2
    # A word that ends in one of those which bash breaks words at: nothing stands behind it yet.
    [[ $part == [:=@] ]] && part=
    mapfile -t COMPREPLY < <("${1/#\~/$HOME}" --complete bash "$line" "$part" 2>/dev/null)
}

complete -o nospace -F _pyshell pyshell
