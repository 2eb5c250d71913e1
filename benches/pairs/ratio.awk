# Reads lines "OURS THEIRS [GROUP]", one a pair, and prints the medians, the median of the pairs' ratios, its 95 %
# interval, and whether the interval's lower end reaches `goal`. The interval is the percentile bootstrap of
# the median (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), with a fixed seed. Pairs of
# one group have something in common that another run would not have, so groups are drawn, each with all of its pairs
# (Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8); without groups, pairs are.
# Each pair was measured one right after the other, so what slows the machine for a while slows both.
# With `within`, the medians' difference and its interval are printed too, and that it lies within that suffices.

function median(values, count,    i, sorted) {
    for (i = 1; i <= count; i++) sorted[i] = values[i]
    sort(sorted, count)
    return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

# The median of `values`; its interval is then from `low` to `high`.
function interval(values,    r, g, i, group, count, drawn, medians) {
    srand(1)
    for (r = 1; r <= 1000; r++) {
        count = 0
        for (g = 1; g <= groups; g++) {
            group = 1 + int(rand() * groups)
            for (i = 1; i <= size[group]; i++) drawn[++count] = values[member[group, i]]
        }
        medians[r] = median(drawn, count)
    }
    sort(medians, 1000)
    low = medians[25]
    high = medians[975]
    return median(values, pairs)
}

$2 > 0 {
    pairs++
    ours[pairs] = $1
    theirs[pairs] = $2
    ratio[pairs] = $1 / $2
    difference[pairs] = $1 - $2
    name_of_group = NF > 2 ? $3 : pairs
    if (!(name_of_group in group_of)) group_of[name_of_group] = ++groups
    group = group_of[name_of_group]
    member[group, ++size[group]] = pairs
}

END {
    # One group says nothing about another.
    if (groups == 1) {
        for (groups = 0; groups < pairs; groups++) {
            size[groups + 1] = 1
            member[groups + 1, 1] = groups + 1
        }
    }
    if (!pairs) {
        printf "%-44s no pair was measured\n", name
        exit
    }
    middle = interval(ratio)
    passed = low >= goal
    row = sprintf("%-44s %9.1f %9.1f %7.3f  [%.3f, %.3f]  %5d", name, median(ours, pairs) / 1000, \
        median(theirs, pairs) / 1000, middle, low, high, pairs)
    if (within) {
        middle = interval(difference)
        passed = passed || (low >= -within && high <= within)
        row = row sprintf("  difference %+.3f [%+.3f, %+.3f]", middle / 1000, low / 1000, high / 1000)
    }
    print row "  " (passed ? "PASS" : "below " goal)
}
