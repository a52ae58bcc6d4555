/* SPDX-License-Identifier: Apache-2.0 */
/* The command lines of roles. Descriptors are named by the numbers that they will have there. */
#include <stdio.h>
#include <stdlib.h>

#include "base/bug.h"
#include "base/memory.h"
#include "run/parent.h"

enum { FDS_MAX = 24, NUMBERS_MAX = 32, NUMBER_SIZE = 12 };

struct command {
	const char **argv;
	size_t argc;
	size_t capacity;
	char numbers[NUMBERS_MAX][NUMBER_SIZE];
	uint32_t number_count;
	int fds[FDS_MAX];
	uint32_t fd_count;
};

static void add(struct command *command, const char *text)
{
	command->argv = memory_grow_array(command->argv, &command->capacity, command->argc + 2,
					  sizeof(*command->argv));
	command->argv[command->argc++] = text;
	command->argv[command->argc] = NULL;
}

static void add_number(struct command *command, const char *flag, uint32_t number)
{
	char *text = command->numbers[command->number_count];

	BUG_ON(command->number_count == NUMBERS_MAX);
	command->number_count++;
	snprintf(text, NUMBER_SIZE, "%u", number);
	add(command, flag);
	add(command, text);
}

static void add_word(struct command *command, const char *flag, const char *word)
{
	add(command, flag);
	add(command, word);
}

static void add_fd(struct command *command, const char *flag, int fd)
{
	BUG_ON(command->fd_count == FDS_MAX);
	add_number(command, flag, SPAWN_FIRST_FD + command->fd_count);
	command->fds[command->fd_count++] = fd;
}

static int spawn_command(struct command *command, int program_fd,
			 enum spawn_environment environment, struct spawned *child,
			 struct error *err)
{
	struct spawn what = {.program_fd = program_fd,
			     .argv = command->argv,
			     .environment = environment,
			     .fds = command->fds,
			     .fd_count = command->fd_count};
	int result = spawn(&what, child, err);

	free(command->argv);
	return result;
}

int command_spawn_control(struct role *role, int channel_fd, struct spawned *child,
			  struct error *err)
{
	const struct parent *parent = role->owner;
	struct command command = {0};

	add(&command, "ingot-control");
	add(&command, "control");
	add_fd(&command, "--channel-fd", channel_fd);
	add_fd(&command, "--stats-fd", parent->options->stats_fd);
	add_number(&command, "--workers", parent->options->workers);
	add(&command, "--");
	for (char **flag = parent->options->control_flags; *flag != NULL; flag++)
		add(&command, *flag);
	return spawn_command(&command, parent->options->control_program, SPAWN_ENVIRONMENT_WHOLE,
			     child, err);
}

int command_spawn_proxy(struct role *role, int channel_fd, struct spawned *child, struct error *err)
{
	const struct parent *parent = role->owner;
	const int *listeners = listeners_of(&parent->listeners, role->worker);
	struct command command = {0};

	add(&command, "ingot");
	add(&command, "proxy");
	add_number(&command, "--worker", role->worker);
	add_fd(&command, "--channel-fd", channel_fd);
	add_fd(&command, "--stats-fd", parent->options->stats_fd);
	for (uint32_t i = 0; i < parent->listeners.addresses; i++)
		add_fd(&command,
		       i < parent->options->plain_count ? "--listener-fd" : "--tls-listener-fd",
		       listeners[i]);
	if (parent->access_log_fd != -1)
		add_fd(&command, "--access-log-fd", parent->access_log_fd);
	add_word(&command, "--access-log-format", parent->options->access_log_format);
	add_number(&command, "--max-connections", parent->connections_max);
	add_word(&command, "--log-level", parent->options->log_level);
	return spawn_command(&command, parent->options->proxy_program, SPAWN_ENVIRONMENT_BARE,
			     child, err);
}
