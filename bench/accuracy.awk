# The table of bench/accuracy from its rows: kind, model, settings, ours (likely, low, high), held,
# reported, our runtime part, ms; then bytes and ms of llama-fit-params, node-llama-cpp v1, v2.
BEGIN {
    FS = "\t"
    split("ours,llama-fit-params,node-llama-cpp v1,node-llama-cpp v2", label, ",")
    note = why == "" ? "" : " (not run: " why ")"
    print "Bytes in MiB. In brackets: error against what the server's process held."
    print ""
    print "| kind | model | context, slots, batch, cache | reported | held | ours | fit-params | node-llama-cpp v1" \
        note " | v2" note " |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
}
function mib(bytes) { return sprintf("%.0f", bytes / 1048576) }
function off(bytes, truth) { return (bytes - truth) / truth * 100 }
function cell(who, bytes, ms, beside) {
    if (bytes == "-" || bytes == 0) return "-"
    n[who]++
    held[who, n[who]] = abs(off(bytes, $7))
    said[who, n[who]] = abs(off(bytes - beside, $8))
    time[who, n[who]] = ms
    return mib(bytes) sprintf(" (%+.1f %%)", off(bytes, $7))
}
function abs(x) { return x < 0 ? -x : x }
{
    rows++
    inside += $5 <= $7 && $7 <= $6
    width[rows] = ($6 - $5) / $4 * 100
    printf "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", $1, $2, $3, mib($8), mib($7),
        cell(1, $4, $10, $9), cell(2, $11, $12, 0), cell(3, $13, $14, 0), cell(4, $15, $16, 0)
}
# the q-th part of v[who, 1..count], sorted here (few values)
function part(v, who, count, q,    i, j, s, t) {
    if (count == 0) return "-"
    for (i = 1; i <= count; i++) {
        t = v[who, i] + 0
        for (j = i - 1; j > 0 && s[j] > t; j--) s[j + 1] = s[j]
        s[j + 1] = t
    }
    if (q == 0.5) return count % 2 ? s[(count + 1) / 2] : (s[count / 2] + s[count / 2 + 1]) / 2
    i = int(count * q)
    return s[i < count * q ? i + 1 : i]
}
function percent(x) { return x == "-" ? "-" : sprintf("%.1f %%", x) }
END {
    print ""
    print "| | rows | error vs held: median | 95th | largest | vs reported: median | 95th | time, ms, median |"
    print "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for (who = 1; who <= 4; who++)
        printf "| %s | %d | %s | %s | %s | %s | %s | %s |\n", label[who], n[who],
            percent(part(held, who, n[who], 0.5)), percent(part(held, who, n[who], 0.95)),
            percent(part(held, who, n[who], 1)), percent(part(said, who, n[who], 0.5)),
            percent(part(said, who, n[who], 0.95)),
            n[who] ? sprintf("%.1f", part(time, who, n[who], 0.5)) : "-"
    for (i = 1; i <= rows; i++) wide["w", i] = width[i]
    print ""
    printf "- our interval held the truth in %d of %d rows (95 %% wanted); median width %.1f %% of the estimate\n",
        inside, rows, part(wide, "w", rows, 0.5)
    print "- times: ours and llama-fit-params whole processes; node-llama-cpp" (version != "" ? " " version : "") \
        " the answers alone, without starting node"
    print "- reported: the sum of the buffers in the server\047s log; ours is compared with it without its runtime part (the process beside its buffers), which no other counts"
    print "- llama-fit-params prints no row for weights converted for this CPU (CPU_REPACK), and keeps logits of every token of a batch, where the server keeps one per slot"
}
