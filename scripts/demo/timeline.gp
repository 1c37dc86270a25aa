# SPDX-License-Identifier: GPL-2.0
# Draws the demo's timeline: a column per machine, a row per kernel.
#
# gnuplot -e "dir='build/demo'; kernels='ours unpatched'; release='6.12'" timeline.gp

rows = words(kernels)
row = 292.0
width = 1240.0
height = 100 + row * rows
set terminal svg size width, height font 'DejaVu Sans,Helvetica,Arial,sans-serif,12' \
	background '#ffffff'
set output dir . '/timeline.svg'

ink = '#22262b'
muted = '#69707d'
line = '#c3c8d0'
band(ok) = ok == 1 ? 0xf3f4f6 : 0xfbe3df
verdict(ok) = ok == 1 ? 0x00744f : 0xc02812
dma(kind) = kind == 2 ? 0xe69f00 : kind == 1 ? 0x56b4e9 : 0xd0d4db

left(c) = (c == 0 ? 124 : 690) / width
right(c) = (c == 0 ? 664 : 1230) / width
top(r) = 1 - (76 + row * r) / height
bottom(r) = top(r) - 240 / height
title(kernel) = kernel eq 'ours' ? \
	'our modules: KVM follows what the device is attached to' : \
	'unpatched modules: KVM asked once what the IOMMU could do'

set multiplot
unset key
unset border
unset tics
set style fill solid 1.0 noborder
set xrange [1:8]
set yrange [0:3.3]

set label 100 'VT-d that cannot enforce coherency' at screen left(0), screen 1 - 24/height \
	font ',17' tc rgb ink
set label 101 'VT-d that enforces coherency' at screen left(1), screen 1 - 24/height \
	font ',17' tc rgb ink
caption = "Time is stretched: every step is equally wide, and its 100 WBINVDs fill most of it. " \
	. "▲▼ iommufd's event, non-coherent attachment on, off\n" \
	. "flushed: WBINVDs that the host's kernel executed for the guest's, counted by the emulator. " \
	. "On red, a wrong number."
set label 102 caption at screen left(0), screen 38/height font ',11' tc rgb muted

do for [r = 0:rows - 1] {
	kernel = word(kernels, r + 1)
	set tmargin at screen top(r)
	set bmargin at screen bottom(r)
	do for [c = 0:1] {
		data = sprintf('%s/%s-%s/timeline.dat', dir, kernel, c == 0 ? 'off' : 'on')
		set lmargin at screen left(c)
		set rmargin at screen right(c)
		set label 1 title(kernel) at screen left(c), screen top(r) + 10/height \
			font ',13' tc rgb ink
		if (c == 0) {
			name = left(c) - 10/width
			set label 2 "the device's DMA" at screen name, first 2.4 right tc rgb ink
			set label 3 'permission' at screen name, first 1.62 right tc rgb ink
			set label 4 'guest WBINVDs' at screen name, first 0.72 right tc rgb ink
			set label 5 'flushed / asked' at screen name, first 0.48 right \
				tc rgb muted font ',10'
		} else {
			unset label 2
			unset label 3
			unset label 4
			unset label 5
		}
		plot data index 0 using 1:(1.5):($1 - 0.488):($1 + 0.488):(0):(3.2):(band($5)) \
			with boxxyerror lc rgb variable, \
		     data index 0 using 1:(2.97):2 with labels font ',11' tc rgb ink, \
		     data index 0 using ($1 - 0.5):(2.4):(1):(0) with vectors nohead lc rgb line, \
		     data index 0 using ($1 - 0.5):(1.62):(1):(0) with vectors nohead lc rgb line, \
		     data index 0 using ($1 - 0.5):(0.12):(1):(0) with vectors nohead lc rgb line, \
		     data index 1 using 1:(2.4):1:2:(2.18):(2.62):(dma($3)) \
			with boxxyerror lc rgb variable, \
		     data index 1 using (($1 + $2) / 2):(2.4):4 with labels font ',9.5' tc rgb ink, \
		     data index 2 using 1:(1.62):1:2:(1.42):(1.82):($3 == 1 ? 0x0072b2 : 0x9db4c6) \
			with boxxyerror lc rgb variable, \
		     data index 2 using (($1 + $2) / 2):(1.62):4 with labels font ',10' tc rgb '#ffffff', \
		     data index 3 using 1:($2 == 1 ? 2.06 : NaN) with points pt 9 ps 0.6 lc rgb ink, \
		     data index 3 using 1:($2 == 0 ? 1.93 : NaN) with points pt 11 ps 0.6 lc rgb ink, \
		     data index 4 using 1:(0.12):(0):($2 == 1 ? 0.72 : 0.12):($3) \
			with vectors nohead lw 0.3 lc rgb variable, \
		     data index 0 using ($1 + 0.1):(1.06):(sprintf('%d / %d', $3, $4)):(verdict($5)) \
			with labels font ',12' tc rgb variable
		unset label 100
		unset label 101
		unset label 102
	}
}
unset multiplot
