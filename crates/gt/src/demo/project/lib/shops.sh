# Every shop of the street, one function a line. A new shop takes the free plot.
bread_shop() { echo "bread"; }
# (free plot)
