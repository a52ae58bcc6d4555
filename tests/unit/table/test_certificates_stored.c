/* SPDX-License-Identifier: Apache-2.0 */
#include "table/certificates_stored.h"

#include "given.h"

/* Two shards with a certificate each; the first has keys of tickets. */
static void given_bundle(struct buf *out)
{
	static const struct ticket_key ticket = {.name = "ticket name", .cipher = "ticket secret"};

	for (uint32_t shard = 0; shard < 2; shard++) {
		struct table_stamp stamp = given_stamp(shard, 2);
		struct builder builder;
		struct certificate_record record = {.id = {{shard, 8}}, .digest = {7}};

		builder_init(&builder, TABLE_CERTIFICATES);
		record.chain = builder_text(&builder, S("chain"));
		record.key = builder_text(&builder, S("key"));
		builder_add(&builder, CERTIFICATES_RECORDS, &record);
		if (shard == 0)
			builder_add(&builder, CERTIFICATES_TICKETS, &ticket);
		builder_finish(&builder, &stamp, out);
		builder_fini(&builder);
	}
}

static void certificates_are_kept_and_keys_of_tickets_are_not(void **state)
{
	struct buf bundle = {0};
	struct buf stored = {0};
	struct shards before;
	struct shards after;
	struct error err;
	struct certificate_match found;

	(void)state;
	given_bundle(&bundle);
	shards_init(&before, TABLE_CERTIFICATES);
	assert_int_equal(shards_apply(&before, buf_span(&bundle), NULL, &err), 0);

	certificates_stored_write(&before, &stored);

	assert_non_null(memmem(bundle.ptr, bundle.len, "ticket secret", 13));
	assert_null(memmem(stored.ptr, stored.len, "ticket", 6));
	shards_init(&after, TABLE_CERTIFICATES);
	assert_int_equal(shards_apply(&after, buf_span(&stored), NULL, &err), 0);
	assert_int_equal(after.set, before.set);
	assert_int_equal(after.generation, before.generation);
	assert_int_equal(after.at[0]->certificates.ticket_count, 0);
	for (uint64_t shard = 0; shard < 2; shard++) {
		found = certificates_find(&after, (struct certificate_id){{shard, 8}});
		assert_non_null(found.record);
		assert_int_equal(found.record->digest[0], 7);
		assert_true(span_equals(certificates_text(found.certificates, found.record->chain),
					S("chain")));
		assert_true(span_equals(certificates_text(found.certificates, found.record->key),
					S("key")));
	}
	shards_fini(&after);
	shards_fini(&before);
	buf_fini(&stored);
	buf_fini(&bundle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_kept_and_keys_of_tickets_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
