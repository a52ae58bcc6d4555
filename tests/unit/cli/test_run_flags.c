/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_flags.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct run_flags flags;
static struct error err;

enum { WORDS_MAX = 128 };

/* Parses words apart by blanks, after "--manifests DIR". */
static enum flags_result parse(const char *line)
{
	static char text[4096];
	char *argv[WORDS_MAX] = {(char *)(uintptr_t) "run"};
	int argc = 1;

	snprintf(text, sizeof(text), "--manifests dir %s", line);
	for (char *rest = text, *word; (word = strsep(&rest, " ")) != NULL;) {
		if (word[0] != '\0')
			argv[argc++] = word;
	}
	return run_flags_parse("ingot run", argc, argv, &flags, &err);
}

static void assert_parsed(const char *line)
{
	if (parse(line) != FLAGS_DONE)
		fail_msg("%s: %s", line, err.text);
}

static void assert_refused(const char *line, const char *message)
{
	assert_int_equal(parse(line), FLAGS_BAD);
	assert_non_null(strstr(err.text, message));
}

static void assert_admin(const char *line, const char *address)
{
	struct ip_port at;
	char text[IP_PORT_TEXT_SIZE];

	assert_parsed(line);
	at = run_flags_admin_address(&flags);
	ip_port_write(text, &at);
	assert_string_equal(text, address);
}

static void the_defaults_are_those_of_ingress_nginx(void **state)
{
	(void)state;
	assert_parsed("");

	assert_string_equal(run_flags_text(&flags, RUN_INGRESS_CLASS), "nginx");
	assert_string_equal(run_flags_text(&flags, RUN_CONTROLLER_CLASS), "k8s.io/ingress-nginx");
	assert_int_equal(run_flags_number(&flags, RUN_HTTP_PORT), 80);
	assert_int_equal(run_flags_number(&flags, RUN_SHUTDOWN_GRACE_PERIOD), 240000);
	assert_string_equal(run_flags_text(&flags, RUN_ACCESS_LOG), "-");
	assert_string_equal(run_flags_text(&flags, RUN_ACCESS_LOG_FORMAT), "nginx");
	assert_int_equal(run_flags_number(&flags, RUN_WORKERS), 0);
	assert_int_equal(run_flags_log_level(&flags), LOG_LEVEL_INFO);
	assert_false(run_flags_has(&flags, RUN_WATCH_WITHOUT_CLASS));
	assert_admin("", "[::]:10254");
}

static void the_admin_address_is_built_from_either_set_of_flags(void **state)
{
	(void)state;
	assert_admin("--healthz-port 8081", "[::]:8081");
	assert_admin("--healthz-host 127.0.0.1", "127.0.0.1:10254");
	assert_admin("--healthz-host ::1 --healthz-port 99", "[::1]:99");
	assert_admin("--admin-address 127.0.0.1:5 --healthz-host ::1", "127.0.0.1:5");
	assert_parsed("--admin-address off");
	assert_int_equal(run_flags_admin_address(&flags).port, 0);
	assert_refused("--healthz-host localhost", "is not an IP address");
}

static void one_port_cannot_serve_both(void **state)
{
	(void)state;
	assert_refused("--http-port 10254", "traffic and the admin address have the same port");
	assert_refused("--http-port 81 --admin-address 127.0.0.1:81", "have the same port");
	assert_parsed("--http-port 81 --admin-address off");
	/* two addresses that do not meet */
	assert_parsed("--http-port 81 --bind-address 127.0.0.2 --admin-address 127.0.0.1:81");
	assert_refused("--http-port 81 --bind-address 127.0.0.2 --admin-address :81",
		       "have the same port");
}

static void verbosity_of_klog_is_a_level_unless_there_is_one(void **state)
{
	(void)state;
	assert_parsed("-v=2");
	assert_int_equal(run_flags_log_level(&flags), LOG_LEVEL_INFO);
	assert_parsed("-v 3");
	assert_int_equal(run_flags_log_level(&flags), LOG_LEVEL_DEBUG);
	assert_parsed("--v=5 --log-level warn");
	assert_int_equal(run_flags_log_level(&flags), LOG_LEVEL_WARN);
	assert_parsed("--log-level error");
	assert_int_equal(run_flags_log_level(&flags), LOG_LEVEL_ERROR);
}

static void without_a_source_there_is_nothing_to_serve(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "run", NULL};

	(void)state;
	assert_int_equal(run_flags_parse("ingot run", 1, argv, &flags, &err), FLAGS_BAD);

	assert_non_null(strstr(err.text, "--manifests DIR is missing"));
}

static void a_key_for_what_is_stored_needs_a_place_to_store_it(void **state)
{
	(void)state;
	assert_refused("--state-key-file key", "--state-dir");
	assert_parsed("--state-key-file key --state-dir state");
}

static void the_version_needs_nothing_else(void **state)
{
	char *argv[] = {(char *)(uintptr_t) "run", (char *)(uintptr_t) "--version", NULL};

	(void)state;
	assert_int_equal(run_flags_parse("ingot run", 2, argv, &flags, &err), FLAGS_DONE);

	assert_true(run_flags_has(&flags, RUN_VERSION));
}

/* Every flag of the compatibility specification, section 20, with a value that ingress-nginx takes. */
static void a_deployment_of_ingress_nginx_starts(void **state)
{
	(void)state;
	assert_parsed(
		"--controller-class=k8s.io/ingress-nginx --ingress-class=nginx "
		"--ingress-class-by-name --watch-ingress-without-class=true --watch-namespace=a "
		"--watch-namespace-selector=a=b --configmap=a/b --tcp-services-configmap=a/b "
		"--udp-services-configmap=a/b --default-backend-service=a/b "
		"--default-ssl-certificate=a/b --annotations-prefix=nginx.ingress.kubernetes.io "
		"--enable-annotation-validation=true --disable-catch-all "
		"--disable-svc-external-name --deep-inspect=false --enable-topology-aware-routing "
		"--sync-period=10m --sync-rate-limit=0.3 --dynamic-configuration-retries=15 "
		"--disable-sync-events");
	assert_parsed("--apiserver-host=https://10.0.0.1 --certificate-authority=/ca "
		      "--kubeconfig=/k --update-status --update-status-on-shutdown=false "
		      "--publish-service=a/b --publish-status-address=192.0.2.1 "
		      "--report-node-internal-ip-address --status-update-interval=60 "
		      "--election-id=ingress-nginx-leader --election-ttl=30s "
		      "--disable-leader-election");
	assert_parsed("--https-port=443 --default-server-port=8181 --healthz-port=10254 "
		      "--healthz-host=127.0.0.1 --health-check-path=/healthz "
		      "--health-check-timeout=10 --status-port=10246 --stream-port=10247 "
		      "--ssl-passthrough-proxy-port=442 --enable-ssl-passthrough "
		      "--profiling=false --profiler-port=10245 --profiler-address=127.0.0.1 "
		      "--internal-logger-address=127.0.0.1:11514 --shutdown-grace-period=0 "
		      "--post-shutdown-grace-period=10");
	assert_parsed("--enable-metrics=true --metrics-per-host --metrics-per-undefined-host "
		      "--report-status-classes --exclude-socket-metrics=a,b "
		      "--time-buckets=0.005,0.01 --length-buckets=10,20 --size-buckets=10,100 "
		      "--bucket-factor=1.1 --max-buckets=100 --monitor-max-batch-size=10000");
	assert_parsed("--validating-webhook=:8443 --validating-webhook-certificate=/c "
		      "--validating-webhook-key=/k --disable-full-test "
		      "--enable-ssl-chain-completion --maxmind-license-key=x "
		      "--maxmind-mirror=http://m --maxmind-edition-ids=GeoLite2-City,GeoLite2-ASN "
		      "--maxmind-retries-count=1 --maxmind-retries-timeout=0s");
	assert_parsed("-v=2 --logtostderr --alsologtostderr=false --stderrthreshold=2 "
		      "--vmodule=a=1 --log_dir=/tmp --log_file=/x --log_file_max_size=1800 "
		      "--log_backtrace_at=:0 --add_dir_header --skip_headers --skip_log_headers "
		      "--one_output");
}

static void help_tells_every_flag_within_100_columns(void **state)
{
	static const char *const names[] = {
#define FLAG(id, name, letter, type, fallback, argument, group, help) "--" name,
#define LATER(id, name, type)                                         "--" name,
#include "cli/run_flag.def"
#undef FLAG
#undef LATER
	};
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	run_flags_print(to);
	fclose(to);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strstr(text, names[i]) == NULL)
			fail_msg("%s is missing", names[i]);
	}
	for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;)
		assert_true(strlen(line) <= 100);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_ingress_nginx),
		cmocka_unit_test(the_admin_address_is_built_from_either_set_of_flags),
		cmocka_unit_test(one_port_cannot_serve_both),
		cmocka_unit_test(verbosity_of_klog_is_a_level_unless_there_is_one),
		cmocka_unit_test(without_a_source_there_is_nothing_to_serve),
		cmocka_unit_test(a_key_for_what_is_stored_needs_a_place_to_store_it),
		cmocka_unit_test(the_version_needs_nothing_else),
		cmocka_unit_test(a_deployment_of_ingress_nginx_starts),
		cmocka_unit_test(help_tells_every_flag_within_100_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
