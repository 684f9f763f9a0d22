-- A template's roles are built in; what it says of live streams is kept as it came, as JSON.
CREATE TABLE templates (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    -- Creating a template by an existing name replaces it.
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    destinations TEXT NOT NULL
) STRICT;

-- The one that rooms have had so far, and have where they name none.
INSERT INTO templates (id, name, destinations) VALUES ('666f6f746c69676874000001', 'live-streaming', '{}');
