# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0
# What a sanitizer looks at; sourced.

# uninstrumented PATTERN OBJECT...: those OBJECTs that call nothing that matches PATTERN
uninstrumented() {
	sanitizer_calls=$1
	shift
	for object; do
		nm "$object" | grep -qE " U $sanitizer_calls" || echo "$object"
	done
}
