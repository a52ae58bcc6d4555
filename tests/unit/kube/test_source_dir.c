/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/source_dir.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "kube/store.h"

enum { DEADLINE_MS = 5000 };

/* A directory, a source on it, and what it told. */
struct world {
	struct loop *loop;
	struct source_dir *source;
	struct source_sink sink;
	struct timer deadline;
	struct store store;
	struct buf diagnostics; /* of the last settle, one a line */
	char directory[64];
	unsigned upserts; /* since the last settle */
	unsigned deletes;
	unsigned told_upserts; /* in the last settle */
	unsigned told_deletes;
	unsigned listed;
	unsigned settled;
	bool late;
};

static struct world world;

static void on_upsert(void *owner, struct object *object)
{
	(void)owner;
	world.upserts++;
	store_upsert(&world.store, object);
}

static void on_delete(void *owner, enum object_kind kind, struct span namespace, struct span name)
{
	(void)owner;
	world.deletes++;
	store_delete(&world.store, kind, namespace, name);
}

static void on_listed(void *owner)
{
	(void)owner;
	world.listed++;
}

static void on_settled(void *owner, const struct diagnostics *diagnostics)
{
	(void)owner;
	buf_clear(&world.diagnostics);
	for (const struct diagnostic *at = diagnostics->first; at != NULL; at = at->next) {
		diagnostic_write(at, &world.diagnostics);
		buf_add_byte(&world.diagnostics, '\n');
	}
	world.told_upserts = world.upserts;
	world.told_deletes = world.deletes;
	world.upserts = world.deletes = 0;
	world.settled++;
	if (world.loop != NULL)
		loop_stop(world.loop);
}

static void on_deadline(struct timer *timer)
{
	(void)timer;
	world.late = true;
	loop_stop(world.loop);
}

static const char *path_in(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", world.directory, name);
	return path;
}

static void given_file(const char *name, const char *text)
{
	FILE *file = fopen(path_in(name), "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
}

/* A Service, which is the shortest kind. */
static void given_service(const char *file, const char *name, unsigned port)
{
	struct buf text = {0};

	buf_printf(&text,
		   "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\n"
		   "spec:\n  ports: [{port: %u}]\n",
		   name, port);
	given_file(file, buf_text(&text));
	buf_fini(&text);
}

static void given_directory(const char *name)
{
	assert_int_equal(mkdir(path_in(name), 0755), 0);
}

/* Runs until the source has settled once more. */
static void wait_for_settle(void)
{
	unsigned before = world.settled;

	world.late = false;
	timer_start(loop_timers(world.loop), &world.deadline, DEADLINE_MS);
	while (world.settled == before && !world.late)
		loop_run(world.loop);
	timer_stop(loop_timers(world.loop), &world.deadline);
	assert_false(world.late);
}

static void given_source(void)
{
	struct error err;

	world.source = source_dir_start(world.loop, world.directory, &world.sink, &err);
	assert_non_null(world.source);
	wait_for_settle();
}

/* 0: there is no such Service. */
static unsigned port_of(const char *name)
{
	const struct service *service = store_find_service(&world.store, S("default"),
							   span_from(name));

	return service == NULL ? 0 : service->ports[0].port;
}

static void assert_diagnostics(const char *expected)
{
	assert_string_equal(buf_text(&world.diagnostics), expected);
}

static int set_up(void **state)
{
	struct error err;

	(void)state;
	world = (struct world){.sink = {NULL, on_upsert, on_delete, on_listed, on_settled}};
	world.loop = loop_new(&err);
	strcpy(world.directory, "/tmp/test_source_dir.XXXXXX");
	assert_non_null(mkdtemp(world.directory));
	store_init(&world.store);
	timer_init(&world.deadline, on_deadline);
	return 0;
}

static int tear_down(void **state)
{
	char command[256];

	(void)state;
	source_dir_stop(world.source);
	if (world.loop != NULL)
		loop_free(world.loop);
	store_fini(&world.store);
	buf_fini(&world.diagnostics);
	snprintf(command, sizeof(command), "rm -rf '%s'", world.directory);
	return system(command);
}

static void everything_is_listed_once_at_the_start(void **state)
{
	(void)state;
	given_directory("sub");
	given_service("a.yaml", "a", 1);
	given_service("b.yml", "b", 2);
	given_file("sub/c.json",
		   "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"c\"},"
		   "\"spec\":{\"ports\":[{\"port\":3}]}}");

	given_source();

	assert_int_equal(world.listed, 1);
	assert_int_equal(world.told_upserts, 3);
	assert_int_equal(port_of("a") + port_of("b") + port_of("c"), 6);
	assert_diagnostics("");
}

static void an_empty_directory_is_listed_too(void **state)
{
	(void)state;
	given_source();

	assert_int_equal(world.listed, 1);
	assert_int_equal(world.told_upserts, 0);
}

static void swap_backup_and_hidden_files_are_passed_over(void **state)
{
	static const char *const names[] = {".a.yaml",  ".a.yaml.swp", "a.yaml~", "a.yaml.bak",
					    "#a.yaml#", "4913",        "a.txt",   ".#a.yaml"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		given_service(names[i], "a", 1);
	given_directory(".git");
	given_service(".git/a.yaml", "a", 1);

	given_source();

	assert_int_equal(world.told_upserts, 0);
	assert_diagnostics("");
}

static void a_file_written_in_place_is_read_anew(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_source();

	given_service("a.yaml", "a", 2);
	wait_for_settle();

	assert_int_equal(port_of("a"), 2);
	assert_int_equal(world.told_upserts, 1);
	assert_int_equal(world.listed, 1);
}

static void a_change_takes_effect_within_milliseconds(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_source();

	given_service("a.yaml", "a", 2);
	uint64_t written_ns = clock_monotonic_ns();
	wait_for_settle();

	/* generous, since the machine may be busy: a debounce timer would be beyond it */
	assert_true(clock_monotonic_ns() - written_ns < 50000000);
}

static void a_file_renamed_into_place_is_read(void **state)
{
	(void)state;
	given_source();

	given_service("a.tmp", "a", 1);
	assert_int_equal(rename(path_in("a.tmp"), path_in("a.yaml")), 0);
	wait_for_settle();

	assert_int_equal(port_of("a"), 1);
}

static void a_file_that_is_deleted_takes_its_objects_along(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_service("b.yaml", "b", 2);
	given_source();

	assert_int_equal(unlink(path_in("a.yaml")), 0);
	wait_for_settle();

	assert_int_equal(port_of("a"), 0);
	assert_int_equal(port_of("b"), 2);
	assert_int_equal(world.told_deletes, 1);
}

static void only_what_changed_in_a_file_is_told(void **state)
{
	static const char before[] =
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n"
		"apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 1}]}\n";
	static const char after[] =
		"# moved\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n"
		"apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 2}]}\n";

	(void)state;
	given_file("x.yaml", before);
	given_source();

	given_file("x.yaml", after);
	wait_for_settle();

	assert_int_equal(world.told_upserts, 1);
	assert_int_equal(port_of("b"), 2);
}

static void a_file_that_does_not_parse_keeps_its_last_good_objects(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_source();

	given_file("a.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: a\n");
	wait_for_settle();

	assert_int_equal(port_of("a"), 1);
	assert_int_equal(world.told_upserts + world.told_deletes, 0);
	assert_non_null(strstr(buf_text(&world.diagnostics), "a.yaml:4:1: error IGT1002: "));

	given_service("a.yaml", "a", 3);
	wait_for_settle();

	assert_int_equal(port_of("a"), 3);
	assert_diagnostics("");
}

static void an_object_that_is_refused_keeps_its_last_good_form(void **state)
{
	(void)state;
	given_file(
		"x.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: "
		"1}]}\n---\n"
		"apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 1}]}\n");
	given_source();

	given_file(
		"x.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: 1}\n---\n"
		"apiVersion: v1\nkind: Service\nmetadata: {name: b}\nspec: {ports: [{port: 2}]}\n");
	wait_for_settle();

	assert_int_equal(port_of("a"), 1);
	assert_int_equal(port_of("b"), 2);
	assert_diagnostics(
		"x.yaml:4:8: error IGT1005: Service default/a: spec.ports: must be a list; "
		"each port starts with \"- \"; found the number 1\n");
}

static void the_first_file_by_name_has_an_object_that_stands_in_two(void **state)
{
	(void)state;
	given_service("b.yaml", "x", 2);
	given_service("a.yaml", "x", 1);

	given_source();

	assert_int_equal(port_of("x"), 1);
	assert_int_equal(world.told_upserts, 1);
	assert_diagnostics(
		"b.yaml:1:1: error IGT1007: Service default/x stands in a.yaml too, which "
		"comes first by name; this one is not used\n");

	assert_int_equal(unlink(path_in("a.yaml")), 0);
	wait_for_settle();

	assert_int_equal(port_of("x"), 2);
	assert_int_equal(world.told_deletes, 0);
	assert_diagnostics("");
}

static void an_object_comes_back_to_the_file_that_it_was_taken_from(void **state)
{
	(void)state;
	given_service("b.yaml", "x", 2);
	given_source();
	given_service("a.yaml", "x", 1);
	wait_for_settle();
	assert_int_equal(port_of("x"), 1);

	assert_int_equal(unlink(path_in("a.yaml")), 0);
	wait_for_settle();

	assert_int_equal(port_of("x"), 2);
	assert_diagnostics("");
}

static void a_file_that_moves_does_not_lose_its_object(void **state)
{
	(void)state;
	given_service("a.yaml", "x", 1);
	given_source();

	assert_int_equal(rename(path_in("a.yaml"), path_in("b.yaml")), 0);
	wait_for_settle();

	assert_int_equal(port_of("x"), 1);
	assert_int_equal(world.told_deletes, 0);
}

static void directories_are_followed_as_they_come_move_and_go(void **state)
{
	(void)state;
	given_source();

	given_directory("new");
	given_directory("new/deep");
	given_service("new/deep/a.yaml", "a", 1);
	wait_for_settle();
	assert_int_equal(port_of("a"), 1);

	given_service("new/deep/a.yaml", "a", 2);
	wait_for_settle();
	assert_int_equal(port_of("a"), 2);

	assert_int_equal(rename(path_in("new"), path_in("newer")), 0);
	wait_for_settle();
	assert_int_equal(port_of("a"), 2);
	given_service("newer/deep/a.yaml", "a", 3);
	wait_for_settle();
	assert_int_equal(port_of("a"), 3);

	assert_int_equal(rename(path_in("newer"), "/tmp/test_source_dir.moved"), 0);
	wait_for_settle();
	assert_int_equal(port_of("a"), 0);
	assert_int_equal(rename("/tmp/test_source_dir.moved", path_in("back")), 0);
	wait_for_settle();
	assert_int_equal(port_of("a"), 3);
}

static void a_mounted_config_map_is_followed_when_its_data_is_swapped(void **state)
{
	(void)state;
	given_directory("..one");
	given_service("..one/a.yaml", "a", 1);
	given_directory("..two");
	given_service("..two/a.yaml", "a", 2);
	assert_int_equal(symlink("..one", path_in("..data")), 0);
	assert_int_equal(symlink("..data/a.yaml", path_in("a.yaml")), 0);
	given_source();
	assert_int_equal(port_of("a"), 1);
	assert_int_equal(world.told_upserts, 1);

	assert_int_equal(symlink("..two", path_in("..data_tmp")), 0);
	assert_int_equal(rename(path_in("..data_tmp"), path_in("..data")), 0);
	wait_for_settle();

	assert_int_equal(port_of("a"), 2);
}

static void what_a_link_leads_to_is_followed(void **state)
{
	(void)state;
	given_directory(".elsewhere");
	given_service(".elsewhere/target", "a", 1);
	assert_int_equal(symlink(path_in(".elsewhere/target"), path_in("a.yaml")), 0);
	given_source();
	assert_int_equal(port_of("a"), 1);

	given_service(".elsewhere/target", "a", 2);
	wait_for_settle();
	assert_int_equal(port_of("a"), 2);

	given_service(".elsewhere/new", "a", 3);
	assert_int_equal(rename(path_in(".elsewhere/new"), path_in(".elsewhere/target")), 0);
	wait_for_settle();
	assert_int_equal(port_of("a"), 3);

	assert_int_equal(unlink(path_in(".elsewhere/target")), 0);
	wait_for_settle();
	assert_int_equal(port_of("a"), 0);

	given_service(".elsewhere/target", "a", 4);
	wait_for_settle();
	assert_int_equal(port_of("a"), 4);
}

static void links_that_lead_in_a_circle_end(void **state)
{
	(void)state;
	given_directory("sub");
	assert_int_equal(symlink("..", path_in("sub/up")), 0);
	assert_int_equal(symlink("self.yaml", path_in("self.yaml")), 0);
	given_service("sub/a.yaml", "a", 1);

	given_source();

	assert_int_equal(world.told_upserts, 1);
	assert_diagnostics("");
}

static void a_directory_that_vanishes_is_served_on_and_found_again(void **state)
{
	char away[80];
	char expected[512];

	(void)state;
	snprintf(away, sizeof(away), "%s.away", world.directory);
	given_service("a.yaml", "a", 1);
	given_source();

	assert_int_equal(rename(world.directory, away), 0);
	wait_for_settle();

	snprintf(expected, sizeof(expected),
		 "%s: error IGT1001: cannot read the directory %s: No such file or directory "
		 "(ENOENT); "
		 "what its files said last is still served\n",
		 world.directory, world.directory);
	assert_int_equal(port_of("a"), 1);
	assert_diagnostics(expected);

	assert_int_equal(mkdir(world.directory, 0755), 0);
	given_service("a.yaml", "a", 2);
	while (port_of("a") != 2)
		wait_for_settle();
	assert_diagnostics("");

	given_service("a.yaml", "a", 3);
	wait_for_settle();
	assert_int_equal(port_of("a"), 3);

	snprintf(expected, sizeof(expected), "rm -r '%s'", away);
	assert_int_equal(system(expected), 0);
}

static void a_directory_that_is_not_there_yet_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(rmdir(world.directory), 0);
	given_source();
	assert_int_equal(world.listed, 0); /* nobody may take it for an empty one */
	assert_non_null(strstr(buf_text(&world.diagnostics), "IGT1001: cannot read the directory"));

	assert_int_equal(mkdir(world.directory, 0755), 0);
	given_service("a.yaml", "a", 1);
	while (port_of("a") != 1)
		wait_for_settle();

	assert_int_equal(world.listed, 1);
	assert_diagnostics("");
}

static void a_file_that_is_too_large_is_refused_by_its_size(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_service("b.yaml", "b", 1);
	assert_int_equal(truncate(path_in("a.yaml"), 100 << 20), 0);

	given_source();

	assert_int_equal(port_of("a"), 0);
	assert_int_equal(port_of("b"), 1);
	assert_non_null(strstr(buf_text(&world.diagnostics),
			       "has 104857600 bytes, more than the 16777216 allowed"));
}

static void kinds_that_are_not_read_are_listed_once(void **state)
{
	(void)state;
	given_file("b.yaml",
		   "apiVersion: apps/v1\nkind: Deployment\n---\napiVersion: batch/v1\nkind: Job\n");
	given_file("a.yaml", "# first\napiVersion: apps/v1\nkind: Deployment\n");

	given_source();

	assert_diagnostics(
		"a.yaml:2:1: note IGT1004: kind \"Deployment\" of \"apps/v1\" is not read by "
		"Ingot; 2 objects are skipped\n"
		"b.yaml:4:1: note IGT1004: kind \"Job\" of \"batch/v1\" is not read by Ingot; 1 "
		"object is skipped\n");
}

static void reading_again_finds_what_no_event_told(void **state)
{
	(void)state;
	given_service("a.yaml", "a", 1);
	given_source();

	given_service("a.yaml", "a", 2);
	source_dir_reread(world.source);

	assert_int_equal(port_of("a"), 2);
	assert_int_equal(world.listed, 1);
}

static void events_that_were_lost_lead_to_a_full_look(void **state)
{
	enum { FILES = 20 };
	char name[32];
	FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	unsigned most = 0;

	(void)state;
	assert_non_null(limit);
	assert_int_equal(fscanf(limit, "%u", &most), 1);
	fclose(limit);
	given_source();

	/* two names in turn, so that the kernel folds none of the events */
	for (unsigned i = 0; i < most / 2 + 100; i++) {
		assert_int_equal(close(creat(path_in("x.tmp"), 0644)), 0);
		assert_int_equal(close(creat(path_in("y.tmp"), 0644)), 0);
	}
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%u.yaml", i);
		given_service(name, i == 0 ? "first" : "other", 7);
	}
	wait_for_settle();

	assert_int_equal(port_of("first"), 7);
}

static void files_are_read_once_without_a_loop(void **state)
{
	char path[128];
	const char *paths[] = {path, world.directory, "/nonexistent/x.yaml"};

	(void)state;
	given_directory("sub");
	given_service("sub/b.yaml", "b", 2);
	given_service("web.txt", "a", 1);
	snprintf(path, sizeof(path), "%s", path_in("web.txt"));
	loop_free(world.loop);
	world.loop = NULL;

	source_dir_read_once(paths, 3, &world.sink);

	assert_int_equal(port_of("a"), 1);
	assert_int_equal(port_of("b"), 2);
	assert_int_equal(world.listed, 1);
	assert_int_equal(world.settled, 1);
	assert_string_equal(
		store_find_service(&world.store, S("default"), S("b"))->object.origin.file.ptr,
		path_in("sub/b.yaml"));
	assert_non_null(strstr(buf_text(&world.diagnostics), "/nonexistent/x.yaml: error IGT1001"));
}

static void many_files_are_listed_quickly(void **state)
{
	enum { FILES = 20000 };
	char name[32];
	char service[32];

	(void)state;
	for (unsigned i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%u.yaml", i);
		snprintf(service, sizeof(service), "s%u", i);
		given_service(name, service, 80);
	}

	uint64_t started_ns = clock_monotonic_ns();
	given_source();

	printf("20,000 files in %llu ms\n",
	       (unsigned long long)(clock_monotonic_ns() - started_ns) / 1000000);
	assert_int_equal(world.told_upserts, FILES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(everything_is_listed_once_at_the_start),
		CASE(an_empty_directory_is_listed_too),
		CASE(swap_backup_and_hidden_files_are_passed_over),
		CASE(a_file_written_in_place_is_read_anew),
		CASE(a_change_takes_effect_within_milliseconds),
		CASE(a_file_renamed_into_place_is_read),
		CASE(a_file_that_is_deleted_takes_its_objects_along),
		CASE(only_what_changed_in_a_file_is_told),
		CASE(a_file_that_does_not_parse_keeps_its_last_good_objects),
		CASE(an_object_that_is_refused_keeps_its_last_good_form),
		CASE(the_first_file_by_name_has_an_object_that_stands_in_two),
		CASE(an_object_comes_back_to_the_file_that_it_was_taken_from),
		CASE(a_file_that_moves_does_not_lose_its_object),
		CASE(directories_are_followed_as_they_come_move_and_go),
		CASE(a_mounted_config_map_is_followed_when_its_data_is_swapped),
		CASE(what_a_link_leads_to_is_followed),
		CASE(links_that_lead_in_a_circle_end),
		CASE(a_directory_that_vanishes_is_served_on_and_found_again),
		CASE(a_directory_that_is_not_there_yet_is_waited_for),
		CASE(a_file_that_is_too_large_is_refused_by_its_size),
		CASE(kinds_that_are_not_read_are_listed_once),
		CASE(reading_again_finds_what_no_event_told),
		CASE(events_that_were_lost_lead_to_a_full_look),
		CASE(files_are_read_once_without_a_loop),
		CASE(many_files_are_listed_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
