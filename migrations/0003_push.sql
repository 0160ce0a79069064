-- Where a task's entries are to be delivered. `cursor` is the number of the last entry that was; what follows it in the
-- log is still to be delivered, so the log is the outbox.
CREATE TABLE push_configs (
    task_id         TEXT NOT NULL REFERENCES tasks (id),
    id              TEXT NOT NULL,
    owner           TEXT NOT NULL,
    format          TEXT NOT NULL,
    url             TEXT NOT NULL,
    token           TEXT,
    scheme          TEXT,
    credentials     TEXT,
    created_at      TEXT NOT NULL,
    revision        INTEGER NOT NULL,
    cursor          INTEGER NOT NULL,
    state           TEXT NOT NULL DEFAULT 'active',
    attempts        INTEGER NOT NULL DEFAULT 0,
    refusals        INTEGER NOT NULL DEFAULT 0,
    failing_since   TEXT,
    next_attempt_at TEXT,
    last_error      TEXT,
    PRIMARY KEY (task_id, id)
) WITHOUT ROWID;

CREATE INDEX push_configs_by_owner ON push_configs (owner, state);
CREATE INDEX push_configs_by_state ON push_configs (state, task_id, id);
