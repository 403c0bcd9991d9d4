expect "$(words_shout "Hello")" "Hello!"
expect "$(words_both "salt" "$(words_shout "pepper")")" "salt and pepper!"
