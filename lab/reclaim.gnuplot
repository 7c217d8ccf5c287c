# SPDX-License-Identifier: GPL-2.0
#
# Plots what lab/reclaim-table.awk writes; the variable data names the file.

set terminal svg size 1100,800 background "white" font "sans,12"
set style data histograms
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set ylabel "virtual seconds"
set xlabel "of the memory that the guest has freed"
set yrange [0:*]
set grid ytics
set key inside left top
rows = "unpatched swap balloon reporting hyperupcall"
of(load, row, column) = sprintf("<awk '$1 == \"%s\" && $3 == \"%s\" { print $2 \"%%\", $%d }' %s", \
				load, row, column, data)

set multiplot layout 2, 2
do for [load in "idle busy"] {
	do for [column in "4 5"] {
		set title sprintf("%s, vCPUs %s", column eq "4" ? \
			"take memory back" : "use it again", \
			load eq "idle" ? "idle" : "overcommitted")
		# Without the series there is no busy row.
		plot for [i = (load eq "idle" ? 1 : 2):words(rows)] \
			of(load, word(rows, i), int(column)) \
			using 2:xtic(1) title word(rows, i) linecolor i
	}
}
unset multiplot
