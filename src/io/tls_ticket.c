/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/bug.h"
#include "io/tls.h"

/* What libssl takes for an answer (SSL_CTX_set_tlsext_ticket_key_evp_cb). */
enum { TICKET_ERROR = -1, TICKET_NONE = 0, TICKET_OK = 1, TICKET_RENEW = 2 };

enum { IV_SIZE = 16 };

void tls_tickets_init(struct tls_tickets *tickets)
{
	*tickets = (struct tls_tickets){.cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL)};
	BUG_ON(tickets->cipher == NULL || EVP_CIPHER_get_iv_length(tickets->cipher) != IV_SIZE);
}

void tls_tickets_fini(struct tls_tickets *tickets)
{
	EVP_CIPHER_free(tickets->cipher);
	OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
}

void tls_tickets_set_keys(struct tls_tickets *tickets, const struct tls_ticket_key *keys,
			  uint32_t count)
{
	BUG_ON(count > TLS_TICKET_KEYS_MAX);
	OPENSSL_cleanse(tickets->keys, sizeof(tickets->keys));
	if (count > 0)
		memcpy(tickets->keys, keys, count * sizeof(keys[0]));
	tickets->count = count;
}

/* NULL: none of ours has this name. */
static const struct tls_ticket_key *find(const struct tls_tickets *tickets,
					 const unsigned char *name)
{
	for (uint32_t i = 0; i < tickets->count; i++)
		if (memcmp(tickets->keys[i].name, name, TLS_TICKET_NAME_SIZE) == 0)
			return &tickets->keys[i];
	return NULL;
}

static bool set_mac(EVP_MAC_CTX *mac, const struct tls_ticket_key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->mac,
						  sizeof(key->mac)),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* Without the extended master secret a session of TLS 1.2 can be joined to another one (RFC 7627, 5.4). */
static bool may_resume(const SSL *ssl)
{
	return SSL_version(ssl) != TLS1_2_VERSION || tls_of(ssl)->extends_secret;
}

static int seal(const struct tls_tickets *tickets, const SSL *ssl, unsigned char *name,
		unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct tls_ticket_key *key = &tickets->keys[0];

	if (tickets->count == 0 || !may_resume(ssl))
		return TICKET_NONE;
	memcpy(name, key->name, TLS_TICKET_NAME_SIZE);
	if (RAND_bytes(iv, IV_SIZE) != 1 ||
	    EVP_EncryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
	    !set_mac(mac, key))
		return TICKET_ERROR;
	return TICKET_OK;
}

static int unseal(const struct tls_tickets *tickets, const unsigned char *name,
		  const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
	const struct tls_ticket_key *key = find(tickets, name);

	if (key == NULL)
		return TICKET_NONE;
	if (EVP_DecryptInit_ex2(cipher, tickets->cipher, key->cipher, iv, NULL) != 1 ||
	    !set_mac(mac, key))
		return TICKET_ERROR;
	return key == &tickets->keys[0] ? TICKET_OK : TICKET_RENEW;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int sealing)
{
	const struct tls_tickets *tickets = tls_server_tickets(tls_of(ssl)->server);

	return sealing ? seal(tickets, ssl, name, iv, cipher, mac)
		       : unseal(tickets, name, iv, cipher, mac);
}

void tls_tickets_attach(SSL_CTX *base)
{
	BUG_ON(SSL_CTX_set_tlsext_ticket_key_evp_cb(base, on_ticket) != 1);
}
