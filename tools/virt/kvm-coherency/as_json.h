/* SPDX-License-Identifier: GPL-2.0 */
#ifndef AS_JSON_H
#define AS_JSON_H

#include <json-c/json.h>
#include <stdbool.h>

/*
 * What commands find out is JSON, which they print as it is or make text from. Each takes
 * over what it adds, and a NULL is null.
 */
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_add_text(struct json_object *object, const char *key, const char *text);
/* Frees the text as well */
void json_take_text(struct json_object *object, const char *key, char *text);
void json_add_number(struct json_object *object, const char *key, long long number);
void json_add_flag(struct json_object *object, const char *key, bool flag);
void json_append(struct json_object *array, struct json_object *value);
struct json_object *json_list(void);
struct json_object *json_new(void);

/* The value of a key that is there; NULL for null */
struct json_object *json_at(struct json_object *object, const char *key);
const char *json_text(struct json_object *object, const char *key);
long long json_number(struct json_object *object, const char *key);
/* False for null */
bool json_flag(struct json_object *object, const char *key);

/* Prints and frees */
void json_print(struct json_object *object);

#endif
