/* SPDX-License-Identifier: Apache-2.0 */
/* The access log: one line a request, gathered and written in blocks (compat spec, 26; user-experience
 * spec, 10). Never in a request's way: what the descriptor does not take at once is dropped and counted.
 * A client cannot write a line break, or anything that is not printable, into it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/ip.h"
#include "base/span.h"

enum access_log_format {
	ACCESS_LOG_NGINX, /* the line of ingress-nginx, byte for byte */
	ACCESS_LOG_JSON,  /* one object a line */
};

enum { ACCESS_ATTEMPTS_MAX = 4, ACCESS_LOG_ROOM = 128 * 1024 };

/* One try at one endpoint. */
struct access_attempt {
	struct ip_port endpoint;
	uint16_t status;         /* 0: none came */
	uint64_t response_bytes; /* of the body */
	uint32_t connect_us;     /* 0 for a pooled connection */
	uint32_t header_us;      /* from the start of the attempt to its response head */
	uint32_t duration_us;
};

struct access_record {
	uint64_t wall_ns; /* of the end */
	struct ip_port client;
	struct span request_id;
	struct span method;
	struct span target;
	struct span host;
	struct span referer;
	struct span user_agent;
	struct span reason;    /* "ok", or the word of a fault */
	struct span upstream;  /* "namespace-service-port", or empty */
	struct span namespace; /* of the route's Ingress, likewise below */
	struct span ingress;
	struct span service;
	struct span service_port;
	struct span path; /* of the rule */
	uint8_t protocol; /* 10, 11, 20: the version of HTTP */
	uint16_t status;
	uint64_t request_bytes;   /* head and body as received */
	uint64_t response_bytes;  /* as sent, head included */
	uint64_t body_bytes_sent; /* without the head */
	uint32_t duration_us;
	uint32_t attempt_count;                /* may be more than are kept */
	const struct access_attempt *attempts; /* the first ones, at most ACCESS_ATTEMPTS_MAX */
	uint64_t generation;                   /* of the routes */
};

struct access_log {
	int fd; /* -1: off */
	enum access_log_format format;
	bool is_pipe;            /* private to access_log.c */
	uint32_t lines;          /* private: in the buffer */
	uint64_t clock_second;   /* private: for which time_text was made */
	char time_text[32];      /* private */
	size_t used;             /* bytes in the buffer */
	uint64_t *lines_written; /* counters of the caller, kept */
	uint64_t *lines_dropped;
	char buffer[ACCESS_LOG_ROOM]; /* private */
};

/* Takes fd (-1: off). */
void access_log_init(struct access_log *log, int fd, enum access_log_format format,
		     uint64_t *lines_written, uint64_t *lines_dropped);

/* Writes from now on there: the old descriptor is flushed and closed. */
void access_log_switch(struct access_log *log, int fd);

void access_log_add(struct access_log *log, const struct access_record *record);

/* A connection that is passed on as it is: what is about HTTP is empty. status as nginx has it for streams;
 * request_bytes came from the client, response_bytes went to it; host: the name it asked for. */
void access_log_add_stream(struct access_log *log, const struct access_record *record);

/* Writes what was gathered. */
void access_log_flush(struct access_log *log);
