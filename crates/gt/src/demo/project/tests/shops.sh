expect "$(bread_shop)" "bread"
