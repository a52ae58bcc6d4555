/* SPDX-License-Identifier: Apache-2.0 */
#include "table/dump_parts.h"

static struct span result_word(struct route_match match)
{
	if (match.route == NULL)
		return S("none");
	return match.add_slash ? S("addSlash") : S("route");
}

/* null: the route has none, or the table at hand is older or newer and knows another one. */
static void dump_its_upstream(struct json *json, const struct shards *endpoints,
			      const struct route *route)
{
	if (endpoints == NULL)
		return;
	if (endpoints_find(endpoints, route->upstream, route->upstream_incarnation).upstream ==
	    NULL)
		json_none(json, "upstream");
	else
		dump_upstream(json, "upstream", endpoints, route->upstream,
			      route->upstream_incarnation);
}

void dump_lookup(const struct shards *routes, const struct shards *endpoints, struct span host,
		 struct span path, struct buf *out)
{
	struct route_match match = routes_find(routes, host, path);
	const struct routes *shard = &match.shard->routes;
	const struct route *route = match.route;
	struct json json;

	json_init(&json, out);
	json_open_object(&json, NULL, JSON_BLOCK);
	json_text(&json, "host", host);
	json_text(&json, "path", path);
	json_text(&json, "result", result_word(match));
	if (route != NULL) {
		dump_host_name(&json, "matchedHost", shard, &shard->hosts[route->host]);
		dump_route(&json, "route", shard, route, TABLE_NONE);
		dump_policy(&json, "policy", &shard->policies[route->policy]);
		dump_its_upstream(&json, endpoints, route);
	}
	json_close_object(&json);
}
