# SPDX-License-Identifier: MIT
#
# The audit of what reached the journal, against what the clients say.
#
#      awk -f audit.awk [-v segments=any] [-v epochs=any] CLAIMS ACKNOWLEDGEMENTS
#
# CLAIMS has a line for each client: NAME PID RECORDS FIRST LAST KIND, where KIND says what must be
# found in the journal:
#   all    exactly these records: no hole, no overlap, the same sum
#   lossy  the same sum, no overlap; holes are records that were written over
#   some   no overlap and no more than that; the client has not lived to see its end
#   star   (PID is -) all of the anonymous clients' together: as many records, one after the other
#   stars  (PID is -) the same, but at most as many, and a record may be acknowledged more than once
#
# ACKNOWLEDGEMENTS is what the keeper writes (journal.h). Of each kind of violation the first one is
# printed in full, and how many there are.
function violation(kind, text) {
    if (!count[kind]++) {
        first_of[kind] = text
        kinds[++kinds_count] = kind
    }
}

FILENAME == ARGV[1] {
    name[$2] = $1; claimed[$2] = $3; begins[$2] = $4; ends[$2] = $5; kind[$2] = $6
    next
}

{
    sequence = $1; epoch = $2; uid = $4; pid = uid == "-" ? "-" : $5
    first = $6; last = $7; records = $8
    entries++
    if (sequence != newest[epoch] + 1) {
        violation(sequence <= newest[epoch] ? "SHMD_ACK_SEQ repeated" : "gap in SHMD_ACK_SEQ",
                  sequence " follows " newest[epoch] + 0 " in epoch " epoch)
    }
    if (sequence > newest[epoch]) { newest[epoch] = sequence }
    if (!(epoch in epoch_seen)) { epoch_seen[epoch] = 1; epochs_count++ }
    if (!($10 in segment_seen)) { segment_seen[$10] = 1; segments_count++ }

    if (!(pid in claimed)) {
        violation("entry about a client that nobody knows", $0)
        next
    }
    k = kind[pid]
    # A record that subscribers still owe may have several '*', and one entry may cover them.
    if (last < first || records < 1 || (records > last - first + 1 && pid != "-")) {
        violation("entry that contradicts itself", $0)
    }
    follows = (pid, epoch) in upto
    here = name[pid] ": " first "-" last " follows " upto[pid, epoch]
    if (k != "stars" && follows) {
        if (first <= upto[pid, epoch]) {
            violation("records logged twice", here)
        } else if (first != upto[pid, epoch] + 1 && (k == "all" || k == "star")) {
            violation("records not logged", here)
        }
    }
    if ((k == "all" || k == "star") && records != last - first + 1) {
        violation("records left out of a range", name[pid] ": " records " of " first "-" last)
    }
    if (!(pid in sum)) { from[pid] = first }
    if (last > upto[pid, epoch]) { upto[pid, epoch] = last }
    sum[pid] += records
    to[pid] = last
}

END {
    for (pid in claimed) {
        k = kind[pid]
        if (k == "some" || k == "stars" ? sum[pid] > claimed[pid] : sum[pid] != claimed[pid]) {
            violation("sum of SHMD_RECORDS",
                      name[pid] ": logged " sum[pid] + 0 ", acknowledged " claimed[pid])
        }
        # Where records are written over, the first range may begin with some that nobody got.
        if (k == "all" && from[pid] != begins[pid] || k == "lossy" && from[pid] > begins[pid] ||
            (k == "all" || k == "lossy") && to[pid] != ends[pid]) {
            violation("begin or end of what was logged",
                      name[pid] ": logged " from[pid] "-" to[pid] ", acknowledged " begins[pid] "-" ends[pid])
        }
    }
    if (!entries) { violation("no entries", "the journal has none") }
    if (segments != "any" && segments_count > 1) {
        violation("more than one segment", segments_count " of them")
    }
    if (epochs != "any" && epochs_count > 1) {
        violation("more than one epoch", epochs_count " of them")
    }
    for (i = 1; i <= kinds_count; i++) {
        print "VIOLATED: " kinds[i] ", " count[kinds[i]] " times; the first: " first_of[kinds[i]]
    }
    print "# audited " entries " entries of " segments_count " segments, " epochs_count " epochs"
}
