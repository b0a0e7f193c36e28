# SPDX-License-Identifier: MIT
#
# Makes of what the programs have printed (harness.h) medians over all rounds, and of those: tables
# in Markdown, a JSON file (-v json=FILE) and data for plots.gp (-v plots=DIRECTORY). The first file
# says what the run was, a name and a text in each line.

function median(key, field,    n, i, j, swap, sorted) {
    n = 0
    for (i = 1; i <= rounds[key]; i++) {
        if (raw[key, field, i] != "-") sorted[++n] = raw[key, field, i] + 0
    }
    if (n == 0) return ""
    for (i = 2; i <= n; i++) {
        for (j = i; j > 1 && sorted[j] < sorted[j - 1]; j--) {
            swap = sorted[j]; sorted[j] = sorted[j - 1]; sorted[j - 1] = swap
        }
    }
    return n % 2 ? sorted[(n + 1) / 2] : (sorted[n / 2] + sorted[n / 2 + 1]) / 2
}

# Of streams: the best round, too, which others on the machine have disturbed least.
function best(key, field,    i, value) {
    value = raw[key, field, 1] + 0
    for (i = 2; i <= rounds[key]; i++) {
        if (raw[key, field, i] + 0 < value) value = raw[key, field, i] + 0
    }
    return value
}

FNR == NR { sub(/\t/, SUBSEP); split($0, about, SUBSEP); word[++words] = about[1]; text[about[1]] = about[2]; next }

$1 == "result" {
    key = $2 " " $3 " " $4 " " $5
    if (!(key in rounds)) {
        keys[++count] = key
        if (!($2 in known)) { known[$2] = 1; peers[++peer_count] = $2 }
        if ($5 == 1 && !($4 in sized)) { sized[$4] = 1; sizes[++size_count] = $4 }
    }
    n = ++rounds[key]
    raw[key, "ns", n] = $7; raw[key, "p50", n] = $8; raw[key, "p99", n] = $9
    raw[key, "p999", n] = $10; raw[key, "cpu", n] = $11
}
$1 == "value" {
    key = $3
    if (!(key in rounds)) { values[++value_count] = key; unit[key] = $4 }
    raw[key, "value", ++rounds[key]] = $5
}
$1 == "calls" { calls[$2 " " $3 " " $4 " " $5] = $6 }

function number(value) {
    return value == "" ? "" : value < 9.95 ? sprintf("%.2f", value) : value < 99.5 ? sprintf("%.1f", value) : sprintf("%d", value + 0.5)
}

function cell(value, limit) {
    if (value == "") return " | "
    return " | " number(value) (limit ? sprintf(" (%.2f)", value / limit) : "")
}

function size_name(size) {
    return size >= 1024 ? size / 1024 " KiB" : size " B"
}

function has(row,    i, part) {
    for (i = 1; i <= count; i++) { split(keys[i], part, " "); if (part[2] == row) return 1 }
    return 0
}

# The rate of a stream, thousand records a second: to one subscriber that of its blocks, to many that
# of the whole run.
function rate(key,    value) {
    if (!(key in rounds)) return ""
    value = key ~ / 1$/ ? median(key, "p50") : ""
    if (value == "") value = median(key, "ns")
    return value > 0 ? 1e6 / value : ""
}

function heading(title, columns) {
    printf "\n**%s**\n\n%s\n", title, columns
    gsub(/[^|]/, "-", columns)
    print columns
}

function table_of_sizes(title, row, stream,    i, j, key, limit, line, any) {
    line = "| |"
    for (j = 1; j <= size_count; j++) line = line " " size_name(sizes[j]) " |"
    heading(title, line)
    for (i = 1; i <= peer_count; i++) {
        line = "| " peers[i]; any = 0
        for (j = 1; j <= size_count; j++) {
            key = peers[i] " " row " " sizes[j] " 1"
            limit = "ring " row " " sizes[j] " 1"
            if (key in rounds) any = 1
            line = line (stream ? cell(rate(key), rate(limit)) : cell((key in rounds) ? median(key, "p50") : "", (limit in rounds) ? median(limit, "p50") : 0))
        }
        if (any) print line " |"
    }
}

function table_of_crowds(    i, j, k, part, line, column, columns, seen, key, any) {
    line = "| |"
    for (i = 1; i <= count; i++) {
        split(keys[i], part, " ")
        column = part[3] " " part[4]
        if (part[2] == "stream" && part[4] > 1 && !(column in seen)) {
            seen[column] = 1; columns[++k] = column
            line = line " " size_name(part[3]) ", 1 to " part[4] " |"
        }
    }
    if (!k) return
    heading("Fan-out, thousand records/s, each to all subscribers (ratio to the bare ring)", line)
    for (i = 1; i <= peer_count; i++) {
        line = "| " peers[i]; any = 0
        for (j = 1; j <= k; j++) {
            key = peers[i] " stream " columns[j]
            if (key in rounds) any = 1
            line = line cell(rate(key), rate("ring stream " columns[j]))
        }
        if (any) print line " |"
    }
}

# One line for each that has such a row: percentiles, processor time, system calls.
function table_of_details(title, row, size,    i, key, ns) {
    heading(title, "| | p50, ns | p99, ns | p99.9, ns | processor time, ns | system calls |")
    for (i = 1; i <= peer_count; i++) {
        key = peers[i] " " row " " size " 1"
        if (!(key in rounds)) continue
        print "| " peers[i] cell(median(key, "p50")) cell(median(key, "p99")) cell(median(key, "p999")) cell(median(key, "cpu")) (key in calls ? " | " number(calls[key]) : " | ") " |"
    }
}

function table_of_others(    i, part, key, limit) {
    heading("shmd, other rows (ratio: p50 to a bare ring's round trip; streams, ns for each record of the whole run)", "| | ns | p99, ns | system calls |")
    for (i = 1; i <= count; i++) {
        key = keys[i]
        split(key, part, " ")
        if (part[1] != "shmd" || part[2] == "hop" || part[2] == "stream" || part[2] == "asleep") continue
        limit = part[2] == "push-stream" ? "ring stream " part[3] " 1" : "ring hop " part[3] " 1"
        ns = part[2] == "push-stream" || median(key, "p50") == "" ? "ns" : "p50"
        print "| " part[2] ", " size_name(part[3]) (part[4] > 1 ? ", " part[4] " sessions" : "") cell(median(key, ns), (limit in rounds) ? median(limit, ns) : 0) cell(median(key, "p99")) (key in calls ? " | " number(calls[key]) : " | ") " |"
    }
}

function json_number(value) {
    return value == "" ? "null" : sprintf("%.10g", value)
}

function write_json(    i, part, key) {
    printf "{\n" >json
    for (i = 1; i <= words; i++) {
        gsub(/["\\]/, "", text[word[i]])
        printf "  \"%s\": \"%s\",\n", word[i], text[word[i]] >json
    }
    printf "  \"results\": [" >json
    for (i = 1; i <= count; i++) {
        key = keys[i]; split(key, part, " ")
        printf "%s\n    {\"peer\": \"%s\", \"row\": \"%s\", \"size\": %d, \"subscribers\": %d, \"rounds\": %d, \"ns\": %s, \"ns_best\": %s, \"p50_ns\": %s, \"p99_ns\": %s, \"p999_ns\": %s, \"cpu_ns\": %s, \"system_calls\": %s}", (i > 1 ? "," : ""), part[1], part[2], part[3], part[4], rounds[key], json_number(median(key, "ns")), json_number(best(key, "ns")), json_number(median(key, "p50")), json_number(median(key, "p99")), json_number(median(key, "p999")), json_number(median(key, "cpu")), (key in calls ? json_number(calls[key]) : "null") >json
    }
    printf "\n  ],\n  \"values\": [" >json
    for (i = 1; i <= value_count; i++) {
        printf "%s\n    {\"name\": \"%s\", \"unit\": \"%s\", \"value\": %s}", (i > 1 ? "," : ""), values[i], unit[values[i]], json_number(median(values[i], "value")) >json
    }
    printf "\n  ]\n}\n" >json
    close(json)
}

# A file for each plot: peers beside each other, one line for each size or crowd.
function write_plot(name, row,    i, j, key, file, value) {
    file = plots "/" name ".dat"
    printf "size" >file
    for (i = 1; i <= peer_count; i++) if ((peers[i] " " row " " sizes[1] " 1") in rounds) printf "\t%s", peers[i] >file
    printf "\n" >file
    for (j = 1; j <= size_count; j++) {
        printf "%s", sizes[j] >file
        for (i = 1; i <= peer_count; i++) {
            if (!((peers[i] " " row " " sizes[1] " 1") in rounds)) continue
            key = peers[i] " " row " " sizes[j] " 1"
            value = !(key in rounds) ? "" : row == "hop" ? median(key, "p50") : rate(key)
            printf "\t%s", value == "" ? "NaN" : value >file
        }
        printf "\n" >file
    }
    close(file)
}

END {
    for (i = 1; i <= words; i++) printf "%s%s: %s", (i > 1 ? "; " : ""), word[i], text[word[i]]
    print ""
    table_of_sizes("Round trip, ns, median (ratio to the bare ring)", "hop", 0)
    table_of_sizes("Stream, thousand records/s (ratio to the bare ring)", "stream", 1)
    table_of_crowds()
    table_of_details("Round trip of 26 B", "hop", 26)
    table_of_details("Both asleep, one record of 26 B each millisecond", "asleep", 26)
    if (has("plain")) table_of_others()
    if (value_count) heading("shmd, in itself", "| | |")
    for (i = 1; i <= value_count; i++) print "| " values[i] " | " number(median(values[i], "value")) " " unit[values[i]] " |"
    if (json) write_json()
    if (plots) { write_plot("hop", "hop"); write_plot("stream", "stream") }
}
