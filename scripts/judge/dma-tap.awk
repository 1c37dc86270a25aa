# SPDX-License-Identifier: GPL-2.0
# Compares the DMA that a program declared in its output (second file)
#
#	dma: blocked|allowed IOVA WHAT
#
# with the faults that QEMU's VT-d reported (first file, -trace vtd_dmar_fault):
# blocked DMA faults reading and writing, allowed DMA does not fault at all.

function point(good, text) {
	print (good ? "ok " : "not ok ") ++points " - " label text
	failed = failed || !good
}

# An attempt stays within its page
FNR == NR {
	if ($1 == "vtd_dmar_fault")
		faults[substr($7, 1, length($7) - 3), $9]++
	next
}

/^init: the kernel's whole log/ { exit }

/^dma: / {
	what = $0
	sub(/^dma: [^ ]+ [^ ]+ /, "", what)
	page = substr($3, 1, length($3) - 3)
	reads = faults[page, 0]
	writes = faults[page, 1]
	if ($2 == "blocked")
		point(reads && writes, "DMA is blocked and the IOMMU says so: " what " (" $3 ")")
	else
		point(!reads && !writes, "DMA is allowed and the IOMMU reports no fault: " what " (" $3 ")")
}

END {
	if (points != want)
		point(0, points + 0 " attempts at DMA were declared, " want " were to be")
	print "1.." points
	exit failed
}
