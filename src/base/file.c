/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, const char *path, size_t max_bytes, struct buf *into, struct error *err)
{
	size_t before = into->len;

	for (;;) {
		ssize_t got = read(fd, buf_reserve(into, 16384), 16384);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return error_sys(err, "cannot read %s", path);
		if (got == 0)
			return 0;
		into->len += (size_t)got;
		if (into->len - before > max_bytes)
			return error_set(err, "%s is larger than the %zu bytes allowed", path,
					 max_bytes);
	}
}

static int check_regular(const struct stat *st, const char *path, size_t max_bytes,
			 struct error *err)
{
	if (!S_ISREG(st->st_mode))
		return error_set(err, "%s is not a regular file", path);
	if ((size_t)st->st_size > max_bytes)
		return error_set(err, "%s has %lld bytes, more than the %zu allowed", path,
				 (long long)st->st_size, max_bytes);
	return 0;
}

/* What belongs to another is for him to guard: Kubernetes mounts Secrets as root's. */
static int check_secret(const struct stat *st, const char *path, struct error *err)
{
	if (st->st_uid == geteuid() && (st->st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return error_set(
			err,
			"%s may be used by others than its owner (mode %03o); allow the owner "
			"alone: chmod 400, or defaultMode: 0400 of the volume",
			path, (unsigned)st->st_mode & 0777);
	return 0;
}

enum secrecy { ORDINARY, SECRET };

static int read_whole(const char *path, enum secrecy secrecy, size_t max_bytes, struct buf *into,
		      struct error *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result = -1;

	if (fd == -1)
		return error_sys(err, "cannot open %s", path);
	if (fstat(fd, &st) == -1)
		error_sys(err, "cannot stat %s", path);
	else if (check_regular(&st, path, max_bytes, err) == 0 &&
		 (secrecy == ORDINARY || check_secret(&st, path, err) == 0))
		result = read_all(fd, path, max_bytes, into, err);
	close(fd);
	return result;
}

int file_read(const char *path, size_t max_bytes, struct buf *into, struct error *err)
{
	return read_whole(path, ORDINARY, max_bytes, into, err);
}

int file_read_secret(const char *path, size_t max_bytes, struct buf *into, struct error *err)
{
	return read_whole(path, SECRET, max_bytes, into, err);
}

static int write_all(int fd, struct span content)
{
	while (content.len > 0) {
		ssize_t put = write(fd, content.ptr, content.len);

		if (put == -1 && errno == EINTR)
			continue;
		if (put == -1)
			return -1;
		content = span_skip(content, (size_t)put);
	}
	return fsync(fd);
}

static int sync_directory_of(const char *path)
{
	char copy[PATH_MAX];
	int fd;
	int result;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

int file_replace(const char *path, struct span content, unsigned mode, struct error *err)
{
	char temporary[PATH_MAX];
	int fd;
	int written;

	if (snprintf(temporary, sizeof(temporary), "%s.tmp", path) >= (int)sizeof(temporary))
		return error_set(err, "the path %.200s… is too long", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, (mode_t)mode);
	if (fd == -1)
		return error_sys(err, "cannot create %s", temporary);
	written = write_all(fd, content);
	if (written == -1)
		error_sys(err, "cannot write %s", temporary);
	close(fd);
	if (written == -1)
		goto fail;
	if (rename(temporary, path) == -1) {
		error_sys(err, "cannot rename %s to %s", temporary, path);
		goto fail;
	}
	if (sync_directory_of(path) == -1)
		return error_sys(err, "cannot sync the directory of %s", path);
	return 0;
fail:
	unlink(temporary);
	return -1;
}
