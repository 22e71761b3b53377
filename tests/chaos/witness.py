"""What PostgreSQL itself notes of a campaign, by triggers: in the very transaction, whichever process it is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

#: Rows of these are taken by clean-up; where one has a key, it is that of the step which made it.
_TAKEN = ("engines", "tables", "quantizations", "verifications", "observations", "datasets")
#: A `job` has changed its state or project, a `worker` its state, a step has a `wish` for a job, and a row is `gone`:
#: `needed` by a submission that goes on, or not.
_PROGRAM = """
CREATE TABLE witness (
    id bigserial PRIMARY KEY, at timestamptz DEFAULT clock_timestamp(), what text NOT NULL, facts jsonb NOT NULL
);
CREATE FUNCTION see_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state <> OLD.state OR NEW.project <> OLD.project THEN
        INSERT INTO witness (what, facts) VALUES ('job', jsonb_build_object(
            'id', NEW.id, 'kind', NEW.kind, 'project', NEW.project, 'state', NEW.state, 'owner', NEW.owner,
            'was', CASE WHEN TG_OP = 'UPDATE' THEN OLD.state END));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION see_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.job_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.job_id IS DISTINCT FROM OLD.job_id) THEN
        INSERT INTO witness (what, facts) VALUES ('wish', jsonb_build_object(
            'job', NEW.job_id, 'submission', NEW.submission_id));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION see_worker() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' OR NEW.state <> OLD.state THEN
        INSERT INTO witness (what, facts) VALUES ('worker', jsonb_build_object(
            'id', NEW.id, 'state', NEW.state, 'labels', NEW.labels));
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION see_gone() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone jsonb := to_jsonb(OLD);
BEGIN
    INSERT INTO witness (what, facts) VALUES ('gone', jsonb_build_object(
        'id', OLD.id, 'from', TG_TABLE_NAME, 'pinned', coalesce((gone ->> 'pinned')::boolean, false), 'needed', EXISTS (
            SELECT FROM submissions LEFT JOIN steps ON steps.submission_id = submissions.id
            WHERE submissions.state = 'active' AND (
                steps.key = gone ->> 'key' OR OLD.id IN (
                    submissions.request ->> 'dataset_id', submissions.request ->> 'test_dataset_id')))));
    RETURN NULL;
END $$;
CREATE TRIGGER see_job AFTER INSERT OR UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION see_job();
CREATE TRIGGER see_step AFTER INSERT OR UPDATE ON steps FOR EACH ROW EXECUTE FUNCTION see_step();
CREATE TRIGGER see_worker AFTER INSERT OR UPDATE ON workers FOR EACH ROW EXECUTE FUNCTION see_worker();
"""
_SEE_GONE = "CREATE TRIGGER see_gone AFTER DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION see_gone();"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Something that happened, in the order of their ids."""

    id: int
    at: datetime
    what: str
    facts: Mapping[str, Any]


def call(url: str) -> None:
    """Has everything noted from now on; the farm's tables must be there."""
    with psycopg.connect(url) as connection:
        connection.execute(_PROGRAM + "".join(map(_SEE_GONE.format, _TAKEN)))


def heard(url: str) -> list[Seen]:
    """All that was noted, in order."""
    with psycopg.connect(url) as connection, connection.cursor(row_factory=class_row(Seen)) as cursor:
        return cursor.execute("SELECT id, at, what, facts FROM witness ORDER BY id").fetchall()
