//! What is asked of the catalog.

use super::{CatalogError, Reader};
use crate::rooms::date::Timestamp;
use crate::rooms::live_stream::{LiveStream, Status};
use crate::rooms::room::Room;
use crate::rooms::room_code::RoomCode;
use crate::rooms::template::Template;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::collections::HashMap;

/// One page of a list, newest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Page {
    pub(crate) limit: u32,
    /// The id that ended the page before.
    pub(crate) start: Option<String>,
}

/// Which rooms.
#[derive(Debug, Clone, Default)]
pub(crate) struct RoomFilter {
    pub(crate) enabled: Option<bool>,
    pub(crate) name: Option<String>,
    pub(crate) template_id: Option<String>,
}

/// Which codes of a room.
#[derive(Debug, Clone, Default)]
pub(crate) struct CodeFilter {
    pub(crate) enabled: Option<bool>,
    pub(crate) role: Option<String>,
}

/// Which live streams.
#[derive(Debug, Clone, Default)]
pub(crate) struct StreamFilter {
    pub(crate) room_id: Option<String>,
    pub(crate) session_id: Option<String>,
    pub(crate) status: Option<Status>,
}

impl Reader {
    pub(crate) async fn room(&self, id: &str) -> Result<Option<Room>, CatalogError> {
        let row = sqlx::query("SELECT * FROM rooms WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(room).transpose()
    }

    pub(crate) async fn room_named(&self, name: &str) -> Result<Option<Room>, CatalogError> {
        let row = sqlx::query("SELECT * FROM rooms WHERE name = ?").bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(room).transpose()
    }

    /// A page of rooms; none where nothing has the id that it is to start after.
    pub(crate) async fn rooms(&self, filter: RoomFilter, page: &Page) -> Result<Option<Vec<Room>>, CatalogError> {
        const SQL: &str = "SELECT * FROM rooms WHERE seq < ? AND (?2 IS NULL OR enabled = ?2)
            AND (?3 IS NULL OR name = ?3) AND (?4 IS NULL OR template_id = ?4) ORDER BY seq DESC LIMIT ?5";
        let Some(before) = self.before("SELECT seq FROM rooms WHERE id = ?", page).await? else { return Ok(None) };
        let query = sqlx::query(SQL).bind(before).bind(filter.enabled).bind(filter.name).bind(filter.template_id);
        let rows = query.bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(room).collect::<Result<_, _>>().map(Some)
    }

    pub(crate) async fn template(&self, id: &str) -> Result<Option<Template>, CatalogError> {
        let row = sqlx::query("SELECT * FROM templates WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(template).transpose()
    }

    pub(crate) async fn template_named(&self, name: &str) -> Result<Option<Template>, CatalogError> {
        let row = sqlx::query("SELECT * FROM templates WHERE name = ?").bind(name).fetch_optional(&self.pool).await?;
        row.as_ref().map(template).transpose()
    }

    /// A page of templates.
    pub(crate) async fn templates(&self, page: &Page) -> Result<Option<Vec<Template>>, CatalogError> {
        const SQL: &str = "SELECT * FROM templates WHERE seq < ? ORDER BY seq DESC LIMIT ?";
        let Some(before) = self.before("SELECT seq FROM templates WHERE id = ?", page).await? else { return Ok(None) };
        let rows = sqlx::query(SQL).bind(before).bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(template).collect::<Result<_, _>>().map(Some)
    }

    pub(crate) async fn template_count(&self) -> Result<u64, CatalogError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM templates").fetch_one(&self.pool).await?;
        Ok(count.try_into().unwrap_or(0))
    }

    /// The names of all templates, by id. The owner bounds their number.
    pub(crate) async fn template_names(&self) -> Result<HashMap<String, String>, CatalogError> {
        let rows = sqlx::query("SELECT id, name FROM templates").fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get("id")?, row.try_get("name")?))).collect()
    }

    pub(crate) async fn code(&self, code: &str) -> Result<Option<RoomCode>, CatalogError> {
        let row = sqlx::query("SELECT * FROM room_codes WHERE code = ?").bind(code).fetch_optional(&self.pool).await?;
        row.as_ref().map(room_code).transpose()
    }

    /// All codes of a room, by role. A template's roles bound their number.
    pub(crate) async fn codes_of(&self, room_id: &str) -> Result<Vec<RoomCode>, CatalogError> {
        const SQL: &str = "SELECT * FROM room_codes WHERE room_id = ? ORDER BY role";
        sqlx::query(SQL).bind(room_id).fetch_all(&self.pool).await?.iter().map(room_code).collect()
    }

    /// A page of a room's codes.
    pub(crate) async fn codes(
        &self,
        room_id: &str,
        filter: CodeFilter,
        page: &Page,
    ) -> Result<Option<Vec<RoomCode>>, CatalogError> {
        const SQL: &str = "SELECT * FROM room_codes WHERE seq < ? AND room_id = ?2
            AND (?3 IS NULL OR enabled = ?3) AND (?4 IS NULL OR role = ?4) ORDER BY seq DESC LIMIT ?5";
        let Some(before) = self.before("SELECT seq FROM room_codes WHERE code = ?", page).await? else {
            return Ok(None);
        };
        let query = sqlx::query(SQL).bind(before).bind(room_id).bind(filter.enabled).bind(filter.role);
        let rows = query.bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(room_code).collect::<Result<_, _>>().map(Some)
    }

    pub(crate) async fn stream(&self, id: &str) -> Result<Option<LiveStream>, CatalogError> {
        let row = sqlx::query("SELECT * FROM live_streams WHERE id = ?").bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(live_stream).transpose()
    }

    /// A page of live streams.
    pub(crate) async fn streams(
        &self,
        filter: StreamFilter,
        page: &Page,
    ) -> Result<Option<Vec<LiveStream>>, CatalogError> {
        const SQL: &str = "SELECT * FROM live_streams WHERE seq < ? AND (?2 IS NULL OR room_id = ?2)
            AND (?3 IS NULL OR session_id = ?3) AND (?4 IS NULL OR status = ?4) ORDER BY seq DESC LIMIT ?5";
        let Some(before) = self.before("SELECT seq FROM live_streams WHERE id = ?", page).await? else {
            return Ok(None);
        };
        let query = sqlx::query(SQL).bind(before).bind(filter.room_id).bind(filter.session_id);
        let rows = query.bind(filter.status.map(Status::as_str)).bind(page.limit).fetch_all(&self.pool).await?;
        rows.iter().map(live_stream).collect::<Result<_, _>>().map(Some)
    }

    /// The stream that goes on in a room.
    pub(crate) async fn active_stream(&self, room_id: &str) -> Result<Option<LiveStream>, CatalogError> {
        const SQL: &str = "SELECT * FROM live_streams WHERE room_id = ? AND status IN ('starting', 'running')";
        let row = sqlx::query(SQL).bind(room_id).fetch_optional(&self.pool).await?;
        row.as_ref().map(live_stream).transpose()
    }

    /// Every stream that is not over. What this machine can encode bounds their number.
    pub(crate) async fn unfinished_streams(&self) -> Result<Vec<LiveStream>, CatalogError> {
        const SQL: &str = "SELECT * FROM live_streams WHERE status IN ('starting', 'running', 'stopping') ORDER BY seq";
        sqlx::query(SQL).fetch_all(&self.pool).await?.iter().map(live_stream).collect()
    }

    /// The place in the list that a page ends before: beyond the newest where it is the first page.
    async fn before(&self, sql: &'static str, page: &Page) -> Result<Option<i64>, CatalogError> {
        match &page.start {
            None => Ok(Some(i64::MAX)),
            Some(start) => Ok(sqlx::query_scalar(sql).bind(start).fetch_optional(&self.pool).await?),
        }
    }
}

fn room(row: &SqliteRow) -> Result<Room, CatalogError> {
    Ok(Room {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        enabled: row.try_get("enabled")?,
        template_id: row.try_get("template_id")?,
        settings: json(row, "settings")?,
        created_at: timestamp(row, "created_at")?,
        updated_at: timestamp(row, "updated_at")?,
    })
}

fn template(row: &SqliteRow) -> Result<Template, CatalogError> {
    Ok(Template::new(row.try_get("id")?, row.try_get("name")?, json(row, "destinations")?))
}

fn room_code(row: &SqliteRow) -> Result<RoomCode, CatalogError> {
    Ok(RoomCode {
        code: row.try_get("code")?,
        room_id: row.try_get("room_id")?,
        role: row.try_get("role")?,
        enabled: row.try_get("enabled")?,
        created_at: timestamp(row, "created_at")?,
        updated_at: timestamp(row, "updated_at")?,
    })
}

fn live_stream(row: &SqliteRow) -> Result<LiveStream, CatalogError> {
    let status: String = row.try_get("status")?;
    Ok(LiveStream {
        id: row.try_get("id")?,
        room_id: row.try_get("room_id")?,
        session_id: row.try_get("session_id")?,
        status: Status::parse(&status).ok_or(CatalogError::Row { what: "a status", value: status })?,
        request: json(row, "request")?,
        started_by: row.try_get("started_by")?,
        stopped_by: row.try_get("stopped_by")?,
        error: row.try_get("error")?,
        created_at: timestamp(row, "created_at")?,
        started_at: maybe_timestamp(row, "started_at")?,
        updated_at: timestamp(row, "updated_at")?,
        stopped_at: maybe_timestamp(row, "stopped_at")?,
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, CatalogError> {
    let text: String = row.try_get(column)?;
    // What it holds may be a secret; the place of the mistake is none.
    serde_json::from_str(&text).map_err(|e| CatalogError::Row { what: column, value: format!("column {}", e.column()) })
}

fn timestamp(row: &SqliteRow, column: &'static str) -> Result<Timestamp, CatalogError> {
    let ms: i64 = row.try_get(column)?;
    Ok(Timestamp(ms.try_into().unwrap_or(0)))
}

fn maybe_timestamp(row: &SqliteRow, column: &'static str) -> Result<Option<Timestamp>, CatalogError> {
    let ms: Option<i64> = row.try_get(column)?;
    Ok(ms.map(|ms| Timestamp(ms.try_into().unwrap_or(0))))
}
