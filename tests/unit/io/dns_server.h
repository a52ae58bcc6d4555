/* SPDX-License-Identifier: Apache-2.0 */
/* A small DNS server in the loop of a test, over UDP and TCP on one port of the loopback address. It knows the
 * records it is given; a name without any does not exist, one without the asked type has no data.
 */
#pragma once

#include "io/loop.h"

enum { DNS_TYPE_A = 1, DNS_TYPE_CNAME = 5, DNS_TYPE_AAAA = 28 };

struct dns_record {
	const char *name;
	uint16_t type;
	const char *value; /* an address, or the name that CNAME leads to */
	uint32_t ttl_s;
};

enum dns_mood {
	DNS_ANSWERS,
	DNS_SILENT,
	DNS_FAILS,     /* SERVFAIL */
	DNS_TRUNCATES, /* over UDP only */
	DNS_MUMBLES,   /* bytes that are no answer */
};

enum { DNS_STREAMS_MAX = 8 };

struct dns_server {
	struct loop *loop;
	struct loop_source datagrams;
	struct loop_source listener;
	struct dns_stream {
		struct loop_source source;
		struct dns_server *server;
	} streams[DNS_STREAMS_MAX];
	const struct dns_record *records;
	size_t record_count;
	enum dns_mood mood;
	unsigned questions; /* over UDP and TCP */
	unsigned by_tcp;
	char address[32]; /* "127.0.0.1:5353" */
};

void dns_server_start(struct dns_server *server, struct loop *loop,
		      const struct dns_record *records, size_t record_count);
void dns_server_stop(struct dns_server *server);
