# Small things for texts.
words_shout() { echo "$1!"; }
words_both() { echo "$1 and $2"; }
