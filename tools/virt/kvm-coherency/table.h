/* SPDX-License-Identifier: GPL-2.0 */
#ifndef TABLE_H
#define TABLE_H

struct json_object;

/**
 * struct column - A column of a table
 * @title: What stands above it
 * @text: What stands in a row's cell, the caller's to free
 */
struct column {
	const char *title;
	char *(*text)(struct json_object *row);
};

/* @columns ends with one without title */
void table_print(const struct column *columns, struct json_object *rows);

/* For cells: a text, or "-" for null */
char *cell(struct json_object *row, const char *key);

#endif
