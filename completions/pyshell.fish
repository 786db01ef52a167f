# fish completion for pyshell: pyshell itself computes the candidates.

function __pyshell_words
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    # fish adds the space after a complete word.
    $program --complete fish (commandline -cp | string collect) 2>/dev/null \
        | string replace ' '\t \t
end

complete -c pyshell -f -a '(__pyshell_words)'
