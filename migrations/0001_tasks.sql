-- A task's log is the truth; `snapshot` is the task as of entry `snapshot_sequence`, so that reading one need not replay all.
CREATE TABLE tasks (
    id                TEXT PRIMARY KEY,
    owner             TEXT NOT NULL,
    state             TEXT NOT NULL,
    last_sequence     INTEGER NOT NULL,
    snapshot          TEXT NOT NULL,
    snapshot_sequence INTEGER NOT NULL,
    attempts          INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE INDEX tasks_by_state ON tasks (state);

CREATE TABLE entries (
    task_id  TEXT NOT NULL REFERENCES tasks (id),
    sequence INTEGER NOT NULL,
    at       TEXT NOT NULL,
    entry    TEXT NOT NULL,
    PRIMARY KEY (task_id, sequence)
) WITHOUT ROWID;

CREATE TABLE idempotency_keys (
    owner   TEXT NOT NULL,
    key     TEXT NOT NULL,
    request TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
