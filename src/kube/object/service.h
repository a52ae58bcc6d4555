/* SPDX-License-Identifier: Apache-2.0 */
/* Service and EndpointSlice (discovery.k8s.io/v1) as decoded. */
#pragma once

#include <stdbool.h>

#include "base/ip.h"
#include "kube/object/object.h"

enum service_protocol { SERVICE_TCP, SERVICE_UDP, SERVICE_SCTP };

struct service_port {
	struct span name;
	enum service_protocol protocol;
	uint16_t port;
	uint16_t target_number;   /* 0: named, or not given */
	struct span target_name;  /* empty: a number, or not given */
	struct span app_protocol; /* empty: none */
};

enum service_type {
	SERVICE_CLUSTER_IP,
	SERVICE_NODE_PORT,
	SERVICE_LOAD_BALANCER,
	SERVICE_EXTERNAL_NAME
};

struct service {
	struct object object; /* first */
	enum service_type type;
	struct span external_name;
	bool headless;
	struct span cluster_ip; /* empty: none or headless */
	const struct service_port *ports;
	uint32_t port_count;
};

struct endpoint_port {
	struct span name;
	enum service_protocol protocol;
	uint16_t port; /* 0: none */
	struct span app_protocol;
};

struct slice_endpoint {
	struct ip ip;   /* the first address */
	uint32_t index; /* in the list of the object, which may have others that were left out */
	bool ready;
	bool serving;
	bool terminating;
	struct span zone;
	struct span node_name;
	struct span target_kind; /* of targetRef */
	struct span target_namespace;
	struct span target_name;
};

struct endpoint_slice {
	struct object object;        /* first */
	struct span service_name;    /* label kubernetes.io/service-name; empty: not for us */
	struct map_entry by_service; /* private to store.c */
	struct endpoint_slice *next_of_service; /* next slice of the same Service; see store.h */
	bool usable;                            /* address type IPv4 or IPv6 */
	const struct slice_endpoint *endpoints; /* those whose address parses */
	uint32_t endpoint_count;
	const struct endpoint_port *ports;
	uint32_t port_count;
};
