#![allow(clippy::disallowed_methods)] // IO: the admin listener.
//! The admin listener: `/livez`, `/readyz`, `/metrics` (Prometheus' text format) and `/trace/<stream>`. Bound to loopback unless told otherwise; it has no
//! authentication.

use crate::live::{Live, StreamReport};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use footlight_packager::stages::Stage as Row;
use footlight_stage::driver::{SessionStats, Stage};
use footlight_stage::session::TrackStats;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use std::fmt::Write as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Shares of a stage's durations that are exported, as Prometheus' `quantile` labels.
const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99)];

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    recorder: PrometheusHandle,
    live: Option<Live>,
    stage: Option<Stage>,
    shutdown: CancellationToken,
}

/// Installs the process's metrics recorder. Once, from main.
pub fn install() -> Option<PrometheusHandle> {
    PrometheusBuilder::new().install_recorder().ok()
}

impl Admin {
    /// `live` and `stage` where this process has them; `shutdown` turns `/readyz` to 503.
    pub const fn new(
        recorder: PrometheusHandle,
        live: Option<Live>,
        stage: Option<Stage>,
        shutdown: CancellationToken,
    ) -> Self {
        Self { recorder, live, stage, shutdown }
    }

    /// Serves until `shutdown`.
    pub async fn run(self, listener: TcpListener, shutdown: CancellationToken) {
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(scrape))
            .route("/trace/{stream}", get(trace))
            .with_state(self);
        let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin listener ended");
        }
    }
}

async fn ready(State(admin): State<Admin>) -> Response {
    if admin.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    "ok\n".into_response()
}

async fn scrape(State(admin): State<Admin>) -> Response {
    let mut text = admin.recorder.render();
    if let Some(live) = &admin.live {
        render_streams(&mut text, &live.reports().await);
    }
    if let Some(stage) = &admin.stage {
        render_publishers(&mut text, &stage.stats().await);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// One frame's way through a stream: when it passed each stage, and how long each took.
async fn trace(State(admin): State<Admin>, Path(stream): Path<String>) -> Response {
    let reports = match &admin.live {
        Some(live) => live.reports().await,
        None => Vec::new(),
    };
    // A room's id will do: it has one running stream.
    let Some(found) = reports.iter().find(|r| r.stream == stream || r.room == stream) else {
        let running: Vec<_> = reports.iter().map(|r| json!({"stream": r.stream, "room": r.room})).collect();
        let problem = json!({
            "title": "no such stream",
            "detail": format!("{stream:?} is neither a running stream's id nor its room's"),
            "running": running,
        });
        return (StatusCode::NOT_FOUND, Json(problem)).into_response();
    };
    Json(render_trace(found)).into_response()
}

/// The journey of the newest frame that went all the way, with the share of each stage over the stream's life beside it.
pub fn render_trace(found: &StreamReport) -> Value {
    let ms = |us: i64| us as f64 / 1_000.0;
    let rows: Vec<Value> = found
        .report
        .stages
        .iter()
        .map(|(row, histogram)| {
            let this = found.report.journey.as_ref().and_then(|j| j.durations().into_iter().find(|(r, _)| r == row));
            let p = |q| ms(histogram.quantile_us(q).cast_signed());
            json!({"stage": row.name(), "this_frame_ms": this.map(|(_, us)| ms(us)), "p50_ms": p(0.5), "p95_ms": p(0.95)})
        })
        .collect();
    let tick = found.report.journey.as_ref().map(|j| j.stamps.tick);
    json!({"stream": found.stream, "room": found.room, "tick": tick, "stages": rows})
}

fn render_streams(text: &mut String, reports: &[StreamReport]) {
    let mut family = |name: &str, kind: &str, rows: &dyn Fn(&StreamReport) -> Vec<(String, f64)>| {
        let _infallible = writeln!(text, "# TYPE {name} {kind}");
        for report in reports {
            for (labels, value) in rows(report) {
                let (stream, room) = (&report.stream, &report.room);
                let _infallible = writeln!(text, "{name}{{stream=\"{stream}\",room=\"{room}\"{labels}}} {value}");
            }
        }
    };
    let one = |value: u64| vec![(String::new(), value as f64)];
    family("footlight_stream_packager_starts_total", "counter", &|r| one(u64::from(r.starts)));
    family("footlight_stream_ticks_total", "counter", &|r| one(r.report.ticks));
    family("footlight_stream_late_ticks_total", "counter", &|r| one(r.report.late_ticks));
    family("footlight_stream_rung_skipped_ticks_total", "counter", &|r| one(r.report.skipped_by_rungs));
    family("footlight_stream_decoded_frames_total", "counter", &|r| one(r.report.decoded_frames));
    family("footlight_stream_dropped_frames_total", "counter", &|r| one(r.report.dropped_frames));
    family("footlight_stream_undecodable_frames_total", "counter", &|r| one(r.report.undecodable_frames));
    family("footlight_stream_unshown_pictures_total", "counter", &|r| one(r.report.unshown_pictures));
    family("footlight_stream_late_audio_samples_total", "counter", &|r| one(r.report.late_samples));
    family("footlight_stream_cpu_seconds_total", "counter", &|r| {
        let cpu = r.report.cpu_us.iter();
        cpu.map(|(thread, us)| (format!(",thread=\"{thread}\""), *us as f64 / 1e6)).collect()
    });
    family("footlight_stream_stage_seconds", "summary", &|r| {
        let rows = r.report.stages.iter();
        rows.flat_map(|(row, h)| QUANTILES.map(|(label, q)| (stage_label(*row, label), h.quantile_us(q) as f64 / 1e6)))
            .collect()
    });
    family("footlight_stream_stage_seconds_sum", "counter", &|r| {
        let rows = r.report.stages.iter();
        rows.map(|(row, h)| (format!(",stage=\"{}\"", row.name()), h.sum_us() as f64 / 1e6)).collect()
    });
    family("footlight_stream_stage_seconds_count", "counter", &|r| {
        let rows = r.report.stages.iter();
        rows.map(|(row, h)| (format!(",stage=\"{}\"", row.name()), h.total() as f64)).collect()
    });
}

/// What each publisher sends, by track.
fn render_publishers(text: &mut String, sessions: &[SessionStats]) {
    let _infallible = writeln!(text, "# TYPE footlight_publishers gauge\nfootlight_publishers {}", sessions.len());
    let mut family = |name: &str, kind: &str, value: &dyn Fn(&TrackStats) -> f64| {
        let _infallible = writeln!(text, "# TYPE {name} {kind}");
        for session in sessions {
            for track in &session.tracks {
                let (room, peer, codec) = (&session.room, label_value(&session.peer.0), track.codec.encoding_name());
                let value = value(track);
                let _infallible = writeln!(text, "{name}{{room=\"{room}\",peer=\"{peer}\",codec=\"{codec}\"}} {value}");
            }
        }
    };
    family("footlight_track_packets_total", "counter", &|t| t.packets as f64);
    family("footlight_track_bytes_total", "counter", &|t| t.bytes as f64);
    family("footlight_track_frames_total", "counter", &|t| t.assembler.assembled as f64);
    family("footlight_track_key_frames_total", "counter", &|t| t.assembler.key_frames as f64);
    family("footlight_track_refused_frames_total", "counter", &|t| t.assembler.frames_refused as f64);
    family("footlight_track_lost_packets_total", "counter", &|t| t.assembler.packets_lost as f64);
    family("footlight_track_nacked_packets_total", "counter", &|t| t.nacked as f64);
    family("footlight_track_retransmissions_total", "counter", &|t| t.retransmissions as f64);
    family("footlight_track_key_frame_requests_total", "counter", &|t| t.plis as f64);
    family("footlight_track_foreign_packets_total", "counter", &|t| t.foreign_packets as f64);
    family("footlight_track_jitter_seconds", "gauge", &|t| t.jitter.as_secs_f64());
}

/// A label's value in Prometheus' text format: a peer's name is a stranger's words.
fn label_value(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn stage_label(row: Row, quantile: &str) -> String {
    format!(",stage=\"{}\",quantile=\"{quantile}\"", row.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_label() {
        assert_eq!(label_value("plain"), "plain");
        assert_eq!(label_value("a\"} 1\nfake 2\\"), r#"a\"} 1\nfake 2\\"#);
    }
}
