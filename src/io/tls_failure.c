/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stddef.h>

struct word {
	int number;
	const char *text;
};

/* Of libssl's reasons those that tell something to who runs a proxy. */
static const struct word reasons[] = {
	{SSL_R_HTTP_REQUEST, "plain http"},
	{SSL_R_HTTPS_PROXY_REQUEST, "plain http"},
	{SSL_R_WRONG_VERSION_NUMBER, "not tls"},
	{SSL_R_RECORD_LENGTH_MISMATCH, "not tls"},
	{SSL_R_UNKNOWN_PROTOCOL, "not tls"},
	{SSL_R_UNSUPPORTED_PROTOCOL, "unsupported version"},
	{SSL_R_VERSION_TOO_LOW, "unsupported version"},
	{SSL_R_INAPPROPRIATE_FALLBACK, "inappropriate fallback"},
	{SSL_R_NO_SHARED_CIPHER, "no shared cipher"},
	{SSL_R_NO_CIPHERS_AVAILABLE, "no shared cipher"},
	{SSL_R_NO_SHARED_GROUPS, "no shared group"},
	{SSL_R_NO_SUITABLE_GROUPS, "no shared group"},
	{SSL_R_NO_SUITABLE_KEY_SHARE, "no shared group"},
	{SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no shared signature algorithm"},
	{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no shared signature algorithm"},
	{SSL_R_NO_APPLICATION_PROTOCOL, "no application protocol"},
	{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "certificate required"},
	{SSL_R_CERTIFICATE_VERIFY_FAILED, "bad certificate"},
	{SSL_R_EE_KEY_TOO_SMALL, "weak certificate"},
	{SSL_R_CA_KEY_TOO_SMALL, "weak certificate"},
	{SSL_R_CA_MD_TOO_WEAK, "weak certificate"},
	{SSL_R_BAD_SIGNATURE, "bad signature"},
	{SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, "bad record"},
	{SSL_R_DATA_LENGTH_TOO_LONG, "bad record"},
	{SSL_R_ENCRYPTED_LENGTH_TOO_LONG, "bad record"},
	{SSL_R_PACKET_LENGTH_TOO_LONG, "bad record"},
	{SSL_R_NO_RENEGOTIATION, "renegotiation"},
	{SSL_R_UNEXPECTED_EOF_WHILE_READING, "truncated"},
};

/* Alerts that the peer sent. */
static const struct word alerts[] = {
	{SSL_AD_HANDSHAKE_FAILURE, "peer refused the handshake"},
	{SSL_AD_PROTOCOL_VERSION, "peer refused the version"},
	{SSL_AD_INSUFFICIENT_SECURITY, "peer refused the handshake"},
	{SSL_AD_UNRECOGNIZED_NAME, "peer does not know the name"},
	{SSL_AD_NO_APPLICATION_PROTOCOL, "peer refused the application protocol"},
	{SSL_AD_CERTIFICATE_REQUIRED, "peer wants a certificate"},
	{SSL_AD_BAD_CERTIFICATE, "peer refused the certificate"},
	{SSL_AD_UNSUPPORTED_CERTIFICATE, "peer refused the certificate"},
	{SSL_AD_CERTIFICATE_REVOKED, "peer refused the certificate"},
	{SSL_AD_CERTIFICATE_EXPIRED, "peer refused the certificate"},
	{SSL_AD_CERTIFICATE_UNKNOWN, "peer refused the certificate"},
	{SSL_AD_UNKNOWN_CA, "peer refused the certificate"},
	{SSL_AD_ACCESS_DENIED, "peer denied access"},
};

static const struct word verdicts[] = {
	{X509_V_ERR_CERT_HAS_EXPIRED, "certificate expired"},
	{X509_V_ERR_CRL_HAS_EXPIRED, "revocation list expired"},
	{X509_V_ERR_CERT_NOT_YET_VALID, "certificate not yet valid"},
	{X509_V_ERR_CERT_REVOKED, "certificate revoked"},
	{X509_V_ERR_HOSTNAME_MISMATCH, "certificate of another name"},
	{X509_V_ERR_IP_ADDRESS_MISMATCH, "certificate of another name"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "certificate of an unknown authority"},
	{X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "certificate of an unknown authority"},
	{X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "certificate of an unknown authority"},
	{X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "certificate of an unknown authority"},
	{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "certificate signed by itself"},
	{X509_V_ERR_CERT_CHAIN_TOO_LONG, "certificate chain too long"},
	{X509_V_ERR_UNABLE_TO_GET_CRL, "no revocation list"},
	{X509_V_ERR_INVALID_PURPOSE, "certificate for another purpose"},
	{X509_V_ERR_EE_KEY_TOO_SMALL, "weak certificate"},
	{X509_V_ERR_CA_KEY_TOO_SMALL, "weak certificate"},
	{X509_V_ERR_CA_MD_TOO_WEAK, "weak certificate"},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *find(const struct word *words, size_t count, int number)
{
	for (size_t i = 0; i < count; i++)
		if (words[i].number == number)
			return words[i].text;
	return NULL;
}

const char *tls_failure_take(void)
{
	unsigned long error = ERR_peek_last_error();
	int reason = ERR_GET_REASON(error);
	const char *word = NULL;

	ERR_clear_error();
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET)
		word = find(alerts, COUNT_OF(alerts), reason - SSL_AD_REASON_OFFSET);
	else if (ERR_GET_LIB(error) == ERR_LIB_SSL)
		word = find(reasons, COUNT_OF(reasons), reason);
	return word == NULL ? "protocol error" : word;
}

const char *tls_failure_of_certificate(long result)
{
	const char *word;

	if (result == X509_V_OK)
		return NULL;
	word = find(verdicts, COUNT_OF(verdicts), (int)result);
	return word == NULL ? "bad certificate" : word;
}
