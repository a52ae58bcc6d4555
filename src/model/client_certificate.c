/* SPDX-License-Identifier: Apache-2.0 */
#include "model/client_certificate.h"

#include "base/pattern.h"
#include "model/certificate.h"
#include "model/scalar.h"

enum { PAGE_BYTES_MAX = 1024 };

static void report(struct build *build, const struct intent *intent, enum diagnostic_id id,
		   const char *name, struct span value, const char *what)
{
	annotation_report(build, intent->ingress, id, name, value, what);
}

/* Nobody gets in where nobody can be judged. */
static void refuse(struct build *build, struct intent *intent, enum diagnostic_id id,
		   const char *name, struct span value, const char *why)
{
	struct span what = arena_printf(&build->arena, "%s; hosts of this Ingress answer 403", why);

	intent->client.refuses = true;
	report(build, intent, id, name, value, what.ptr);
}

static void read_secret(struct build *build, struct intent *intent, struct span text)
{
	const struct certificate *authorities;
	struct span secret;

	if (!annotation_secret(build, intent->ingress, text, &secret)) {
		refuse(build, intent, DIAGNOSTIC_SECRET_REFUSED, "auth-tls-secret", text,
		       "is in another namespace, or no name of a Secret");
		return;
	}
	intent_use(intent, &intent->secrets, secret);
	if (!certificate_secret_has(build, secret, S("ca.crt"))) {
		refuse(build, intent, DIAGNOSTIC_SECRET_REFUSED, "auth-tls-secret", secret,
		       "does not exist, or has no ca.crt");
		return;
	}
	authorities = certificate_take_authorities(build, intent, secret);
	if (authorities->is_usable)
		intent->client.authorities = authorities->by_name.key;
	else
		refuse(build, intent, DIAGNOSTIC_SECRET_REFUSED, "auth-tls-secret", secret,
		       "has a ca.crt or ca.crl that cannot be used");
}

static void read_verify(struct build *build, struct intent *intent, struct span text)
{
	static const char *const words[MODEL_VERIFY_COUNT] = {
		[MODEL_VERIFY_OFF] = "off",
		[MODEL_VERIFY_ON] = "on",
		[MODEL_VERIFY_OPTIONAL] = "optional",
		[MODEL_VERIFY_OPTIONAL_NO_CA] = "optional_no_ca",
	};

	intent->client.verify = MODEL_VERIFY_ON;
	if (text.len == 0)
		return;
	for (unsigned i = 0; i < MODEL_VERIFY_COUNT; i++) {
		if (span_equals(text, span_from(words[i]))) {
			intent->client.verify = (enum model_verify)i;
			return;
		}
	}
	report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "auth-tls-verify-client", text,
	       "does not fit: it takes on, off, optional or optional_no_ca; on holds");
}

static void read_depth(struct build *build, struct intent *intent, struct span text)
{
	intent->client.verify_depth = 1;
	if (text.len > 0 && !scalar_depth(text, &intent->client.verify_depth))
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "auth-tls-verify-depth", text,
		       "does not fit: it takes a number up to 100; 1 holds");
}

/* A place of this host, or an URL of plain characters. */
static bool is_page(struct span text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789/-._~:,?&=";

	if (text.len > PAGE_BYTES_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (memchr(allowed, text.ptr[i], sizeof(allowed) - 1) == NULL)
			return false;
	return span_starts_with(text, S("/")) || span_starts_with(text, S("http://")) ||
	       span_starts_with(text, S("https://"));
}

static void read_page(struct build *build, struct intent *intent, struct span text)
{
	if (text.len == 0)
		return;
	if (is_page(text))
		intent->client.error_page = text;
	else
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION, "auth-tls-error-page", text,
		       "does not fit: it takes a path, or an URL of http or https; 400 is "
		       "answered");
}

static void read_pattern(struct build *build, struct intent *intent, struct span text)
{
	struct pattern *pattern;
	struct error err;

	if (text.len == 0)
		return;
	if (!span_starts_with(text, S("CN="))) {
		refuse(build, intent, DIAGNOSTIC_GUARD_INVALID, "auth-tls-match-cn", text,
		       "does not begin with CN=");
		return;
	}
	pattern = pattern_new(text, &err);
	if (pattern != NULL)
		intent->client.subject_pattern = text;
	else
		refuse(build, intent, DIAGNOSTIC_GUARD_INVALID, "auth-tls-match-cn", text,
		       err.text);
	pattern_free(pattern);
}

static void read_passing(struct build *build, struct intent *intent, struct span text)
{
	if (text.len > 0 && !scalar_bool(text, &intent->client.passes_certificate))
		report(build, intent, DIAGNOSTIC_BAD_ANNOTATION,
		       "auth-tls-pass-certificate-to-upstream", text,
		       "does not fit: it takes \"true\" or \"false\"; false holds");
}

/* Who wrote them believes that they guard. */
static void report_alone(struct build *build, const struct intent *intent,
			 const struct auth_tls_texts *texts)
{
	const struct {
		const char *name;
		struct span text;
	} others[] = {
		{"auth-tls-verify-client", texts->verify_client},
		{"auth-tls-verify-depth", texts->verify_depth},
		{"auth-tls-error-page", texts->error_page},
		{"auth-tls-pass-certificate-to-upstream", texts->pass_certificate},
		{"auth-tls-match-cn", texts->match_cn},
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].text.len > 0 && !span_equals(others[i].text, S("off")))
			report(build, intent, DIAGNOSTIC_ANNOTATION_ALONE, others[i].name, S(""),
			       "has no effect without auth-tls-secret; no client is asked for a "
			       "certificate");
}

void client_certificate_read(struct build *build, struct intent *intent,
			     const struct auth_tls_texts *texts)
{
	if (texts->secret.len == 0) {
		report_alone(build, intent, texts);
		return;
	}
	intent->decides_client = true;
	read_verify(build, intent, texts->verify_client);
	read_depth(build, intent, texts->verify_depth);
	read_secret(build, intent, texts->secret);
	read_page(build, intent, texts->error_page);
	read_pattern(build, intent, texts->match_cn);
	read_passing(build, intent, texts->pass_certificate);
}

bool client_certificate_is_same(const struct model_client_tls *a, const struct model_client_tls *b)
{
	return a->verify == b->verify && a->refuses == b->refuses &&
	       a->passes_certificate == b->passes_certificate &&
	       a->verify_depth == b->verify_depth && span_equals(a->authorities, b->authorities) &&
	       span_equals(a->subject_pattern, b->subject_pattern) &&
	       span_equals(a->error_page, b->error_page);
}
