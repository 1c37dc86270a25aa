// SPDX-License-Identifier: GPL-2.0
/* Tables, by libsmartcols. */
#include <libsmartcols/libsmartcols.h>
#include <stdlib.h>

#include "as_json.h"
#include "table.h"
#include "text.h"

char *cell(struct json_object *row, const char *key)
{
	const char *text = json_text(row, key);

	return format("%s", text ? text : "-");
}

void table_print(const struct column *columns, struct json_object *rows)
{
	size_t i, j, nr = json_object_array_length(rows);
	struct libscols_table *table = scols_new_table();
	struct libscols_line *line;
	struct json_object *row;

	if (!table)
		die("out of memory");
	for (j = 0; columns[j].title; j++)
		if (!scols_table_new_column(table, columns[j].title, 0, 0))
			die("out of memory");
	for (i = 0; i < nr; i++) {
		line = scols_table_new_line(table, NULL);
		if (!line)
			die("out of memory");
		row = json_object_array_get_idx(rows, i);
		for (j = 0; columns[j].title; j++)
			if (scols_line_refer_data(line, j, columns[j].text(row)))
				die("out of memory");
	}
	scols_print_table(table);
	scols_unref_table(table);
}
