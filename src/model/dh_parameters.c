/* SPDX-License-Identifier: Apache-2.0 */
#include "model/dh_parameters.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/pem.h"

static EVP_PKEY *parse(struct span pem)
{
	BIO *bio = pem_open(pem);
	EVP_PKEY *parameters = bio == NULL ? NULL : PEM_read_bio_Parameters(bio, NULL);

	BIO_free(bio);
	return parameters;
}

/* Whether a prime is one is the owner's affair: to find out takes longer than all else that a change does. */
static int check(const EVP_PKEY *parameters, struct error *err)
{
	EVP_PKEY_CTX *judge;
	bool is_sound;
	int bits;

	if (!EVP_PKEY_is_a(parameters, "DH") && !EVP_PKEY_is_a(parameters, "DHX"))
		return error_set(err, "holds parameters of another kind");
	bits = EVP_PKEY_get_bits(parameters);
	if (bits < DH_BITS_MIN || bits > DH_BITS_MAX)
		return error_set(err, "has %d bits; it takes %d to %d", bits, DH_BITS_MIN,
				 DH_BITS_MAX);
	judge = EVP_PKEY_CTX_new_from_pkey(NULL, (EVP_PKEY *)(uintptr_t)parameters, NULL);
	is_sound = judge != NULL && EVP_PKEY_param_check_quick(judge) == 1;
	EVP_PKEY_CTX_free(judge);
	return is_sound ? 0 : error_set(err, "holds parameters that do not belong together");
}

static int write(EVP_PKEY *parameters, struct buf *der, struct error *err)
{
	unsigned char *bytes = NULL;
	int length = i2d_KeyParams(parameters, &bytes);

	if (length <= 0)
		return error_set(err, "holds parameters that cannot be used");
	buf_add(der, span_make((const char *)bytes, (size_t)length));
	OPENSSL_free(bytes);
	return 0;
}

int dh_parameters_read(struct span pem, struct buf *der, struct error *err)
{
	EVP_PKEY *parameters = parse(pem);
	int result;

	if (parameters == NULL)
		result = error_set(err, "holds no parameters in PEM form");
	else if (check(parameters, err) == -1)
		result = -1;
	else
		result = write(parameters, der, err);
	EVP_PKEY_free(parameters);
	ERR_clear_error();
	return result;
}
