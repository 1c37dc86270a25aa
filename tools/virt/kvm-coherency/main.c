// SPDX-License-Identifier: GPL-2.0
/* kvm-coherency: why a VM's WBINVD flushes the caches of the host. See kvm-coherency(8). */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "root.h"
#include "text.h"

static const char usage[] =
	"usage: kvm-coherency list [--interval SECONDS] [--json]\n"
	"       kvm-coherency explain VM [--json]\n"
	"       kvm-coherency watch [--count EVENTS] [--json]\n"
	"       kvm-coherency check [--json]\n"
	"       kvm-coherency try BDF [--take] [--json]\n";

static noreturn void wrong(void)
{
	fputs(usage, stderr);
	exit(3);
}

static double seconds(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	/* Also not a number that is none */
	if (end == text || *end || !(value >= 0 && value <= 3600))
		wrong();
	return value;
}

static unsigned long events(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || !value)
		wrong();
	return value;
}

static void parse(int argc, char **argv, struct options *options, bool *interval)
{
	static const struct option words[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' },
		{ "take", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		/* For tests: what /proc and /sys are below */
		{ "root", required_argument, NULL, 'R' },
		/* For tests: the step of try behind which the tool stops itself */
		{ "stop-at", required_argument, NULL, 'S' },
		{}
	};
	int word;

	while ((word = getopt_long(argc, argv, "ji:n:h", words, NULL)) != -1) {
		switch (word) {
		case 'j':
			options->json = true;
			break;
		case 'i':
			options->interval = seconds(optarg);
			*interval = true;
			break;
		case 'n':
			options->count = events(optarg);
			break;
		case 't':
			options->take = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'R':
			root = optarg;
			break;
		case 'S':
			options->stop_at = optarg;
			break;
		default:
			wrong();
		}
	}
}

int main(int argc, char **argv)
{
	struct options options = { .interval = 1 };
	bool interval = false, tries;
	const char *command;
	int status = 0;

	parse(argc, argv, &options, &interval);
	if (optind == argc)
		wrong();
	command = argv[optind++];
	tries = !strcmp(command, "try");
	if (interval && strcmp(command, "list"))
		wrong();
	if (options.count && strcmp(command, "watch"))
		wrong();
	if ((options.take || options.stop_at) && !tries)
		wrong();
	if (argc - optind != (tries || !strcmp(command, "explain")))
		wrong();

	if (!strcmp(command, "list"))
		list(&options);
	else if (!strcmp(command, "explain"))
		explain(&options, argv[optind]);
	else if (!strcmp(command, "watch"))
		watch(&options);
	else if (!strcmp(command, "check"))
		check(&options);
	else if (tries)
		status = try_device(&options, argv[optind]);
	else
		wrong();
	if (fflush(stdout) || ferror(stdout))
		die("what was found could not be written");
	return status;
}
