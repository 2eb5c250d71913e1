# Reads lines "OURS THEIRS", one a pair, and prints the medians, the median of the pairs' ratios, its 95 %
# interval, and whether the interval's lower end reaches `goal`. The interval is the percentile bootstrap of
# the median (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13), with a fixed seed.
# Each pair was measured one right after the other, so what slows the machine for a while slows both.

function sort(values, count,    i, j, value) {
    for (i = 2; i <= count; i++) {
        value = values[i]
        for (j = i - 1; j >= 1 && values[j] > value; j--) values[j + 1] = values[j]
        values[j + 1] = value
    }
}

function median(values, count,    i, sorted) {
    for (i = 1; i <= count; i++) sorted[i] = values[i]
    sort(sorted, count)
    return count % 2 ? sorted[(count + 1) / 2] : (sorted[count / 2] + sorted[count / 2 + 1]) / 2
}

$2 > 0 { pairs++; ours[pairs] = $1; theirs[pairs] = $2; ratio[pairs] = $1 / $2 }

END {
    if (!pairs) {
        printf "%-44s no pair was measured\n", name
        exit
    }
    srand(1)
    resamples = 2000
    for (r = 1; r <= resamples; r++) {
        for (i = 1; i <= pairs; i++) drawn[i] = ratio[1 + int(rand() * pairs)]
        medians[r] = median(drawn, pairs)
    }
    sort(medians, resamples)
    low = medians[int(0.025 * resamples)]
    high = medians[int(0.975 * resamples)]
    printf "%-44s %9.1f %9.1f %7.3f  [%.3f, %.3f]  %5d  %s\n", name, median(ours, pairs) / 1000, \
        median(theirs, pairs) / 1000, median(ratio, pairs), low, high, pairs, (low >= goal ? "PASS" : "below " goal)
}
