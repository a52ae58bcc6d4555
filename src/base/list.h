/* SPDX-License-Identifier: Apache-2.0 */
/* Doubly linked, intrusive, circular with a head: the link is a field of the struct that is listed,
 * so that membership is visible and costs nothing. A link that is in no list points to itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next;
	struct list *prev;
};

/* The struct around a link. */
#define container_of(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

#define list_for_each(link, head) \
	for (struct list *link = (head)->next; link != (head); link = link->next)

/* The current link may be removed, no other. */
#define list_for_each_safe(link, head)                                                    \
	for (struct list *link = (head)->next, *link##_next = link->next; link != (head); \
	     link = link##_next, link##_next = link->next)

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert(struct list *after, struct list *link)
{
	link->prev = after;
	link->next = after->next;
	after->next->prev = link;
	after->next = link;
}

static inline void list_add_first(struct list *head, struct list *link)
{
	list_insert(head, link);
}

static inline void list_add_last(struct list *head, struct list *link)
{
	list_insert(head->prev, link);
}

/* Harmless for a link that is in no list. */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

static inline struct list *list_first(const struct list *head)
{
	return list_is_empty(head) ? NULL : head->next;
}
