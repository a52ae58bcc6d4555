/* SPDX-License-Identifier: Apache-2.0 */
#include "table/layout.h"

#include "table/certificates.h"
#include "table/endpoints.h"
#include "table/routes.h"

#define TEXT(type, field) offsetof(struct type, field)

/* Elements lie side by side at multiples of 16: their sizes and their alignment are the format. Where a
 * struct had padding, bytes that nobody set would be in the segment. */
static_assert(sizeof(struct table_settings) == 136, "layout");
static_assert(sizeof(struct ip_network) == 17, "layout");
static_assert(sizeof(struct host_bucket) == 8, "layout");
static_assert(sizeof(struct host_record) == 20, "layout");
static_assert(sizeof(struct path_node) == 40, "layout");
static_assert(sizeof(struct route) == 40, "layout");
static_assert(sizeof(struct route_policy) == 48, "layout");
static_assert(sizeof(struct route_object) == 32, "layout");
static_assert(sizeof(struct upstream_record) == 64, "layout");
static_assert(sizeof(struct endpoint_record) == 32, "layout");
static_assert(sizeof(struct ring_point) == 8, "layout");
static_assert(sizeof(struct template_part) == 12, "layout");
static_assert(sizeof(struct ticket_key) == 80, "layout");
static_assert(sizeof(struct certificate_record) == 80, "layout");
static_assert(sizeof(struct host_tls) == 128, "layout");
static_assert(sizeof(struct upstream_tls) == 96, "layout");
static_assert((int)ROUTES_SECTION_COUNT <= TABLE_SECTIONS_MAX, "layout");
static_assert((int)ENDPOINTS_SECTION_COUNT <= TABLE_SECTIONS_MAX, "layout");

const struct table_layout
	table_layouts[TABLE_KIND_COUNT] =
		{
			[TABLE_ROUTES] =
				{
					.magic = "INGOT-RT",
					.name = "routes",
					.section_count = ROUTES_SECTION_COUNT,
					.sections =
						{
							[ROUTES_SETTINGS] =
								{"settings",
								 sizeof(struct table_settings),
								 4,
								 {TEXT(table_settings, ssl_ciphers),
								  TEXT(table_settings, ssl_curves),
								  TEXT(table_settings,
								       dh_parameters),
								  TEXT(table_settings, hsts)}},
							[ROUTES_NETWORKS] =
								{"networks",
								 sizeof(struct ip_network),
								 0,
								 {0}},
							[ROUTES_HOST_BUCKETS] =
								{"buckets",
								 sizeof(struct host_bucket),
								 0,
								 {0}},
							[ROUTES_HOSTS] =
								{"hosts",
								 sizeof(struct host_record),
								 1,
								 {TEXT(host_record, name)}},
							[ROUTES_NODES] = {"nodes",
									  sizeof(struct path_node),
									  1,
									  {TEXT(path_node, label)}},
							[ROUTES_ROUTES] =
								{"routes",
								 sizeof(struct route),
								 1,
								 {TEXT(route, path)}},
							[ROUTES_POLICIES] =
								{"policies",
								 sizeof(struct route_policy),
								 0,
								 {0}},
							[ROUTES_OBJECTS] = {"objects",
									    sizeof(
										    struct
										    route_object),
									    4,
									    {TEXT(route_object,
										  namespace),
									     TEXT(route_object,
										  ingress),
									     TEXT(route_object,
										  service),
									     TEXT(route_object,
										  service_port)}},
							[ROUTES_TLS] =
								{"tls",
								 sizeof(struct host_tls),
								 4,
								 {TEXT(host_tls, secret),
								  TEXT(host_tls, ciphers), TEXT(host_tls, subject_pattern), TEXT(host_tls, error_page)}},
							[ROUTES_TEXT] = {"text", 1, 0, {0}},
						},
				},
			[TABLE_ENDPOINTS] =
				{
					.magic = "INGOT-EP",
					.name = "endpoints",
					.section_count = ENDPOINTS_SECTION_COUNT,
					.sections =
						{
							[ENDPOINTS_UPSTREAMS] = {"upstreams",
										 sizeof(
											 struct
											 upstream_record),
										 2,
										 {TEXT(upstream_record,
										       name),
										  TEXT(upstream_record, external_name)}},
							[ENDPOINTS_ENDPOINTS] = {"endpoints",
										 sizeof(
											 struct
											 endpoint_record),
										 0,
										 {0}},
							[ENDPOINTS_TLS] =
								{"tls",
								 sizeof(struct upstream_tls),
								 3,
								 {TEXT(upstream_tls, server_name),
								  TEXT(upstream_tls, verify_name),
								  TEXT(upstream_tls, ciphers)}},
							[ENDPOINTS_SHARES] = {"shares",
									      sizeof(uint32_t),
									      0,
									      {0}},
							[ENDPOINTS_RING] =
								{"ring",
								 sizeof(struct ring_point),
								 0,
								 {0}},
							[ENDPOINTS_PARTS] = {"parts",
									     sizeof(
										     struct
										     template_part),
									     1,
									     {TEXT(template_part,
										   text)}},
							[ENDPOINTS_TEXT] = {"text", 1, 0, {0}},
						},
				},
			[TABLE_CERTIFICATES] =
				{
					.magic = "INGOT-CE",
					.name = "certificates",
					.section_count = CERTIFICATES_SECTION_COUNT,
					.sections =
						{
							[CERTIFICATES_RECORDS] =
								{"records",
								 sizeof(struct certificate_record),
								 3,
								 {TEXT(certificate_record, chain),
								  TEXT(certificate_record, key),
								  TEXT(certificate_record,
								       revoked)}},
							[CERTIFICATES_TICKETS] =
								{"tickets",
								 sizeof(struct ticket_key),
								 0,
								 {0}},
							[CERTIFICATES_TEXT] = {"text", 1, 0, {0}},
						},
				},
};
