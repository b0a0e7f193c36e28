# SPDX-License-Identifier: MIT
#
# gnuplot -e "data='DIRECTORY'; svg='DIRECTORY'": the plots of bench/run, from what table.awk wrote.
set terminal svg size 800,500 dynamic background rgb 'white' font 'sans,12'
set logscale xy
set xlabel 'bytes of each record'
set xtics (26, 256, 4096, 65536)
set key outside right
set grid

set output svg.'/round-trip.svg'
set ylabel 'ns'
set title 'One record, handed over and acknowledged: round trip, median'
stats data.'/hop.dat' skip 1 nooutput
plot for [i = 2:STATS_columns] data.'/hop.dat' using 1:i with linespoints linewidth 2 title columnheader(i)

set output svg.'/stream.svg'
set ylabel 'thousand records a second'
set title 'A stream of records, acknowledged in batches'
stats data.'/stream.dat' skip 1 nooutput
plot for [i = 2:STATS_columns] data.'/stream.dat' using 1:i with linespoints linewidth 2 title columnheader(i)
