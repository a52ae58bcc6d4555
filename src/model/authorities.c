/* SPDX-License-Identifier: Apache-2.0 */
#include "model/authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/pem.h"

/* A handshake looks at each of them. */
enum { CERTIFICATES_MAX = 100, BYTES_MAX = 256 * 1024 };

void authorities_fini(struct authorities *authorities)
{
	buf_fini(&authorities->certificates);
	buf_fini(&authorities->revoked);
	*authorities = (struct authorities){0};
}

/* Takes what libcrypto allocated. */
static int add_der(struct buf *list, unsigned char *der, int length)
{
	if (length <= 0)
		return -1;
	buf_add(list, span_make((const char *)der, (size_t)length));
	OPENSSL_free(der);
	return 0;
}

static int add_certificate(struct buf *list, X509 *certificate)
{
	unsigned char *der = NULL;
	int length = i2d_X509(certificate, &der);

	X509_free(certificate);
	return add_der(list, der, length);
}

static int add_revoked(struct buf *list, X509_CRL *revoked)
{
	unsigned char *der = NULL;
	int length = i2d_X509_CRL(revoked, &der);

	X509_CRL_free(revoked);
	return add_der(list, der, length);
}

static int read_certificates(struct buf *list, struct span pem, struct error *err)
{
	BIO *bytes = pem_open(pem);
	X509 *next;
	int count = 0;
	bool is_whole = true;

	while (bytes != NULL && is_whole && list->len <= BYTES_MAX && count <= CERTIFICATES_MAX &&
	       (next = PEM_read_bio_X509(bytes, NULL, pem_no_passphrase, NULL)) != NULL) {
		is_whole = add_certificate(list, next) == 0;
		count++;
	}
	BIO_free(bytes);
	if (list->len > BYTES_MAX || count > CERTIFICATES_MAX)
		return error_set(err,
				 "ca.crt has more than the %d certificates or %d bytes allowed",
				 CERTIFICATES_MAX, BYTES_MAX);
	if (count == 0)
		return error_set(err, "ca.crt holds no certificate in PEM form");
	/* half of the authorities is not what was meant */
	return is_whole && pem_is_at_end() ? 0
					   : error_set(err, "ca.crt holds something that is no "
							    "certificate in PEM form");
}

static int read_revoked(struct buf *list, struct span pem, struct error *err)
{
	BIO *bytes = pem_open(pem);
	X509_CRL *next;
	bool is_whole = true;

	while (bytes != NULL && is_whole &&
	       (next = PEM_read_bio_X509_CRL(bytes, NULL, pem_no_passphrase, NULL)) != NULL)
		is_whole = add_revoked(list, next) == 0;
	BIO_free(bytes);
	if (list->len == 0 || !is_whole || !pem_is_at_end())
		return error_set(err, "ca.crl holds something that is no revocation list in PEM "
				      "form");
	return 0;
}

int authorities_read(struct authorities *authorities, struct span certificates, struct span revoked,
		     struct error *err)
{
	int result;

	*authorities = (struct authorities){0};
	ERR_clear_error();
	result = read_certificates(&authorities->certificates, certificates, err);
	if (result == 0 && revoked.ptr != NULL)
		result = read_revoked(&authorities->revoked, revoked, err);
	ERR_clear_error(); /* what it says is in err, in our words */
	if (result == -1)
		authorities_fini(authorities);
	return result;
}
