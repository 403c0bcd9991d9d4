expect "$(street_sign)" "Welcome to Gas Street"
