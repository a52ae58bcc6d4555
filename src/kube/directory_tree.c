/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/directory_tree.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bug.h"
#include "base/file.h"
#include "base/list.h"
#include "base/map.h"
#include "base/memory.h"
#include "kube/source_dir.h"

enum { DEPTH_MAX = 32, ANCESTORS_MAX = 64 };

enum {
	DIRECTORY_EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
			   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
	LINK_EVENTS = IN_CLOSE_WRITE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
	ANCESTOR_EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
};

/* What tells one content from another without reading it. */
struct seen {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec modified;
	struct timespec changed;
};

struct inode {
	dev_t device;
	ino_t inode;
};

/* Both are compared as bytes. */
static_assert(sizeof(struct inode) == sizeof(dev_t) + sizeof(ino_t), "no padding");
static_assert(sizeof(struct seen) ==
		      sizeof(struct inode) + sizeof(off_t) + 2 * sizeof(struct timespec),
	      "no padding");

struct directory {
	struct map_entry by_wd;    /* key: the bytes of wd; only while wd is not -1 */
	struct map_entry by_inode; /* key: the bytes of inode */
	struct map_entry by_name;  /* not for the root */
	struct list link;          /* in its parent's directories */
	struct list directories;
	struct list files;
	int wd;
	unsigned depth;
	struct inode inode;
	uint32_t round;
	size_t name_len;
	char name[]; /* as in the set: "" or "sub", "sub/deeper" */
};

struct tree_file {
	struct map_entry by_name; /* as in the set */
	struct list link;         /* in its directory's files */
	struct list linked;       /* in tree->linked while it is a symbolic link that is watched */
	int wd;                   /* of the directory that holds what it links to; -1: none */
	char *target;             /* the name in there */
	uint32_t round;
	struct seen seen;
	char name[];
};

/* A name that something happened to. */
struct dirty {
	struct dirty *next;
	int wd;      /* of its directory; -1: name is that of a file in the set, a link */
	char name[]; /* empty: the whole directory */
};

/* A directory on the way to the root, and the name in it that leads there. */
struct ancestor {
	int wd;
	char *name;
};

struct directory_tree {
	struct manifest_set *set;
	int inotify; /* -1: nothing is watched */
	char *path;
	const char *prefix; /* of names in the set: "" or path with a slash */
	struct directory *root;
	struct map by_wd;
	struct map by_inode;
	struct map directories; /* by name */
	struct map files;       /* by name */
	struct list linked;
	uint32_t round;
	enum tree_read how;   /* of the present walk */
	bool has_second_ways; /* a directory was met again and passed over */
	struct dirty *first_dirty;
	struct dirty **last_dirty;
	bool root_dirty; /* something happened on the way to the root */
	bool walk_again; /* events were lost, or a directory that has second ways went */
	bool lost_events;
	struct ancestor ancestors[ANCESTORS_MAX];
	size_t ancestor_count;
};

static void walk(struct directory_tree *tree, struct directory *directory);

/* Names. */

static bool is_hidden(const char *name)
{
	return name[0] == '.';
}

static bool is_manifest(const char *name)
{
	struct span span = span_from(name);

	return !is_hidden(name) &&
	       (span_ends_with(span, S(".yaml")) || span_ends_with(span, S(".yml")) ||
		span_ends_with(span, S(".json")));
}

static enum document_format format_of(struct span name)
{
	return span_ends_with(name, S(".json")) ? DOCUMENT_JSON : DOCUMENT_ANY;
}

/* "sub" + "web.yaml" → "sub/web.yaml", with the prefix of the tree where sub is the root. */
static void join(const struct directory_tree *tree, const struct directory *directory,
		 const char *name, struct buf *into)
{
	buf_clear(into);
	if (directory->name_len > 0)
		buf_printf(into, "%s/%s", directory->name, name);
	else
		buf_printf(into, "%s%s", tree->prefix, name);
}

/* Where that name of the set lies in the file system. Valid until the next change of `into`. */
static const char *path_of(const struct directory_tree *tree, struct span name, struct buf *into)
{
	size_t prefix = strlen(tree->prefix);

	buf_clear(into);
	buf_printf(into, "%s", tree->path);
	if (name.len > prefix)
		buf_printf(into, "/%.*s", (int)(name.len - prefix), name.ptr + prefix);
	return buf_text(into);
}

/* Files. */

static struct directory *find_by_wd(const struct directory_tree *tree, int wd)
{
	struct map_entry *entry = map_find(&tree->by_wd, span_make((const char *)&wd, sizeof(wd)));

	return entry == NULL ? NULL : container_of(entry, struct directory, by_wd);
}

static struct tree_file *find_tree_file(const struct directory_tree *tree, struct span name)
{
	struct map_entry *entry = map_find(&tree->files, name);

	return entry == NULL ? NULL : container_of(entry, struct tree_file, by_name);
}

static struct tree_file *get_tree_file(struct directory_tree *tree, struct directory *directory,
				       struct span name)
{
	struct tree_file *file = find_tree_file(tree, name);

	if (file == NULL) {
		file = memory_new(sizeof(*file) + name.len + 1);
		memcpy(file->name, name.ptr, name.len);
		file->by_name.key = span_make(file->name, name.len);
		file->wd = -1;
		list_init(&file->link);
		list_init(&file->linked);
		map_add(&tree->files, &file->by_name);
	}
	if (directory != NULL) {
		list_remove(&file->link);
		list_add_last(&directory->files, &file->link);
	}
	file->round = tree->round;
	return file;
}

/* The watch goes when it is nobody else's: of another link, or of a directory of the tree. */
static void forget_link(struct directory_tree *tree, struct tree_file *file)
{
	int wd = file->wd;

	file->wd = -1;
	free(file->target);
	file->target = NULL;
	list_remove(&file->linked);
	if (wd == -1 || find_by_wd(tree, wd) != NULL)
		return;
	list_for_each (link, &tree->linked)
		if (container_of(link, struct tree_file, linked)->wd == wd)
			return;
	inotify_rm_watch(tree->inotify, wd); /* fails when what it was on is gone */
}

static void free_tree_file(struct directory_tree *tree, struct tree_file *file)
{
	forget_link(tree, file);
	list_remove(&file->link);
	map_remove(&tree->files, &file->by_name);
	free(file);
}

static void remove_file(struct directory_tree *tree, struct tree_file *file)
{
	manifest_set_remove(tree->set, file->by_name.key);
	free_tree_file(tree, file);
}

/* It cannot be met any more. A link whose target went is watched on: the target may come back. */
static void lose_file(struct directory_tree *tree, struct tree_file *file, const char *path)
{
	struct stat st;

	if (file->wd == -1 || lstat(path, &st) == -1 || !S_ISLNK(st.st_mode)) {
		remove_file(tree, file);
		return;
	}
	manifest_set_remove(tree->set, file->by_name.key);
	file->seen = (struct seen){0};
	file->round = tree->round;
}

static void put_file(struct directory_tree *tree, struct span name, const char *path)
{
	struct buf text = {0};
	struct error err;

	if (file_read(path, SOURCE_DIR_FILE_MAX, &text, &err) == -1)
		manifest_set_fail(tree->set, name, err.text);
	else
		manifest_set_put(tree->set, name, buf_span(&text), format_of(name));
	if (text.ptr != NULL)
		explicit_bzero(text.ptr, text.len); /* it may hold Secrets */
	buf_fini(&text);
}

static struct seen seen_of(const struct stat *st)
{
	return (struct seen){
		.device = st->st_dev,
		.inode = st->st_ino,
		.size = st->st_size,
		.modified = st->st_mtim,
		.changed = st->st_ctim,
	};
}

/* What a link leads to may be written in place, or renamed into place: its directory tells of both. */
static void watch_link(struct directory_tree *tree, struct tree_file *file, const char *path)
{
	struct stat st;
	char *target;
	char *slash;

	forget_link(tree, file);
	if (tree->inotify == -1 || lstat(path, &st) == -1 || !S_ISLNK(st.st_mode))
		return;
	target = realpath(path, NULL);
	if (target == NULL)
		return;
	slash = strrchr(target, '/');
	*slash = '\0';
	file->wd = inotify_add_watch(tree->inotify, slash == target ? "/" : target,
				     LINK_EVENTS | IN_ONLYDIR | IN_MASK_ADD);
	if (file->wd != -1) {
		file->target = strdup(slash + 1);
		list_add_last(&tree->linked, &file->linked);
	}
	free(target);
}

static void visit_file(struct directory_tree *tree, struct directory *directory, struct span name,
		       const char *path, const struct stat *st)
{
	struct tree_file *file = get_tree_file(tree, directory, name);
	struct seen seen = seen_of(st);

	if (tree->how == TREE_READ_CHANGED && memcmp(&file->seen, &seen, sizeof(seen)) == 0)
		return;
	/* the watch first: what is written behind our back while we read is told */
	watch_link(tree, file, path);
	file->seen = seen;
	put_file(tree, name, path);
}

/* Directories. */

static struct directory *find_by_inode(const struct directory_tree *tree, const struct inode *inode)
{
	struct map_entry *entry = map_find(&tree->by_inode,
					   span_make((const char *)inode, sizeof(*inode)));

	return entry == NULL ? NULL : container_of(entry, struct directory, by_inode);
}

static struct inode inode_of(const struct stat *st)
{
	return (struct inode){.device = st->st_dev, .inode = st->st_ino};
}

static struct directory *new_directory(struct directory_tree *tree, struct directory *parent,
				       struct span name, const struct stat *st)
{
	struct directory *directory = memory_new(sizeof(*directory) + name.len + 1);

	if (name.len > 0)
		memcpy(directory->name, name.ptr, name.len);
	directory->name_len = name.len;
	directory->wd = -1;
	directory->depth = parent == NULL ? 0 : parent->depth + 1;
	directory->inode = inode_of(st);
	list_init(&directory->link);
	list_init(&directory->directories);
	list_init(&directory->files);
	directory->by_inode.key = span_make((const char *)&directory->inode, sizeof(struct inode));
	map_add(&tree->by_inode, &directory->by_inode);
	if (parent != NULL) {
		directory->by_name.key = span_make(directory->name, name.len);
		map_add(&tree->directories, &directory->by_name);
		list_add_last(&parent->directories, &directory->link);
	}
	return directory;
}

/* After IN_IGNORED, or when it is left: the kernel tells nothing more under that number. */
static void forget_watch(struct directory_tree *tree, struct directory *directory)
{
	if (directory->wd == -1)
		return;
	map_remove(&tree->by_wd, &directory->by_wd);
	directory->wd = -1;
}

/* Frees the directory and all below it. Files stay in the set and in tree->files: whoever walks on removes
 * those that were not met again. */
static void free_directory(struct directory_tree *tree, struct directory *directory)
{
	int wd = directory->wd;

	list_for_each_safe (link, &directory->directories)
		free_directory(tree, container_of(link, struct directory, link));
	list_for_each_safe (link, &directory->files)
		list_remove(link);
	forget_watch(tree, directory);
	if (wd != -1)
		inotify_rm_watch(tree->inotify, wd); /* fails when the directory is gone */
	map_remove(&tree->by_inode, &directory->by_inode);
	if (directory != tree->root)
		map_remove(&tree->directories, &directory->by_name);
	list_remove(&directory->link);
	free(directory);
}

static void remove_files_below(struct directory_tree *tree, struct directory *directory)
{
	list_for_each_safe (link, &directory->files)
		remove_file(tree, container_of(link, struct tree_file, link));
	list_for_each_safe (link, &directory->directories)
		remove_files_below(tree, container_of(link, struct directory, link));
}

static void remove_directory(struct directory_tree *tree, struct directory *directory)
{
	manifest_set_remove(tree->set, span_make(directory->name, directory->name_len));
	remove_files_below(tree, directory);
	free_directory(tree, directory);
	tree->walk_again |= tree->has_second_ways;
}

static void fail_directory(struct directory_tree *tree, const struct directory *directory,
			   const char *what)
{
	struct span name = span_make(directory->name, directory->name_len);
	struct buf path = {0};
	struct error err;

	error_sys(&err, "%s %s", what, path_of(tree, name, &path));
	manifest_set_fail(tree->set, name.len == 0 ? span_from(tree->path) : name, err.text);
	buf_fini(&path);
}

static void watch_directory(struct directory_tree *tree, struct directory *directory,
			    const char *path)
{
	if (tree->inotify == -1 || directory->wd != -1)
		return;
	directory->wd = inotify_add_watch(tree->inotify, path,
					  DIRECTORY_EVENTS | IN_ONLYDIR | IN_MASK_ADD);
	if (directory->wd == -1) {
		if (errno == ENOSPC)
			fail_directory(tree, directory,
				       "changes are not seen: no inotify watch is left "
				       "(fs.inotify.max_user_watches) for");
		return;
	}
	directory->by_wd.key = span_make((const char *)&directory->wd, sizeof(directory->wd));
	map_add(&tree->by_wd, &directory->by_wd);
}

static struct directory *find_directory(const struct directory_tree *tree, struct span name)
{
	struct map_entry *entry = map_find(&tree->directories, name);

	return entry == NULL ? NULL : container_of(entry, struct directory, by_name);
}

static void visit_directory(struct directory_tree *tree, struct directory *parent, struct span name,
			    const struct stat *st)
{
	struct inode inode = inode_of(st);
	struct directory *known = find_by_inode(tree, &inode);

	if (known != NULL && known != find_directory(tree, name)) {
		tree->has_second_ways = true;
		return;
	}
	if (known == NULL && parent->depth >= DEPTH_MAX) {
		manifest_set_fail(tree->set, name,
				  "directories deeper than 32 levels are not read");
		return;
	}
	if (known == NULL)
		known = new_directory(tree, parent, name, st);
	walk(tree, known);
}

/* What lies under that name now; it may be nothing. */
static void visit(struct directory_tree *tree, struct directory *directory, const char *entry)
{
	struct buf name = {0};
	struct buf path = {0};
	struct directory *below;
	struct tree_file *file;
	struct stat st;
	bool there;

	join(tree, directory, entry, &name);
	there = stat(path_of(tree, buf_span(&name), &path), &st) == 0;
	below = find_directory(tree, buf_span(&name));
	file = find_tree_file(tree, buf_span(&name));
	if (below != NULL &&
	    (!there || below->inode.inode != st.st_ino || below->inode.device != st.st_dev))
		remove_directory(tree, below);
	if (file != NULL && (!there || !S_ISREG(st.st_mode)))
		lose_file(tree, file, buf_text(&path));
	if (there && S_ISDIR(st.st_mode))
		visit_directory(tree, directory, buf_span(&name), &st);
	else if (there && S_ISREG(st.st_mode) && is_manifest(entry))
		visit_file(tree, directory, buf_span(&name), buf_text(&path), &st);
	buf_fini(&name);
	buf_fini(&path);
}

static void visit_entries(struct directory_tree *tree, struct directory *directory, DIR *stream)
{
	const struct dirent *entry;

	while ((entry = readdir(stream)) != NULL) {
		/* most other files need no look at what they are */
		if (is_hidden(entry->d_name) ||
		    (entry->d_type == DT_REG && !is_manifest(entry->d_name)))
			continue;
		visit(tree, directory, entry->d_name);
	}
}

/* What this walk did not meet is gone. */
static void sweep(struct directory_tree *tree, struct directory *directory)
{
	list_for_each_safe (link, &directory->files) {
		struct tree_file *file = container_of(link, struct tree_file, link);

		if (file->round != tree->round)
			remove_file(tree, file);
	}
	list_for_each_safe (link, &directory->directories) {
		struct directory *below = container_of(link, struct directory, link);

		if (below->round != tree->round)
			remove_directory(tree, below);
	}
}

static void walk(struct directory_tree *tree, struct directory *directory)
{
	struct span name = span_make(directory->name, directory->name_len);
	struct buf path = {0};
	DIR *stream;

	directory->round = tree->round;
	path_of(tree, name, &path);
	manifest_set_remove(tree->set, name.len == 0 ? span_from(tree->path) : name);
	watch_directory(tree, directory, buf_text(&path));
	stream = opendir(buf_text(&path));
	if (stream == NULL) {
		if (errno != ENOENT)
			fail_directory(tree, directory, "cannot read the directory");
	} else {
		visit_entries(tree, directory, stream);
		closedir(stream);
		sweep(tree, directory);
	}
	buf_fini(&path);
}

/* The root and the way to it. */

static void forget_ancestors(struct directory_tree *tree)
{
	/* their watches stay: one may be shared with a directory of the tree, and events from the others
	 * belong to nobody */
	for (size_t i = 0; i < tree->ancestor_count; i++)
		free(tree->ancestors[i].name);
	tree->ancestor_count = 0;
}

static void watch_ancestor(struct directory_tree *tree, const char *directory, const char *name)
{
	int wd;

	if (tree->ancestor_count == ANCESTORS_MAX || name[0] == '\0' || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return;
	wd = inotify_add_watch(tree->inotify, directory,
			       ANCESTOR_EVENTS | IN_ONLYDIR | IN_MASK_ADD);
	if (wd != -1)
		tree->ancestors[tree->ancestor_count++] = (struct ancestor){wd, strdup(name)};
}

/* Each directory on the way tells when the next name in it comes, goes or is another. */
static void watch_ancestors(struct directory_tree *tree)
{
	char *path;

	forget_ancestors(tree);
	if (tree->inotify == -1)
		return;
	path = strdup(tree->path);
	for (;;) {
		char *slash = strrchr(path, '/');

		if (slash == NULL) {
			watch_ancestor(tree, ".", path);
			break;
		}
		if (slash == path) {
			watch_ancestor(tree, "/", path + 1);
			break;
		}
		*slash = '\0';
		watch_ancestor(tree, path, slash + 1);
	}
	free(path);
}

/* After the root was walked anew: files that no directory has any more. */
static void sweep_all(struct directory_tree *tree)
{
	struct map_entry *at = map_next(&tree->files, NULL);

	while (at != NULL) {
		struct tree_file *file = container_of(at, struct tree_file, by_name);

		at = map_next(&tree->files, at);
		if (file->round != tree->round)
			remove_file(tree, file);
	}
}

static void leave_root(struct directory_tree *tree)
{
	if (tree->root == NULL)
		return;
	/* numbers of watches mean nothing without the directories */
	free_directory(tree, tree->root);
	tree->root = NULL;
}

static void fail_root(struct directory_tree *tree, const struct stat *st)
{
	struct error why;
	struct error whole;

	if (st != NULL)
		error_set(&why, "%s is not a directory", tree->path);
	else
		error_sys(&why, "cannot read the directory %s", tree->path);
	error_set(&whole, "%s%s", why.text,
		  tree->files.count > 0 ? "; what its files said last is still served" : "");
	manifest_set_fail(tree->set, span_from(tree->path), whole.text);
}

void directory_tree_scan(struct directory_tree *tree, enum tree_read how)
{
	struct stat st;

	tree->how = how;
	tree->round++;
	tree->has_second_ways = false;
	tree->walk_again = false;
	tree->root_dirty = false;
	watch_ancestors(tree);
	if (stat(tree->path, &st) == -1) {
		leave_root(tree);
		fail_root(tree, NULL);
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		leave_root(tree);
		fail_root(tree, &st);
		return;
	}
	if (tree->root != NULL &&
	    (tree->root->inode.inode != st.st_ino || tree->root->inode.device != st.st_dev))
		leave_root(tree);
	if (tree->root == NULL)
		tree->root = new_directory(tree, NULL, (struct span){NULL, 0}, &st);
	walk(tree, tree->root);
	sweep_all(tree);
}

bool directory_tree_has_root(const struct directory_tree *tree)
{
	return tree->root != NULL;
}

/* Events. */

static void note_name(struct directory_tree *tree, int wd, const char *name)
{
	size_t length = strlen(name);
	struct dirty *dirty = memory_new(sizeof(*dirty) + length + 1);

	memcpy(dirty->name, name, length);
	dirty->wd = wd;
	*tree->last_dirty = dirty;
	tree->last_dirty = &dirty->next;
}

static void note_link(struct directory_tree *tree, const struct inotify_event *event)
{
	list_for_each (link, &tree->linked) {
		const struct tree_file *file = container_of(link, struct tree_file, linked);

		if (file->wd == event->wd && event->len > 0 &&
		    strcmp(file->target, event->name) == 0)
			note_name(tree, -1, file->name);
	}
}

/* A file that was just made has no content yet: its writer will close it. Links have theirs at once. */
static bool is_unfinished(const struct directory_tree *tree, const struct directory *directory,
			  const struct inotify_event *event)
{
	struct buf name = {0};
	struct buf path = {0};
	struct stat st;
	bool unfinished;

	if ((event->mask & IN_CREATE) == 0)
		return false;
	join(tree, directory, event->name, &name);
	unfinished = lstat(path_of(tree, buf_span(&name), &path), &st) == 0 &&
		     S_ISREG(st.st_mode) && st.st_nlink == 1;
	buf_fini(&name);
	buf_fini(&path);
	return unfinished;
}

static void note_in_directory(struct directory_tree *tree, const struct directory *directory,
			      const struct inotify_event *event)
{
	if ((event->mask & (IN_DELETE_SELF | IN_MOVE_SELF)) != 0 && directory == tree->root)
		tree->root_dirty = true;
	if (event->len == 0)
		return;
	/* a mounted ConfigMap swaps its ..data: every link of this directory leads elsewhere */
	if (event->name[0] == '.' && event->name[1] == '.')
		note_name(tree, event->wd, "");
	else if (!is_hidden(event->name) &&
		 ((event->mask & IN_ISDIR) != 0 || !is_unfinished(tree, directory, event)))
		note_name(tree, event->wd, event->name);
}

void directory_tree_note(struct directory_tree *tree, const struct inotify_event *event)
{
	struct directory *directory = find_by_wd(tree, event->wd);

	if ((event->mask & IN_Q_OVERFLOW) != 0)
		tree->lost_events = true;
	for (size_t i = 0; i < tree->ancestor_count; i++)
		if (tree->ancestors[i].wd == event->wd && event->len > 0 &&
		    strcmp(tree->ancestors[i].name, event->name) == 0)
			tree->root_dirty = true;
	note_link(tree, event);
	if (directory == NULL)
		return;
	if ((event->mask & IN_IGNORED) != 0) {
		if (directory == tree->root)
			tree->root_dirty = true;
		forget_watch(tree, directory);
	} else {
		note_in_directory(tree, directory, event);
	}
}

static void look_at_link(struct directory_tree *tree, struct span name)
{
	struct tree_file *file = find_tree_file(tree, name);
	struct buf path = {0};
	struct stat st;

	if (file == NULL)
		return;
	if (stat(path_of(tree, name, &path), &st) == -1)
		lose_file(tree, file, buf_text(&path));
	else
		visit_file(tree, NULL, name, buf_text(&path), &st);
	buf_fini(&path);
}

static void look_at(struct directory_tree *tree, const struct dirty *dirty)
{
	struct directory *directory = find_by_wd(tree, dirty->wd);

	if (dirty->wd == -1)
		look_at_link(tree, span_from(dirty->name));
	else if (directory != NULL && dirty->name[0] == '\0')
		walk(tree, directory);
	else if (directory != NULL)
		visit(tree, directory, dirty->name);
}

void directory_tree_look(struct directory_tree *tree)
{
	struct dirty *dirty = tree->first_dirty;

	tree->first_dirty = NULL;
	tree->last_dirty = &tree->first_dirty;
	tree->how = TREE_READ_CHANGED;
	tree->round++;
	while (dirty != NULL) {
		struct dirty *next = dirty->next;

		if (!tree->lost_events)
			look_at(tree, dirty);
		free(dirty);
		dirty = next;
	}
	if (tree->lost_events || tree->root_dirty || tree->walk_again)
		directory_tree_scan(tree, tree->lost_events ? TREE_READ_ALL : TREE_READ_CHANGED);
	tree->lost_events = false;
}

void directory_tree_read(struct directory_tree *tree, struct span name)
{
	struct tree_file *file = find_tree_file(tree, name);
	struct buf path = {0};

	if (file != NULL)
		put_file(tree, file->by_name.key, path_of(tree, name, &path));
	buf_fini(&path);
}

/* Life. */

static struct directory_tree *new_tree(const char *path, int inotify, struct manifest_set *set,
				       const char *prefix)
{
	struct directory_tree *tree = memory_new(sizeof(*tree));
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	tree->path = memory_new(length + 1);
	memcpy(tree->path, path, length);
	tree->prefix = prefix;
	tree->inotify = inotify;
	tree->set = set;
	list_init(&tree->linked);
	tree->last_dirty = &tree->first_dirty;
	return tree;
}

struct directory_tree *directory_tree_new(const char *path, int inotify, struct manifest_set *set)
{
	return new_tree(path, inotify, set, "");
}

void directory_tree_free(struct directory_tree *tree)
{
	struct map_entry *next;
	struct map_entry *at;

	if (tree == NULL)
		return;
	leave_root(tree);
	for (at = map_next(&tree->files, NULL); at != NULL; at = next) {
		next = map_next(&tree->files, at);
		free_tree_file(tree, container_of(at, struct tree_file, by_name));
	}
	while (tree->first_dirty != NULL) {
		struct dirty *dirty = tree->first_dirty;

		tree->first_dirty = dirty->next;
		free(dirty);
	}
	forget_ancestors(tree);
	map_fini(&tree->by_wd);
	map_fini(&tree->by_inode);
	map_fini(&tree->directories);
	map_fini(&tree->files);
	free(tree->path);
	free(tree);
}

static void read_tree_once(const char *path, struct manifest_set *set)
{
	struct buf prefix = {0};
	struct directory_tree *tree;

	buf_printf(&prefix, "%s%s", path, path[strlen(path) - 1] == '/' ? "" : "/");
	tree = new_tree(path, -1, set, buf_text(&prefix));
	directory_tree_scan(tree, TREE_READ_ALL);
	directory_tree_free(tree);
	buf_fini(&prefix);
}

void directory_tree_read_once(const char *path, struct manifest_set *set)
{
	struct directory_tree file = {.set = set};
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		read_tree_once(path, set);
	else
		put_file(&file, span_from(path), path);
}
