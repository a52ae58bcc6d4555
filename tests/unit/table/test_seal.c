/* SPDX-License-Identifier: Apache-2.0 */
#include "given.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "table/seal.h"

static int sealed(struct span content)
{
	struct error err = {0};
	int fd = seal_new("test", content, &err);

	if (fd == -1)
		fail_msg("%s", err.text);
	return fd;
}

static void what_was_sealed_is_mapped_again(void **state)
{
	struct error err = {0};
	struct span mapped;
	int fd = sealed(S("content"));

	assert_int_equal(seal_map(fd, &mapped, &err), 0);
	close(fd);

	assert_true(span_equals(mapped, S("content")));
	seal_unmap(mapped);
	(void)state;
}

static void nobody_can_change_what_is_sealed(void **state)
{
	int fd = sealed(S("content"));

	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(ftruncate(fd, 100), -1);
	assert_ptr_equal(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	close(fd);
	(void)state;
}

static void a_sealed_descriptor_does_not_survive_exec(void **state)
{
	int fd = sealed(S("content"));

	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	(void)state;
}

static void assert_refused(int fd)
{
	struct error err = {0};
	struct span mapped;

	assert_int_equal(seal_map(fd, &mapped, &err), -1);
	assert_int_not_equal(err.text[0], '\0');
	close(fd);
}

static void memory_with_a_seal_missing_is_not_mapped(void **state)
{
	static const int missing[] = {F_SEAL_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL};
	const int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;

	for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
		int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		assert_int_equal(write(fd, "content", 7), 7);
		assert_int_equal(fcntl(fd, F_ADD_SEALS, all & ~missing[i]), 0);
		assert_refused(fd);
	}
	(void)state;
}

static void an_empty_segment_is_not_mapped(void **state)
{
	assert_refused(sealed(S("")));
	(void)state;
}

static void a_segment_beyond_the_limit_is_not_mapped(void **state)
{
	const int all = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(ftruncate(fd, (off_t)TABLE_SEGMENT_MAX + 1), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, all), 0);
	assert_refused(fd);
	(void)state;
}

static void what_is_no_sealable_memory_is_not_mapped(void **state)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_refused(ends[0]);
	close(ends[1]);
	assert_refused(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sealed_is_mapped_again),
		cmocka_unit_test(nobody_can_change_what_is_sealed),
		cmocka_unit_test(a_sealed_descriptor_does_not_survive_exec),
		cmocka_unit_test(memory_with_a_seal_missing_is_not_mapped),
		cmocka_unit_test(an_empty_segment_is_not_mapped),
		cmocka_unit_test(a_segment_beyond_the_limit_is_not_mapped),
		cmocka_unit_test(what_is_no_sealable_memory_is_not_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
