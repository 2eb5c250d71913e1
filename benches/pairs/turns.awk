# Reads turns, "PAIR END FROM_NS UNTIL_NS CONDITION" a line in order of time, and then two files values-END of lines
# "TIME_NS VALUE", also in order. Prints for each pair the median of what either end had in its turn, in the order of
# the files, and the pair's condition. The begin and the end of a turn are left out: caches are cold then, and a value may stand for a time
# that lies on both sides.

# The present turn is over for the end that is read.
function settle() {
    if (count > 0) {
        sort(values, count)
        median[pair[turn], file] = values[int((count + 1) / 2)]
    }
    count = 0
    turn++
}

FNR == 1 {
    if (file > 1) settle()
    file++
    turn = 1
    end_read = FILENAME
    sub(/.*-/, "", end_read)
}

file == 1 {
    turns++
    pair[turns] = $1
    condition[$1] = $5
    end[turns] = $2
    from[turns] = $3 + 20000000
    until[turns] = $4 - 10000000
    next
}

{
    while (turn <= turns && (end[turn] != end_read || until[turn] <= $1)) settle()
    if (turn <= turns && $1 >= from[turn]) values[++count] = $2
}

END {
    settle()
    for (k = 0; k <= pair[turns]; k++) {
        if (((k, 2) in median) && ((k, 3) in median)) print median[k, 2], median[k, 3], condition[k]
    }
}
