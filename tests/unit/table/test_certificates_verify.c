/* SPDX-License-Identifier: Apache-2.0 */
/* Segments of certificates with one thing wrong, and the look-up in those that are right. */
#include "given.h"

#include "corrupt.h"

enum { RECORDS = 3 };

/* Ids 2, 4 and 6 in the second word, in shard 1 of 2. */
static void given_bytes(struct buf *out)
{
	struct table_stamp stamp = given_stamp(1, 2);
	struct builder builder;

	builder_init(&builder, TABLE_CERTIFICATES);
	for (uint32_t i = 0; i < RECORDS; i++) {
		struct certificate_record record = {
			.id = {{7, (i + 1) * 2}},
			.chain = builder_text(&builder, S("chain")),
			.key = i == 2 ? (struct table_span){0} : builder_text(&builder, S("key")),
			.kind = (uint8_t)i,
		};

		builder_add(&builder, CERTIFICATES_RECORDS, &record);
	}
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
}

/* A whole set of two shards, the first of which is empty. */
static void given_bundle(struct buf *out)
{
	struct table_stamp stamp = given_stamp(0, 2);
	struct builder builder;

	builder_init(&builder, TABLE_CERTIFICATES);
	builder_finish(&builder, &stamp, out);
	builder_fini(&builder);
	given_bytes(out);
}

static void a_certificate_is_found_by_its_id_alone(void **state)
{
	struct buf bundle = {0};
	struct shards shards;
	struct error err;
	struct certificate_match found;

	(void)state;
	given_bundle(&bundle);
	shards_init(&shards, TABLE_CERTIFICATES);
	assert_int_equal(shards_apply(&shards, buf_span(&bundle), NULL, &err), 0);

	found = certificates_find(&shards, (struct certificate_id){{7, 4}});

	assert_non_null(found.record);
	assert_int_equal(found.record->kind, CERTIFICATE_RSA);
	assert_true(
		span_equals(certificates_text(found.certificates, found.record->key), S("key")));
	assert_null(certificates_find(&shards, (struct certificate_id){{7, 3}}).record);
	assert_null(certificates_find(&shards, (struct certificate_id){{7, 8}}).record);
	assert_null(certificates_find(&shards, (struct certificate_id){{6, 4}}).record);
	assert_null(certificates_find(&shards, (struct certificate_id){{0, 0}}).record);
	shards_fini(&shards);
	buf_fini(&bundle);
}

static void nothing_is_found_where_nothing_is_in_effect(void **state)
{
	struct shards shards;

	(void)state;
	shards_init(&shards, TABLE_CERTIFICATES);

	assert_null(certificates_find(&shards, (struct certificate_id){{7, 4}}).record);
	shards_fini(&shards);
}

static int verify(struct span segment, struct error *err)
{
	struct certificates certificates;

	return certificates_verify(segment, &certificates, err);
}

#define RECORD(i, field) CORRUPT(CERTIFICATES_RECORDS, certificate_record, i, field)

static const struct corruption corruptions[] = {
	{RECORD(0, kind), CERTIFICATE_KIND_COUNT, "out of range"},
	{RECORD(0, reserved[3]), 1, "out of range"},
	{RECORD(0, chain.len), 0, "text outside"},
	{RECORD(0, chain.at), 1, "text outside"},
	{RECORD(0, kind), CERTIFICATE_AUTHORITIES, "out of range"},
	{RECORD(2, kind), CERTIFICATE_ECDSA, "out of range"},
	{RECORD(0, id.words[0]), 6, "not found by its id"},
	{RECORD(0, id.words[1]), 9, "out of order"},
	{RECORD(1, id.words[1]), 2, "out of order"},
	{RECORD(1, key.len), 4096, "text outside"},
};

static void a_field_that_is_wrong_is_refused_and_named(void **state)
{
	struct buf bytes = {0};

	(void)state;
	given_bytes(&bytes);
	for (size_t i = 0; i < sizeof(corruptions) / sizeof(corruptions[0]); i++)
		assert_corruption_refused(&bytes, &corruptions[i], verify);
	buf_fini(&bytes);
}

static void use(struct span segment)
{
	struct certificates certificates;
	struct error err;

	if (certificates_verify(segment, &certificates, &err) == -1)
		return;
	for (uint32_t i = 0; i < certificates.count; i++) {
		struct span key = certificates_text(&certificates, certificates.records[i].key);
		unsigned sum = 0;

		for (size_t n = 0; n < key.len; n++)
			sum += (unsigned char)key.ptr[n];
		assert_true(sum <= key.len * 255);
	}
}

static void any_single_wrong_word_is_refused_or_harmless(void **state)
{
	struct buf bytes = {0};

	(void)state;
	given_bytes(&bytes);
	corrupt_every_word(buf_span(&bytes), use);
	corrupt_every_bit(buf_span(&bytes), use);
	buf_fini(&bytes);
}

static void equal_keys_are_stored_twice_and_wiped(void **state)
{
	struct builder builder;
	struct table_span first;
	struct table_span second;

	(void)state;
	builder_init(&builder, TABLE_CERTIFICATES);

	first = builder_text(&builder, S("secret"));
	second = builder_text(&builder, S("secret"));

	assert_int_not_equal(first.at, second.at); /* no index holds a copy of it */
	assert_int_equal(builder.texts.count, 0);
	builder_fini(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_certificate_is_found_by_its_id_alone),
		cmocka_unit_test(nothing_is_found_where_nothing_is_in_effect),
		cmocka_unit_test(a_field_that_is_wrong_is_refused_and_named),
		cmocka_unit_test(any_single_wrong_word_is_refused_or_harmless),
		cmocka_unit_test(equal_keys_are_stored_twice_and_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
