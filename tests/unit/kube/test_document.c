/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "kube/edge_text.h"

struct parsed {
	struct documents documents;
	struct document_fault fault;
	int result;
};

static struct parsed parse_as(const char *text, enum document_format format)
{
	struct edge_text edge = edge_text_new(span_from(text));
	struct parsed parsed;

	parsed.result = documents_parse(&parsed.documents, edge.text, format, &parsed.fault);
	edge_text_free(&edge);
	return parsed;
}

static struct parsed parse(const char *yaml)
{
	return parse_as(yaml, DOCUMENT_YAML);
}

static void free_parsed(struct parsed *parsed)
{
	documents_fini(&parsed->documents);
}

/* All documents as compact JSON, one a line. */
static void assert_json(const char *yaml, const char *expected)
{
	struct parsed parsed = parse(yaml);
	struct buf all = {0};

	for (size_t i = 0; i < parsed.documents.count; i++) {
		char *text = json_dumps(parsed.documents.items[i].root,
					JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

		buf_printf(&all, "%s%s", i == 0 ? "" : "\n", text);
		free(text);
	}
	assert_string_equal(parsed.result == 0 ? "" : parsed.fault.text, "");
	assert_string_equal(buf_text(&all), expected);
	buf_fini(&all);
	free_parsed(&parsed);
}

static void assert_fault(const char *text, enum document_format format, unsigned line,
			 unsigned column, const char *part)
{
	struct parsed parsed = parse_as(text, format);

	assert_int_equal(parsed.result, -1);
	if (strstr(parsed.fault.text, part) == NULL)
		assert_string_equal(parsed.fault.text, part);
	assert_int_equal(parsed.fault.line, line);
	assert_int_equal(parsed.fault.column, column);
	free_parsed(&parsed);
}

static void plain_scalars_are_read_as_kubernetes_reads_them(void **state)
{
	(void)state;
	assert_json("[80, -1, +7, 0x1f, 0o17, 017, 0b101, 1_000]", "[80,-1,7,31,15,15,5,1000]");
	assert_json("[true, True, yes, on, y, false, no, Off, n]",
		    "[true,true,true,true,true,false,false,false,false]");
	assert_json("[null, ~, Null, ]", "[null,null,null]");
	assert_json("[1.5, .5, 1e3]", "[1.5,0.5,1000.0]");
	assert_json(
		"[1.2.3, 10m, 2026-01-02T03:04:05Z, 08, -, .inf, 0x, e3]",
		"[\"1.2.3\",\"10m\",\"2026-01-02T03:04:05Z\",8.0,\"-\",\".inf\",\"0x\",\"e3\"]");
}

static void quoted_and_block_scalars_are_text(void **state)
{
	(void)state;
	assert_json("a: '80'\nb: \"true\"\nc: |\n  on\nd: >-\n  7\ne: ''\n",
		    "{\"a\":\"80\",\"b\":\"true\",\"c\":\"on\\n\",\"d\":\"7\",\"e\":\"\"}");
	assert_json("[!!str 80, !!int '80']", "[\"80\",80]");
}

static void keys_are_text_whatever_they_look_like(void **state)
{
	(void)state;
	assert_json("80: a\ntrue: b\n", "{\"80\":\"a\",\"true\":\"b\"}");
}

static void a_file_may_hold_several_documents_and_empty_ones_do_not_count(void **state)
{
	(void)state;
	assert_json("---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n", "{\"a\":1}\n{\"b\":2}");
	assert_json("", "");
	assert_json("# only a comment\n", "");
}

static void a_byte_order_mark_and_crlf_are_no_matter(void **state)
{
	(void)state;
	assert_json("\xef\xbb\xbf"
		    "a: 1\r\nb:\r\n  - x\r\n",
		    "{\"a\":1,\"b\":[\"x\"]}");
}

static void aliases_stand_for_their_anchors(void **state)
{
	(void)state;
	assert_json("a: &x {p: 1}\nb: *x\n", "{\"a\":{\"p\":1},\"b\":{\"p\":1}}");
	assert_json("a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":1,\"b\":2,\"c\":2}");
}

static void merged_fields_yield_to_own_ones(void **state)
{
	(void)state;
	assert_json("- &x {p: 1, q: 1}\n- <<: *x\n  q: 2\n",
		    "[{\"p\":1,\"q\":1},{\"p\":1,\"q\":2}]");
	assert_json("- &x {p: 1}\n- &y {p: 2, q: 2}\n- <<: [*x, *y]\n",
		    "[{\"p\":1},{\"p\":2,\"q\":2},{\"p\":1,\"q\":2}]");
	assert_fault("<<: 7\n", DOCUMENT_YAML, 1, 1, "takes a mapping");
}

static void an_alias_without_anchor_or_within_it_is_a_fault(void **state)
{
	(void)state;
	assert_fault("a: *nobody\n", DOCUMENT_YAML, 1, 4, "does not stand before it");
	assert_fault("a: &x [*x]\n", DOCUMENT_YAML, 1, 8, "within its own anchor");
	assert_fault("---\na: &x 1\n---\nb: *x\n", DOCUMENT_YAML, 4, 4, "does not stand before it");
}

static void aliases_cannot_multiply_without_bound(void **state)
{
	(void)state;
	struct buf yaml = {0};
	struct parsed parsed;

	buf_printf(&yaml, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i < 30; i++)
		buf_printf(&yaml, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
			   i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
			   i - 1);

	parsed = parse(buf_text(&yaml));

	assert_int_equal(parsed.result, -1);
	assert_non_null(strstr(parsed.fault.text, "more than 1000000 values"));
	free_parsed(&parsed);
	buf_fini(&yaml);
}

static void assert_depth(char open, char close, enum document_format format)
{
	char text[400];

	memset(text, open, 64);
	memset(text + 64, close, 64);
	text[128] = '\0';
	struct parsed fits = parse_as(text, format);

	memset(text, open, 65);
	memset(text + 65, close, 65);
	text[130] = '\0';
	assert_int_equal(fits.result, 0);
	assert_fault(text, format, 1, 65, "nested deeper than 64 levels");
	free_parsed(&fits);
}

static void nesting_has_a_bound(void **state)
{
	(void)state;
	assert_depth('[', ']', DOCUMENT_YAML);
	assert_depth('[', ']', DOCUMENT_JSON);
}

static void a_key_that_stands_twice_is_a_fault(void **state)
{
	(void)state;
	assert_fault("a: 1\nb:\n  c: 1\n  c: 2\n", DOCUMENT_YAML, 4, 3, "key \"c\" stands twice");
	assert_fault("{\"a\": 1,\n \"a\": 2}", DOCUMENT_JSON, 2, 4, "duplicate");
}

static void a_tab_as_indentation_is_named(void **state)
{
	(void)state;
	assert_fault("a:\n\tb: 1\n", DOCUMENT_YAML, 2, 1, "a tab where YAML wants blanks");
	assert_fault("\xc3\xa9: 1\na:\n\tb: 1\n", DOCUMENT_YAML, 3, 1, "a tab");
}

static void bytes_that_are_no_text_are_named_with_their_place(void **state)
{
	static const char nul[] = "a: 1\nb: \0x\n";
	struct documents documents;
	struct document_fault fault;

	(void)state;
	int result = documents_parse(&documents, span_make(nul, sizeof(nul) - 1), DOCUMENT_YAML,
				     &fault);

	assert_int_equal(result, -1);
	assert_int_equal(fault.line, 2);
	assert_int_equal(fault.column, 4);
	documents_fini(&documents);
	assert_fault("a: \xff\n", DOCUMENT_YAML, 1, 4, "byte 0xff is not UTF-8");
	assert_fault("a: \xc3\xa9 \xed\xa0\x80\n", DOCUMENT_YAML, 1, 6, "byte 0xed is not UTF-8");
	assert_fault("{\"a\": \"\xc0\x80\"}", DOCUMENT_JSON, 1, 8, "byte 0xc0 is not UTF-8");
	assert_fault("a: \"x\\0y\"\n", DOCUMENT_YAML, 1, 4, "a NUL character in text");
	assert_fault("\"x\\0y\": a\n", DOCUMENT_YAML, 1, 1, "a NUL character in a key");
}

static void documents_before_a_fault_are_kept(void **state)
{
	struct parsed parsed = parse("a: 1\n---\nb: [1\n---\nc: 3\n");

	(void)state;
	assert_int_equal(parsed.result, -1);
	assert_int_equal(parsed.documents.count, 1);
	assert_int_equal(parsed.fault.line, 4);
	free_parsed(&parsed);
}

/* "path line:column" of each node below the root, in order. */
static void print_nodes(const struct documents *documents, uint32_t parent, const char *path,
			struct buf *all)
{
	const struct document_node *nodes = documents->nodes;

	for (uint32_t at = parent + 1; at < nodes[parent].end; at = nodes[at].end) {
		char name[128];

		if (nodes[at].key.ptr == NULL)
			snprintf(name, sizeof(name), "%s[%u]", path, nodes[at].index);
		else
			snprintf(name, sizeof(name), "%s.%.*s", path, (int)nodes[at].key.len,
				 nodes[at].key.ptr);
		buf_printf(all, "%s %u:%u\n", name, nodes[at].line, nodes[at].column);
		print_nodes(documents, at, name, all);
	}
}

static void assert_places(const char *text, enum document_format format, const char *expected)
{
	struct parsed parsed = parse_as(text, format);
	struct buf all = {0};

	assert_string_equal(parsed.result == 0 ? "" : parsed.fault.text, "");
	for (size_t i = 0; i < parsed.documents.count; i++) {
		uint32_t root = parsed.documents.items[i].first_node;

		buf_printf(&all, "- %u:%u\n", parsed.documents.nodes[root].line,
			   parsed.documents.nodes[root].column);
		print_nodes(&parsed.documents, root, "", &all);
	}
	assert_string_equal(buf_text(&all), expected);
	buf_fini(&all);
	free_parsed(&parsed);
}

static void every_yaml_field_knows_where_it_stands(void **state)
{
	(void)state;
	assert_places("# a comment\na: 1\nb:\n  - x\n  - c: \xc3\xa9\n    d: {e: 2}\n---\nf: &x "
		      "1\ng: *x\n",
		      DOCUMENT_YAML,
		      "- 2:1\n.a 2:1\n.b 3:1\n.b[0] 4:5\n.b[1] 5:5\n.b[1].c 5:5\n.b[1].d 6:5\n"
		      ".b[1].d.e 6:9\n- 8:1\n.f 8:1\n.g 9:1\n");
}

static void every_json_field_knows_where_it_stands(void **state)
{
	(void)state;
	assert_places("{\n  \"a\": \"q\\\"}\",\n  \"\xc3\xa9\": [1, {\"c\": true}]}\n{\"d\":null}",
		      DOCUMENT_JSON,
		      "- 1:1\n.a 2:3\n.\xc3\xa9 3:3\n.\xc3\xa9[0] 3:9\n.\xc3\xa9[1] "
		      "3:12\n.\xc3\xa9[1].c 3:13\n"
		      "- 4:1\n.d 4:2\n");
}

static void json_faults_name_their_place_and_quote_nothing(void **state)
{
	(void)state;
	assert_fault("{\"a\": 1,}", DOCUMENT_JSON, 1, 9, "JSON: ");
	assert_fault("{\"a\": 1}\n  {\"b\": hunter2}", DOCUMENT_JSON, 2, 14, "JSON: invalid token");

	struct parsed parsed = parse_as("{\"b\": hunter2}", DOCUMENT_JSON);

	assert_null(strstr(parsed.fault.text, "hunter2"));
	free_parsed(&parsed);
}

static void braces_at_the_start_mean_json_or_else_yaml(void **state)
{
	struct parsed json = parse_as("\n {\"a\": \"\\ud83d\\ude00\"}", DOCUMENT_ANY);
	struct parsed yaml = parse_as("{a: 1, b: yes}", DOCUMENT_ANY);

	(void)state;
	assert_int_equal(json.result, 0);
	assert_string_equal(json_string_value(json_object_get(json.documents.items[0].root, "a")),
			    "\xf0\x9f\x98\x80");
	assert_int_equal(yaml.result, 0);
	assert_int_equal(yaml.documents.count, 1);
	assert_true(json_is_true(json_object_get(yaml.documents.items[0].root, "b")));
	free_parsed(&json);
	free_parsed(&yaml);
}

static void every_prefix_of_a_document_is_survived(void **state)
{
	static const char yaml[] = "a: &x {b: \"c\\u00e9\", d: [1, ~]}\n---\n<<: *x\ne: |\n  f\n";
	static const char json[] = "{\"a\": [1, {\"b\": \"c\\u00e9\\\"\"}], \"d\": null} {}";

	(void)state;
	for (size_t cut = 0; cut < sizeof(yaml); cut++) {
		char *text = strndup(yaml, cut);
		struct parsed parsed = parse(text);

		free_parsed(&parsed);
		free(text);
	}
	for (size_t cut = 1; cut < sizeof(json) - 1; cut++) {
		char *text = strndup(json, cut);
		struct parsed parsed = parse_as(text, DOCUMENT_JSON);

		free_parsed(&parsed);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_scalars_are_read_as_kubernetes_reads_them),
		cmocka_unit_test(quoted_and_block_scalars_are_text),
		cmocka_unit_test(keys_are_text_whatever_they_look_like),
		cmocka_unit_test(a_file_may_hold_several_documents_and_empty_ones_do_not_count),
		cmocka_unit_test(a_byte_order_mark_and_crlf_are_no_matter),
		cmocka_unit_test(aliases_stand_for_their_anchors),
		cmocka_unit_test(merged_fields_yield_to_own_ones),
		cmocka_unit_test(an_alias_without_anchor_or_within_it_is_a_fault),
		cmocka_unit_test(aliases_cannot_multiply_without_bound),
		cmocka_unit_test(nesting_has_a_bound),
		cmocka_unit_test(a_key_that_stands_twice_is_a_fault),
		cmocka_unit_test(a_tab_as_indentation_is_named),
		cmocka_unit_test(bytes_that_are_no_text_are_named_with_their_place),
		cmocka_unit_test(documents_before_a_fault_are_kept),
		cmocka_unit_test(every_yaml_field_knows_where_it_stands),
		cmocka_unit_test(every_json_field_knows_where_it_stands),
		cmocka_unit_test(json_faults_name_their_place_and_quote_nothing),
		cmocka_unit_test(braces_at_the_start_mean_json_or_else_yaml),
		cmocka_unit_test(every_prefix_of_a_document_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
