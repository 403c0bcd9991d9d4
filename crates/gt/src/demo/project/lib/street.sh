# The street itself.
STREET="Gas Street"
street_sign() { echo "Welcome to $STREET"; }
