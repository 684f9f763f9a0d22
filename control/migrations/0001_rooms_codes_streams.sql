-- Times are milliseconds since 1970-01-01T00:00:00Z. `seq` orders lists and is the cursor behind an id.
CREATE TABLE rooms (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- Names are case-insensitive, and creating a room by an existing name updates it.
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    enabled INTEGER NOT NULL,
    template_id TEXT NOT NULL,
    -- What is kept and handed back as it came, as JSON.
    settings TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE room_codes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL UNIQUE,
    room_id TEXT NOT NULL REFERENCES rooms (id),
    role TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (room_id, role)
) STRICT;

CREATE TABLE live_streams (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    room_id TEXT NOT NULL REFERENCES rooms (id),
    session_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('starting', 'running', 'stopping', 'completed', 'failed')),
    -- What the start asked for, as JSON.
    request TEXT NOT NULL,
    started_by TEXT NOT NULL,
    stopped_by TEXT NOT NULL,
    -- Why it failed.
    error TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    updated_at INTEGER NOT NULL,
    stopped_at INTEGER
) STRICT;

CREATE INDEX live_streams_of_a_room ON live_streams (room_id, seq);
-- A room has at most one live stream that goes on; what decides so is in rooms/live_stream.rs, this makes a mistake there loud.
CREATE UNIQUE INDEX one_live_stream_per_room ON live_streams (room_id) WHERE status IN ('starting', 'running');
