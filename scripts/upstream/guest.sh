#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Runs in the machine: runs each program of /tests/upstream with a time limit, and
# prints how it ended. KVM's programs dirty the memory of large guests, iommufd's need
# huge pages.
limit=$1

echo 64 > /proc/sys/vm/nr_hugepages
cd /tests/upstream || exit
for test in *; do
	echo "upstream: run $test"
	timeout -s KILL "$limit" "./$test" < /dev/null
	echo "upstream: exit $? $test"
done
