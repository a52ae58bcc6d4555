/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP/1.1 load generator: one thread, loopback. See load.h for what it does; usage below. Prints one line of
 * JSON at the end, which SIGTERM brings about early. `requests` counts the whole run, so that the CPU time of a
 * server over the whole run can be divided by it; rates and latencies are of the measured time alone.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"
#include "loopback.h"
#include "program.h"

static const char usage[] = "usage: loadgen [OPTION…] PORT [TARGET]\n"
			    "  -c N     connections (50)\n"
			    "  -d SEC   measured time, 0: until SIGTERM (5)\n"
			    "  -w SEC   warm-up before it (1)\n"
			    "  -r RATE  open loop: RATE requests a second at fixed times\n"
			    "  -k       a connection for each request\n"
			    "  -a N     source addresses to come from in turn (4)\n"
			    "  -H NAME  host to ask for (bench.example)\n"
			    "  -g       after the warm-up print \"warm\", wait for a byte on "
			    "standard input; at the end, for its end\n";

static void on_signal(int number)
{
	(void)number; /* there is one reason to stop */
	load_stop();
}

static void read_options(int argc, char **argv, struct load_options *options)
{
	int option;

	while ((option = getopt(argc, argv, "c:d:w:r:ka:H:g")) != -1)
		switch (option) {
		case 'c':
			options->connections = (uint32_t)program_number(optarg, 1, 1 << 20);
			break;
		case 'd':
			options->seconds = program_decimal(optarg);
			break;
		case 'w':
			options->warm_seconds = program_decimal(optarg);
			break;
		case 'r':
			options->rate = program_decimal(optarg);
			break;
		case 'k':
			options->one_request = true;
			break;
		case 'a':
			options->sources = (uint32_t)program_number(optarg, 1,
								    LOOPBACK_SOURCES_MAX);
			break;
		case 'H':
			options->host = optarg;
			break;
		case 'g':
			options->gate = true;
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	if (optind >= argc || (options->rate > 0 && (options->one_request || options->gate))) {
		fputs(usage, stderr);
		exit(2);
	}
	options->port = (uint16_t)program_number(argv[optind], 1, UINT16_MAX);
	if (optind + 1 < argc)
		options->target = argv[optind + 1];
}

static double us(uint64_t ns)
{
	return (double)ns / 1000;
}

static void print_result(const struct load_result *result)
{
	const struct histogram *latency = &result->latency;
	double count = latency->count == 0 ? 1 : (double)latency->count;

	printf("{\"requests\": %llu, \"gated\": %llu, \"measured\": %llu, \"seconds\": %.3f, "
	       "\"rps\": %.1f, \"bytes\": %llu, ",
	       (unsigned long long)result->requests, (unsigned long long)result->gated,
	       (unsigned long long)latency->count, result->seconds,
	       (double)latency->count / result->seconds, (unsigned long long)result->bytes);
	printf("\"mean_us\": %.1f, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
	       "\"p999_us\": %.1f, \"max_us\": %.1f, ",
	       us(latency->sum_ns) / count, us(histogram_at(latency, 0.5)),
	       us(histogram_at(latency, 0.9)), us(histogram_at(latency, 0.99)),
	       us(histogram_at(latency, 0.999)), us(latency->max_ns));
	printf("\"cut\": %llu, \"refused\": %llu, \"unexpected\": %llu, \"reconnects\": %llu}\n",
	       (unsigned long long)result->cut, (unsigned long long)result->refused,
	       (unsigned long long)result->unexpected, (unsigned long long)result->reconnects);
	fflush(stdout);
}

/* Connections stay as they are until whoever counts the server's calls has looked away. */
static void await_end_of_input(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		continue;
}

int main(int argc, char **argv)
{
	static struct load_result result;
	struct load_options options = {
		.host = "bench.example",
		.target = "/",
		.warm_seconds = 1,
		.seconds = 5,
		.connections = 50,
		.sources = 4,
	};

	read_options(argc, argv, &options);
	program_need_descriptors(options.connections + 64);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	/* due times are met to the microsecond, not to the 50 that the kernel takes otherwise */
	prctl(PR_SET_TIMERSLACK, 1000);
	load_run(&options, &result);
	print_result(&result);
	if (options.gate)
		await_end_of_input();
	return 0;
}
