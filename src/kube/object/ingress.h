/* SPDX-License-Identifier: Apache-2.0 */
/* Ingress (networking.k8s.io/v1) and IngressClass, as decoded: only shapes are checked here (a list is
 * a list, a number a number); what the values mean is model's business. */
#pragma once

#include <stdbool.h>

#include "kube/object/object.h"

/* Exactly one of service and resource should be given; which are, is for model to judge. */
struct ingress_backend {
	bool has_service;
	bool has_resource;
	struct span service_name;
	struct span port_name; /* empty: none */
	int32_t port_number;   /* 0: none */
	struct span resource_kind;
	struct span resource_name;
};

struct ingress_path {
	struct span path;
	struct span path_type; /* as written; empty: none */
	struct ingress_backend backend;
};

struct ingress_rule {
	struct span host;
	bool has_http;
	const struct ingress_path *paths;
	uint32_t path_count;
};

struct ingress_tls {
	const struct span *hosts;
	uint32_t host_count;
	struct span secret_name;
};

struct ingress {
	struct object object;   /* first */
	struct span class_name; /* spec.ingressClassName; {NULL, 0}: not given */
	bool has_default_backend;
	struct ingress_backend default_backend;
	const struct ingress_rule *rules;
	uint32_t rule_count;
	const struct ingress_tls *tls;
	uint32_t tls_count;
};

struct ingress_class {
	struct object object; /* first */
	struct span controller;
	bool is_default; /* annotation ingressclass.kubernetes.io/is-default-class: "true" */
};
