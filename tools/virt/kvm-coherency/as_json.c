// SPDX-License-Identifier: GPL-2.0
/* json-c, for programs that end when memory does. */
#include <stdio.h>
#include <stdlib.h>

#include "as_json.h"
#include "text.h"

static struct json_object *there(struct json_object *object)
{
	if (!object)
		die("out of memory");
	return object;
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value))
		die("out of memory");
}

void json_add_text(struct json_object *object, const char *key, const char *text)
{
	json_add(object, key, text ? there(json_object_new_string(text)) : NULL);
}

void json_take_text(struct json_object *object, const char *key, char *text)
{
	json_add_text(object, key, text);
	free(text);
}

void json_add_number(struct json_object *object, const char *key, long long number)
{
	json_add(object, key, there(json_object_new_int64(number)));
}

void json_add_flag(struct json_object *object, const char *key, bool flag)
{
	json_add(object, key, there(json_object_new_boolean(flag)));
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_object_array_add(array, value))
		die("out of memory");
}

struct json_object *json_list(void)
{
	return there(json_object_new_array());
}

struct json_object *json_new(void)
{
	return there(json_object_new_object());
}

struct json_object *json_at(struct json_object *object, const char *key)
{
	return json_object_object_get(object, key);
}

const char *json_text(struct json_object *object, const char *key)
{
	struct json_object *value = json_at(object, key);

	return value ? json_object_get_string(value) : NULL;
}

long long json_number(struct json_object *object, const char *key)
{
	return json_object_get_int64(json_at(object, key));
}

bool json_flag(struct json_object *object, const char *key)
{
	return json_object_get_boolean(json_at(object, key));
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
					    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
