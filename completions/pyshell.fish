# fish completion for pyshell: pyshell itself tells what fits, so that this file knows no command.

function __pyshell_words
    set -l words (commandline -opc)
    set -l program (string replace -r '^~' $HOME -- $words[1])
    # fish adds the blank behind a whole word by itself.
    $program --complete fish (commandline -cp | string collect) 2>/dev/null \
        | string replace ' '\t \t
end

complete -c pyshell -f -a '(__pyshell_words)'
