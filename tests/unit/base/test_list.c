/* SPDX-License-Identifier: Apache-2.0 */
#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct letter {
	char name;
	struct list link;
};

static struct letter letters[] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}};

static void assert_order(struct list *head, const char *expected)
{
	list_for_each (link, head)
		assert_int_equal(container_of(link, struct letter, link)->name, *expected++);
	assert_int_equal(*expected, '\0');
}

static void given_list(struct list *head)
{
	list_init(head);
	for (unsigned i = 0; i < 3; i++)
		list_add_last(head, &letters[i].link);
}

static void links_stand_in_the_order_in_which_they_were_added(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	list_add_last(&head, &letters[1].link);
	list_add_first(&head, &letters[0].link);
	list_add_last(&head, &letters[2].link);

	assert_order(&head, "abc");
	assert_ptr_equal(list_first(&head), &letters[0].link);
}

static void a_new_list_is_empty_and_has_no_first(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);

	assert_true(list_is_empty(&head));
	assert_null(list_first(&head));
}

static void a_link_is_inserted_behind_another(void **state)
{
	struct letter new = {.name = 'x'};
	struct list head;

	(void)state;
	given_list(&head);
	list_insert(&letters[1].link, &new.link);

	assert_order(&head, "abxc");
}

static void a_removed_link_is_alone_and_may_be_removed_again(void **state)
{
	struct list head;

	(void)state;
	given_list(&head);
	list_remove(&letters[1].link);
	list_remove(&letters[1].link);

	assert_order(&head, "ac");
	assert_true(list_is_empty(&letters[1].link));
}

static void the_current_link_may_be_removed_in_a_safe_walk(void **state)
{
	struct list head;
	unsigned met = 0;

	(void)state;
	given_list(&head);
	list_for_each_safe (link, &head) {
		list_remove(link);
		met++;
	}

	assert_int_equal(met, 3);
	assert_true(list_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(links_stand_in_the_order_in_which_they_were_added),
		cmocka_unit_test(a_new_list_is_empty_and_has_no_first),
		cmocka_unit_test(a_link_is_inserted_behind_another),
		cmocka_unit_test(a_removed_link_is_alone_and_may_be_removed_again),
		cmocka_unit_test(the_current_link_may_be_removed_in_a_safe_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
