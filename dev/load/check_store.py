"""Looks at the tasks of a server: check_store.py [--wait-for-ended N] DB [TASKS]

Without --wait-for-ended: fails unless there are TASKS tasks, all ended, each with its entries numbered from 1.
"""

import sqlite3
import sys
import time

ENDED = "state IN ('TASK_STATE_COMPLETED', 'TASK_STATE_FAILED', 'TASK_STATE_CANCELED', 'TASK_STATE_REJECTED')"


def one(path: str, query: str):
    database = sqlite3.connect(path, timeout=30)
    try:
        return database.execute(query).fetchone()[0]
    finally:
        database.close()


def wait_for_ended(path: str, wanted: int) -> None:
    while one(path, f"SELECT count(*) FROM tasks WHERE {ENDED}") < wanted:
        time.sleep(0.02)


def check(path: str, tasks: int) -> None:
    there = one(path, "SELECT count(*) FROM tasks")
    open_ = one(path, f"SELECT count(*) FROM tasks WHERE NOT {ENDED}")
    torn = one(path, """
        SELECT count(*) FROM tasks LEFT JOIN (
            SELECT task_id, min(sequence) AS first, max(sequence) AS last, count(*) AS entries
            FROM entries GROUP BY task_id
        ) ON task_id = id
        WHERE first IS NOT 1 OR last IS NOT last_sequence OR entries IS NOT last_sequence""")
    entries = one(path, "SELECT count(*) FROM entries")
    print(f"store: {there} tasks, {entries} entries, {open_} not ended, {torn} with gaps")
    sys.exit(0 if (there, open_, torn) == (tasks, 0, 0) else 1)


if sys.argv[1] == "--wait-for-ended":
    wait_for_ended(sys.argv[3], int(sys.argv[2]))
else:
    check(sys.argv[1], int(sys.argv[2]))
