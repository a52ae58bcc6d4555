/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that readers of a `certificates` segment rely on, checked once. What the bytes of chains and keys say is
 * checked by who decodes them. */
#include "table/certificates.h"

#include "table/layout.h"
#include "table/verify.h"

static int verify_record(const struct certificates *certificates, uint32_t index, struct error *err)
{
	const struct certificate_record *record = &certificates->records[index];
	const struct table_header *header = certificates->header;
	bool has_key = record->kind != CERTIFICATE_AUTHORITIES;

	if (record->kind >= CERTIFICATE_KIND_COUNT || record->chain.len == 0 ||
	    has_key != (record->key.len > 0) || (has_key && record->revoked.len > 0) ||
	    !verify_is_zero(record->reserved, sizeof(record->reserved)))
		return error_set(err, "records[%u] has a value out of range", index);
	if (certificate_id_is_none(record->id) ||
	    certificate_id_shard(record->id, header->shard_count) != header->shard)
		return error_set(err, "records[%u] is not found by its id", index);
	if (index > 0 && certificate_id_compare(record[-1].id, record->id) >= 0)
		return error_set(err, "records[%u] is out of order", index);
	return 0;
}

int certificates_verify(struct span segment, struct certificates *certificates, struct error *err)
{
	const struct table_header *header = (const void *)segment.ptr;

	if (verify_segment(segment, TABLE_CERTIFICATES, err) == -1)
		return error_prefix(err, "certificates segment: ");
	*certificates = (struct certificates){
		.header = header,
		.records = table_section(header, CERTIFICATES_RECORDS),
		.tickets = table_section(header, CERTIFICATES_TICKETS),
		.count = header->sections[CERTIFICATES_RECORDS].count,
		.ticket_count = header->sections[CERTIFICATES_TICKETS].count,
	};
	if (certificates->ticket_count > (header->shard == 0 ? TICKET_KEYS_MAX : 0))
		return error_set(err, "certificates segment: %u ticket keys are too many",
				 certificates->ticket_count);
	for (uint32_t i = 0; i < certificates->count; i++)
		if (verify_record(certificates, i, err) == -1)
			return error_prefix(err, "certificates segment: ");
	return 0;
}
