/* SPDX-License-Identifier: Apache-2.0 */
#include "table/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "table/format.h"

/* Linux 6.3; the headers may be older than the kernel. */
enum { SEAL_NOEXEC = 0x0008 };

enum { SEALS = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL };

/* A kernel that does not know the flag for "never executable" refuses it. */
static int open_memfd(const char *name, struct error *err)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create(name, flags | SEAL_NOEXEC);

	if (fd == -1 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd == -1)
		return error_sys(err, "cannot make memory named %s", name);
	return fd;
}

static int write_all(int fd, struct span content, struct error *err)
{
	while (content.len > 0) {
		ssize_t written = write(fd, content.ptr, content.len);

		if (written == -1 && errno == EINTR)
			continue;
		if (written == -1)
			return error_sys(err, "cannot write %zu bytes to memory", content.len);
		content = span_skip(content, (size_t)written);
	}
	return 0;
}

int seal_new(const char *name, struct span content, struct error *err)
{
	int fd = open_memfd(name, err);

	if (fd == -1)
		return -1;
	if (write_all(fd, content, err) == -1)
		goto fail;
	if (fcntl(fd, F_ADD_SEALS, SEALS) == -1) {
		error_sys(err, "cannot seal memory named %s", name);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

static int check_seals(int fd, struct error *err)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals == -1)
		return error_sys(err, "the descriptor is no memory that can be sealed");
	if ((seals & SEALS) != SEALS)
		return error_set(err, "the memory is not sealed: seals are 0x%x, 0x%x are needed",
				 (unsigned)seals, (unsigned)SEALS);
	return 0;
}

int seal_map(int fd, struct span *segment, struct error *err)
{
	struct stat st;
	void *bytes;

	if (check_seals(fd, err) == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		return error_sys(err, "cannot stat the sealed memory");
	if (st.st_size <= 0 || st.st_size > TABLE_SEGMENT_MAX)
		return error_set(err, "%lld bytes are no size of a segment", (long long)st.st_size);
	/* Private: kernels before 6.7 refuse a shared mapping of what is sealed against writing, and both
	 * share the pages. */
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return error_sys(err, "cannot map the sealed memory");
	*segment = (struct span){bytes, (size_t)st.st_size};
	return 0;
}

void seal_unmap(struct span segment)
{
	munmap((void *)(uintptr_t)segment.ptr, segment.len);
}

void seal_hide(struct span segment)
{
	void *at = (void *)(uintptr_t)segment.ptr;

	/* advice: a kernel that does not take it leaves the keys where they would be anyway */
	(void)madvise(at, segment.len, MADV_DONTDUMP);
	(void)madvise(at, segment.len, MADV_DONTFORK);
}
