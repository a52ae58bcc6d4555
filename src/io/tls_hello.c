/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_hello.h"

/* RFC 6066, 3 */
enum { NAME_TYPE_HOST = 0 };

/* Schemes (RFC 8446, 4.2.3) */
enum {
	RSA_PKCS1_SHA256 = 0x0401,
	ECDSA_P256_SHA256 = 0x0403,
	RSA_PSS_SHA256 = 0x0804,
};

/* What is left of an extension, read in fields of fixed size or behind a length. */
struct field {
	struct span rest;
	bool bad; /* it was shorter than its own lengths say */
};

static unsigned take_number(struct field *field, size_t size)
{
	unsigned number = 0;

	if (field->rest.len < size) {
		field->bad = true;
		return 0;
	}
	for (size_t i = 0; i < size; i++)
		number = number << 8 | (unsigned char)field->rest.ptr[i];
	field->rest = span_skip(field->rest, size);
	return number;
}

/* The bytes behind a length of that many bytes. */
static struct span take_vector(struct field *field, size_t size)
{
	size_t length = take_number(field, size);
	struct span vector = span_take(field->rest, length);

	if (vector.len != length)
		field->bad = true;
	field->rest = span_skip(field->rest, length);
	return vector;
}

/* Empty and not bad: it was not sent. */
static struct field find_extension(SSL *ssl, unsigned type)
{
	const unsigned char *bytes;
	size_t length;

	if (SSL_client_hello_get0_ext(ssl, type, &bytes, &length) != 1)
		return (struct field){0};
	return (struct field){.rest = {(const char *)bytes, length}};
}

/* An extension that is nothing but one list. */
static struct span read_list(SSL *ssl, unsigned type, bool *bad)
{
	struct field extension = find_extension(ssl, type);
	struct span list;

	if (extension.rest.ptr == NULL)
		return (struct span){0};
	list = take_vector(&extension, 2);
	*bad |= extension.bad || extension.rest.len > 0;
	return list;
}

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	       byte == '_' || byte == '.';
}

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

size_t tls_hello_level_name(struct span sent, char level[static TLS_SERVER_NAME_MAX + 1])
{
	if (sent.len > 0 && sent.ptr[sent.len - 1] == '.')
		sent.len--;
	if (sent.len > TLS_SERVER_NAME_MAX)
		return 0;
	for (size_t i = 0; i < sent.len; i++) {
		level[i] = lower(sent.ptr[i]);
		if (!is_name_byte(level[i]))
			return 0;
	}
	return sent.len;
}

static enum tls_hello_status read_name(struct tls_hello *hello, SSL *ssl)
{
	bool bad = false;
	struct field list = {.rest = read_list(ssl, TLSEXT_TYPE_server_name, &bad)};
	unsigned type;
	struct span name;

	if (bad || hello->signatures.len % 2 != 0) /* schemes are of two bytes each */
		return TLS_HELLO_BAD;
	if (list.rest.ptr == NULL)
		return TLS_HELLO_OK;
	type = take_number(&list, 1);
	name = take_vector(&list, 2);
	if (list.bad || type != NAME_TYPE_HOST || list.rest.len > 0)
		return TLS_HELLO_BAD;
	hello->server_name = span_make(hello->name, tls_hello_level_name(name, hello->name));
	return hello->server_name.len == 0 ? TLS_HELLO_BAD_NAME : TLS_HELLO_OK;
}

static bool has_scheme(struct span schemes, unsigned scheme)
{
	struct field list = {.rest = schemes};

	while (list.rest.len > 0 && !list.bad)
		if (take_number(&list, 2) == scheme)
			return true;
	return false;
}

enum tls_hello_status tls_hello_read(struct tls_hello *hello, SSL *ssl)
{
	bool bad = false;

	*hello = (struct tls_hello){0};
	hello->alpn = read_list(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &bad);
	hello->signatures = read_list(ssl, TLSEXT_TYPE_signature_algorithms, &bad);
	if (bad)
		return TLS_HELLO_BAD;
	hello->takes_ecdsa = has_scheme(hello->signatures, ECDSA_P256_SHA256);
	hello->takes_rsa = has_scheme(hello->signatures, RSA_PKCS1_SHA256) ||
			   has_scheme(hello->signatures, RSA_PSS_SHA256);
	hello->extends_secret = find_extension(ssl, TLSEXT_TYPE_extended_master_secret).rest.ptr !=
				NULL;
	return read_name(hello, ssl);
}
