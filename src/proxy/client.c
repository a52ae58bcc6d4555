/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client.h"

#include "base/bug.h"
#include "proxy/downstream_h1.h"
#include "proxy/downstream_stream.h"

void client_on_exchange_end(struct client *client, struct client_end end)
{
	if (client->stream != NULL)
		downstream_stream_on_end(client, end);
	else
		downstream_h1_on_end(client->connection, end.after);
}

void client_on_turn(struct client *client)
{
	BUG_ON(client->stream != NULL); /* its head comes whole */
	downstream_h1_on_turn(client->connection);
}
