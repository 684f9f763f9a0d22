#![allow(clippy::disallowed_methods)] // IO: files of the data directory, and SQLite.
//! The catalog: rooms, templates, codes and live streams in SQLite, `catalog.db` in the data directory. One writer, who is the owner's; readers
//! beside it see what is committed.

mod read;

pub(crate) use read::{CodeFilter, Page, RoomFilter, StreamFilter};

use crate::rooms::live_stream::LiveStream;
use crate::rooms::room::Room;
use crate::rooms::room_code::RoomCode;
use crate::rooms::template::Template;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FILE: &str = "catalog.db";
const LOCK_FILE: &str = "catalog.lock";
/// What is in it, webhook headers and bucket credentials among it, is nobody else's business.
const MODE: u32 = 0o600;
/// SQLite reads in some 20 us; more connections than this wait for the disk, not for each other.
const READERS: u32 = 4;
/// A reader that gets no connection for so long sits behind a disk that does not answer.
const READER_WAIT: Duration = Duration::from_secs(5);
/// WAL readers and the writer do not wait for each other; a checkpoint or a backup tool may hold the file for a moment.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// SQLite's result code for a disk without room (sqlite.org/rescode.html).
const SQLITE_FULL: &str = "13";

/// Why the catalog did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// A file cannot be made or opened. The operator's to mend.
    #[error("{}: {cause}; give a data directory that this user may write to (data_dir, --data-dir)", path.display())]
    File {
        /// The file, or the directory.
        path: PathBuf,
        /// The system's words.
        cause: io::Error,
    },
    /// Two processes would mark each other's streams as failed. The operator's to mend.
    #[error("{}: another footlight has this data directory open; stop it, or give this one another (data_dir, --data-dir)", path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// The file is not a catalog of this version. The operator's to mend.
    #[error("{}: cannot be opened as a catalog: {cause}; restore it from a backup, or run the version that wrote it", path.display())]
    NotACatalog {
        /// The file.
        path: PathBuf,
        /// SQLite's words, or the migration's.
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There is no room for what was to be kept; nothing was changed. The operator's to mend.
    #[error(
        "the disk of the data directory is full: {0}; free some space, or move the directory (data_dir, --data-dir)"
    )]
    Full(#[source] sqlx::Error),
    /// A statement failed. Worth trying again.
    #[error("the catalog did not answer: {0}")]
    Statement(#[source] sqlx::Error),
    /// A row does not say what was written. Ours; no use in trying again.
    #[error("the catalog holds {what} that cannot be read: {value}")]
    Row {
        /// The column.
        what: &'static str,
        /// What it holds.
        value: String,
    },
}

impl From<sqlx::Error> for CatalogError {
    fn from(error: sqlx::Error) -> Self {
        let full = error.as_database_error().and_then(|e| e.code()).is_some_and(|code| code == SQLITE_FULL);
        if full { Self::Full(error) } else { Self::Statement(error) }
    }
}

/// What is kept, whole: written where its id is new, replaced where it is not.
#[derive(Debug, Clone)]
pub(crate) enum Record {
    Room(Room),
    Code(RoomCode),
    Stream(LiveStream),
    Template(Template),
}

/// Reads what is committed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    pool: SqlitePool,
}

/// The one who writes.
#[derive(Debug)]
pub(crate) struct Writer {
    connection: SqliteConnection,
    /// Held for as long as this process may write.
    _lock: File,
}

/// Opens the catalog of `data_dir`, made at the first start and brought to this version.
pub(crate) async fn open(data_dir: &Path) -> Result<(Writer, Reader), CatalogError> {
    let in_file = |path: &Path| {
        let path = path.to_owned();
        move |cause| CatalogError::File { path, cause }
    };
    std::fs::create_dir_all(data_dir).map_err(in_file(data_dir))?;
    let lock = lock(&data_dir.join(LOCK_FILE))?;
    let path = data_dir.join(FILE);
    // SQLite would make it by the umask; the log files beside it take its mode.
    OpenOptions::new().create(true).append(true).mode(MODE).open(&path).map_err(in_file(&path))?;

    let not_a_catalog = |cause| CatalogError::NotACatalog { path: path.clone(), cause };
    let options = SqliteConnectOptions::new().filename(&path).busy_timeout(BUSY_WAIT).foreign_keys(true);
    let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let mut connection = writing.connect().await.map_err(|e| not_a_catalog(e.into()))?;
    sqlx::migrate!("./migrations").run(&mut connection).await.map_err(|e| not_a_catalog(e.into()))?;
    let pool = SqlitePoolOptions::new().max_connections(READERS).acquire_timeout(READER_WAIT);
    let pool = pool.connect_with(options.read_only(true)).await.map_err(|e| not_a_catalog(e.into()))?;
    Ok((Writer { connection, _lock: lock }, Reader { pool }))
}

fn lock(path: &Path) -> Result<File, CatalogError> {
    let failed = |cause| CatalogError::File { path: path.to_owned(), cause };
    let file = OpenOptions::new().create(true).append(true).mode(MODE).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CatalogError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

impl Writer {
    /// Keeps all of `records` or, where it fails, none. They are on the disk when this returns.
    pub(crate) async fn put(&mut self, records: &[Record]) -> Result<(), CatalogError> {
        let mut transaction = self.connection.begin().await?;
        for record in records {
            match record {
                Record::Room(room) => put_room(&mut transaction, room).await?,
                Record::Code(code) => put_code(&mut transaction, code).await?,
                Record::Stream(stream) => put_stream(&mut transaction, stream).await?,
                Record::Template(template) => put_template(&mut transaction, template).await?,
            }
        }
        Ok(transaction.commit().await?)
    }
}

async fn put_room(connection: &mut SqliteConnection, room: &Room) -> Result<(), CatalogError> {
    const SQL: &str = "INSERT INTO rooms (id, name, enabled, template_id, settings, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT (id) DO UPDATE SET name = ?2, enabled = ?3, template_id = ?4, settings = ?5, updated_at = ?7";
    let settings = serde_json::to_string(&room.settings).expect("settings are plain JSON");
    let query = sqlx::query(SQL).bind(&room.id).bind(&room.name).bind(room.enabled).bind(&room.template_id);
    query.bind(settings).bind(ms(room.created_at.0)).bind(ms(room.updated_at.0)).execute(connection).await?;
    Ok(())
}

async fn put_code(connection: &mut SqliteConnection, code: &RoomCode) -> Result<(), CatalogError> {
    const SQL: &str = "INSERT INTO room_codes (code, room_id, role, enabled, created_at, updated_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        ON CONFLICT (code) DO UPDATE SET enabled = ?4, updated_at = ?6";
    let query = sqlx::query(SQL).bind(&code.code).bind(&code.room_id).bind(&code.role).bind(code.enabled);
    query.bind(ms(code.created_at.0)).bind(ms(code.updated_at.0)).execute(connection).await?;
    Ok(())
}

async fn put_stream(connection: &mut SqliteConnection, stream: &LiveStream) -> Result<(), CatalogError> {
    const SQL: &str =
        "INSERT INTO live_streams (id, room_id, session_id, status, request, started_by, stopped_by, error,
            created_at, started_at, updated_at, stopped_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
        ON CONFLICT (id) DO UPDATE SET status = ?4, stopped_by = ?7, error = ?8, started_at = ?10, updated_at = ?11,
            stopped_at = ?12";
    let request = serde_json::to_string(&stream.request).expect("a request is plain JSON");
    let query = sqlx::query(SQL).bind(&stream.id).bind(&stream.room_id).bind(&stream.session_id);
    let query = query.bind(stream.status.as_str()).bind(request).bind(&stream.started_by).bind(&stream.stopped_by);
    let query = query.bind(&stream.error).bind(ms(stream.created_at.0)).bind(stream.started_at.map(|t| ms(t.0)));
    query.bind(ms(stream.updated_at.0)).bind(stream.stopped_at.map(|t| ms(t.0))).execute(connection).await?;
    Ok(())
}

async fn put_template(connection: &mut SqliteConnection, template: &Template) -> Result<(), CatalogError> {
    const SQL: &str = "INSERT INTO templates (id, name, destinations) VALUES (?1, ?2, ?3)
        ON CONFLICT (id) DO UPDATE SET name = ?2, destinations = ?3";
    let destinations = serde_json::to_string(&template.destinations).expect("destinations are plain JSON");
    sqlx::query(SQL).bind(&template.id).bind(&template.name).bind(destinations).execute(connection).await?;
    Ok(())
}

/// SQLite's integers are signed. 2^63 ms are 292 million years.
fn ms(timestamp: u64) -> i64 {
    i64::try_from(timestamp).unwrap_or(i64::MAX)
}
