-- Listing an owner's tasks, newest status first; and how the client asked, which a resumed execution needs again.
ALTER TABLE tasks ADD COLUMN context_id TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN options TEXT NOT NULL DEFAULT '{}';

UPDATE tasks SET context_id = snapshot ->> '$.contextId', updated_at = snapshot ->> '$.status.timestamp';

CREATE INDEX tasks_by_owner ON tasks (owner, updated_at DESC, id DESC);
