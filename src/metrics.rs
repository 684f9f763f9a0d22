#![allow(clippy::disallowed_methods)] // IO: the admin listener.
//! The admin listener: `/livez`, `/readyz`, `/metrics` (Prometheus' text format) and `/trace/<stream>`. Bound to loopback unless told otherwise; it has no
//! authentication.

use crate::desk::{Desk, RoomReport};
use crate::live::{Live, StreamReport};
use crate::words;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use footlight_control::TrackState;
use footlight_packager::stages::{Histogram, Stage as Row};
use footlight_stage::driver::{SessionStats, Stage};
use footlight_stage::track::TrackStats;
use metrics::{describe_counter, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Shares of a stage's durations that are exported, as Prometheus' `quantile` labels.
const QUANTILES: [(&str, f64); 3] = [("0.5", 0.5), ("0.95", 0.95), ("0.99", 0.99)];

/// Threads of a stream's packager that are exported: those of its rungs and a handful more. Its report is the child's word, and the child may be
/// anybody's by now.
const THREADS: usize = 32;
/// Characters of a label's value: more than any name of ours.
const LABEL_CHARS: usize = 128;

/// What the admin listener answers from.
#[derive(Clone)]
pub struct Admin {
    recorder: PrometheusHandle,
    on_air: Option<OnAir>,
    shutdown: CancellationToken,
}

/// What makes live streams in this process.
#[derive(Clone)]
pub struct OnAir {
    /// The streams.
    pub live: Live,
    /// Who is on stage.
    pub stage: Stage,
    /// How both are.
    pub desk: Desk,
}

/// Installs the process's metrics recorder. Once, from main.
pub fn install() -> Option<PrometheusHandle> {
    let handle = PrometheusBuilder::new().install_recorder().ok()?;
    describe_counter!("footlight_edge_answers_total", "Answers to viewers, by where they came from.");
    describe_counter!("footlight_edge_connections_refused_total", "Connections refused by a limit.");
    describe_counter!("footlight_origin_changes_total", "PUTs and DELETEs of packagers by outcome.");
    describe_counter!("footlight_origin_fetches_total", "Answers to edges and viewers by outcome.");
    describe_histogram!("footlight_stage_frame_assembly_seconds", "From a frame's first packet to the whole frame.");
    describe_counter!("footlight_stage_frames_total", "Frames put together by all sessions.");
    describe_counter!("footlight_stage_sessions_ended_total", "WHIP sessions that ended, by reason.");
    describe_counter!("footlight_stage_subscriber_frames_dropped_total", "Frames that a subscriber was too slow for.");
    Some(handle)
}

impl Admin {
    /// `on_air` where this process makes live streams; `shutdown` turns `/readyz` to 503.
    pub const fn new(recorder: PrometheusHandle, on_air: Option<OnAir>, shutdown: CancellationToken) -> Self {
        Self { recorder, on_air, shutdown }
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
    render_process(&mut text);
    if let Some(OnAir { live, stage, desk }) = &admin.on_air {
        render_streams(&mut text, &live.reports().await);
        render_publishers(&mut text, &stage.stats().await);
        render_rooms(&mut text, &desk.rooms().await);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// One frame's way through a stream: when it passed each stage, and how long each took.
async fn trace(State(admin): State<Admin>, Path(stream): Path<String>) -> Response {
    let reports = match &admin.on_air {
        Some(on_air) => on_air.live.reports().await,
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

/// The head of a family in Prometheus' text format.
fn write_head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _infallible = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// What grows without end where something is not let go of.
fn render_process(text: &mut String) {
    let name = "footlight_tasks";
    write_head(text, name, "gauge", "Tasks of the process that have not ended, a few for each session and connection.");
    let _infallible = writeln!(text, "{name} {}", tokio::runtime::Handle::current().metrics().num_alive_tasks());
}

/// One number of a stream: what follows the family's name, labels beside the stream's own, and the value.
type Sample = (&'static str, String, f64);

fn render_streams(text: &mut String, reports: &[StreamReport]) {
    let mut family = |name: &str, kind: &str, help: &str, samples: &dyn Fn(&StreamReport) -> Vec<Sample>| {
        write_head(text, name, kind, help);
        for report in reports {
            for (suffix, labels, value) in samples(report) {
                let (stream, room) = (&report.stream, &report.room);
                let _infallible =
                    writeln!(text, "{name}{suffix}{{stream=\"{stream}\",room=\"{room}\"{labels}}} {value}");
            }
        }
    };
    family("footlight_stream_cpu_seconds_total", "counter", "CPU time of the packager by thread.", &|r| {
        // A name that comes twice would be one row twice, which makes the whole page unreadable.
        let cpu: BTreeMap<_, _> =
            r.report.cpu_us.iter().take(THREADS).map(|(name, us)| (label_value(name), *us)).collect();
        cpu.iter().map(|(thread, us)| ("", format!(",thread=\"{thread}\""), *us as f64 / 1e6)).collect()
    });
    family("footlight_stream_stage_seconds", "summary", "How long each stage of a frame's way took.", &|r| {
        stages(r).flat_map(|(row, histogram)| stage_samples(*row, histogram)).collect()
    });
    family(
        "footlight_stream_rung_skipped_ticks_total",
        "counter",
        "Pictures that a rung left out, for want of CPU.",
        &|r| {
            let rungs: BTreeMap<_, _> =
                r.report.skipped_by_rungs.iter().map(|(rung, count)| (label_value(rung), *count)).collect();
            rungs.iter().map(|(rung, count)| ("", format!(",rung=\"{rung}\""), *count as f64)).collect()
        },
    );
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&StreamReport) -> u64| {
        family(name, "counter", help, &|r| vec![("", String::new(), value(r) as f64)]);
    };
    counter("footlight_stream_packager_starts_total", "Packagers begun, the first among them.", &|r| r.starts.into());
    counter("footlight_stream_ticks_total", "Pictures that were due.", &|r| r.report.ticks);
    counter("footlight_stream_late_ticks_total", "Pictures not drawn, for want of time.", &|r| r.report.late_ticks);
    counter(
        "footlight_stream_rung_repeated_ticks_total",
        "Pictures that stood still and were not encoded again.",
        &|r| r.report.repeated_by_rungs,
    );
    counter("footlight_stream_decoded_frames_total", "Video frames decoded.", &|r| r.report.decoded_frames);
    counter("footlight_stream_dropped_frames_total", "Frames dropped before a decoder had them.", &|r| {
        r.report.dropped_frames
    });
    counter("footlight_stream_undecodable_frames_total", "Frames that a decoder refused.", &|r| {
        r.report.undecodable_frames
    });
    counter(
        "footlight_stream_unshown_pictures_total",
        "Decoded pictures that no tick showed: more than one came for it.",
        &|r| r.report.unshown_pictures,
    );
    counter("footlight_stream_late_audio_samples_total", "Samples that came too late to be heard.", &|r| {
        r.report.late_samples
    });
}

/// What each publisher sends, by track.
fn render_publishers(text: &mut String, sessions: &[SessionStats]) {
    write_head(text, "footlight_publishers", "gauge", "WHIP sessions, those that send nothing among them.");
    let _infallible = writeln!(text, "footlight_publishers {}", sessions.len());
    let mut family = |name: &str, kind: &str, help: &str, value: &dyn Fn(&TrackStats) -> f64| {
        write_head(text, name, kind, help);
        for session in sessions {
            for track in &session.tracks {
                let (room, peer) = (&session.room, label_value(&session.from.peer.0));
                let (source, codec) = (word(words::source(session.from.source)), track.codec.encoding_name());
                let labels = format!("room=\"{room}\",peer=\"{peer}\",source=\"{source}\",codec=\"{codec}\"");
                let _infallible = writeln!(text, "{name}{{{labels}}} {}", value(track));
            }
        }
    };
    family(
        "footlight_track_height_pixels",
        "gauge",
        "Rows of the picture that is taken: of a simulcast, its layer's.",
        &|t| t.size.map_or(0.0, |size| size.height.into()),
    );
    family("footlight_track_jitter_seconds", "gauge", "Interarrival jitter (RFC 3550).", &|t| t.jitter.as_secs_f64());
    let mut counter = |name: &str, help: &str, value: &dyn Fn(&TrackStats) -> u64| {
        family(name, "counter", help, &|t| value(t) as f64)
    };
    counter("footlight_track_packets_total", "RTP packets, retransmissions among them.", &|t| t.packets);
    counter("footlight_track_bytes_total", "Payload of those packets.", &|t| t.bytes);
    counter("footlight_track_frames_total", "Frames put together.", &|t| t.assembler.assembled);
    counter("footlight_track_key_frames_total", "Key frames among them.", &|t| t.assembler.key_frames);
    counter("footlight_track_refused_frames_total", "Frames that broke a rule or a limit.", &|t| {
        t.assembler.frames_refused
    });
    counter("footlight_track_lost_packets_total", "Packets waited for in vain.", &|t| t.assembler.packets_lost);
    counter("footlight_track_nacked_packets_total", "Packets asked for again.", &|t| t.nacked);
    counter("footlight_track_retransmissions_total", "Packets sent again.", &|t| t.retransmissions);
    counter("footlight_track_key_frame_requests_total", "Key frames asked for.", &|t| t.plis);
    counter("footlight_track_foreign_packets_total", "Packets of an SSRC that is not the track's.", &|t| {
        t.foreign_packets
    });
}

/// How rooms are: what is well has a 0, so that what is not can be told from what is not there.
fn render_rooms(text: &mut String, rooms: &[RoomReport]) {
    const NAMES: [(&str, &str); 4] = [
        (
            "footlight_track_trouble",
            "Whether what a peer sends is missing, black, frozen or silent; the state says which.",
        ),
        ("footlight_track_loss_ratio", "Share of packets lost on the way in the last seconds; most were sent again."),
        ("footlight_track_round_trip_seconds", "From a packet to its answer, where the client answers (RFC 3611)."),
        ("footlight_track_key_frame_age_seconds", "Since the last key frame."),
    ];
    for (name, help) in NAMES {
        write_head(text, name, "gauge", help);
        for (room, peer) in rooms.iter().flat_map(|of| of.peers.iter().map(|peer| (&of.room, peer))) {
            for track in peer.tracks.values() {
                let (user, kind, source) = (label_value(&peer.user_id), word(track.kind), word(track.source));
                let (state, value) = match name {
                    "footlight_track_trouble" => {
                        // Who is muted has muted themselves.
                        let well = matches!(track.state, TrackState::Ok | TrackState::Muted);
                        let trouble = f64::from(u8::from(!well));
                        (format!(",state=\"{}\"", word(track.state)), Some(trouble))
                    }
                    "footlight_track_loss_ratio" => (String::new(), track.loss),
                    "footlight_track_round_trip_seconds" => (String::new(), track.round_trip_ms.map(|ms| ms / 1e3)),
                    _ => (String::new(), track.key_frame_age_ms.map(|ms| ms as f64 / 1e3)),
                };
                let labels = format!("room=\"{room}\",peer=\"{user}\",type=\"{kind}\",source=\"{source}\"{state}");
                if let Some(value) = value {
                    let _infallible = writeln!(text, "{name}{{{labels}}} {value}");
                }
            }
        }
    }
    let name = "footlight_programme_trouble";
    write_head(text, name, "gauge", "Whether a programme is black, frozen or silent; the state says which.");
    for (room, (kind, state)) in rooms.iter().flat_map(|of| of.programme.iter().map(|programme| (&of.room, programme)))
    {
        let (kind, value) = (word(kind), u8::from(*state != TrackState::Ok));
        let state = word(state);
        let _infallible = writeln!(text, "{name}{{room=\"{room}\",type=\"{kind}\",state=\"{state}\"}} {value}");
    }
}

/// As the API says it.
fn word(of: impl serde::Serialize) -> String {
    serde_json::to_value(of).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Each stage once, whatever the child's report has.
fn stages(report: &StreamReport) -> impl Iterator<Item = (&Row, &Histogram)> {
    let reported = &report.report.stages;
    let rows = Row::ALL.iter().filter_map(|row| reported.iter().find(|(of, _)| of == row));
    rows.map(|(row, histogram)| (row, histogram))
}

/// A label's value in Prometheus' text format: a peer's name and what a child process says are strangers' words.
fn label_value(text: &str) -> String {
    let text: String = text.chars().take(LABEL_CHARS).collect();
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

fn stage_samples(row: Row, histogram: &Histogram) -> Vec<Sample> {
    let label = format!(",stage=\"{}\"", row.name());
    let quantile = |(quantile, share): (&str, f64)| {
        ("", format!("{label},quantile=\"{quantile}\""), histogram.quantile_us(share) as f64 / 1e6)
    };
    let mut samples: Vec<Sample> = QUANTILES.map(quantile).into();
    samples.push(("_sum", label.clone(), histogram.sum_us() as f64 / 1e6));
    samples.push(("_count", label, histogram.total() as f64));
    samples
}

#[cfg(test)]
mod tests {
    use super::*;
    use footlight_media::codec::Codec;
    use footlight_media::track::{PeerKey, Source, TrackId};
    use footlight_packager::driver::Report;
    use std::time::Duration;

    #[test]
    fn a_name_cannot_leave_its_label() {
        assert_eq!(label_value("plain"), "plain");
        assert_eq!(label_value("a\"} 1\nfake 2\\"), r#"a\"} 1\nfake 2\\"#);
        assert_eq!(label_value(&"é".repeat(10_000)).chars().count(), LABEL_CHARS);
    }

    #[test]
    fn a_child_process_writes_no_lines_of_its_own_and_not_many() {
        let forged = "audio\"} 1\nfootlight_stream_ticks_total{stream=\"another\",room=\"another\"} 0\n#";
        let mut cpu_us = vec![(forged.to_owned(), 1), ("audio".to_owned(), 1), ("audio".to_owned(), 2_000_000)];
        cpu_us.extend((0..100_000).map(|n| (format!("thread-{n}"), n)));
        let stages = vec![(Row::ALL[0], Histogram::default()); 100_000];
        let skipped_by_rungs = vec![("720p\"} 1\n".to_owned(), 7), ("360p".to_owned(), 0)];
        let report = Box::new(Report { cpu_us, stages, skipped_by_rungs, ..Report::default() });
        let mut text = String::new();
        let (stream, room, running_since) = ("s".into(), "r".into(), None);
        render_streams(&mut text, &[StreamReport { room, stream, running_since, starts: 1, report }]);
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        assert_eq!(lines("footlight_stream_ticks_total{"), [r#"footlight_stream_ticks_total{stream="s",room="r"} 0"#]);
        let cpu = lines("footlight_stream_cpu_seconds_total{");
        assert_eq!(cpu.len(), THREADS - 1);
        assert!(
            cpu.contains(&r#"footlight_stream_cpu_seconds_total{stream="s",room="r",thread="audio"} 2"#),
            "{cpu:?}"
        );
        assert_eq!(lines("footlight_stream_stage_seconds_count{").len(), 1);
        assert_eq!(
            lines("footlight_stream_rung_skipped_ticks_total{"),
            [
                r#"footlight_stream_rung_skipped_ticks_total{stream="s",room="r",rung="360p"} 0"#,
                r#"footlight_stream_rung_skipped_ticks_total{stream="s",room="r",rung="720p\"} 1\n"} 7"#,
            ]
        );
        assert_each_family_has_one_head(&text);
    }

    #[test]
    fn what_publishers_send_is_in_families() {
        let track = TrackStats { packets: 5, ..TrackStats::new(TrackId(1), Codec::Opus) };
        let (room, from, role) = ("r".into(), PeerKey("a\"b".into()).into(), "broadcaster".into());
        let (age, tracks) = (Duration::ZERO, vec![track]);
        let (round_trip, rids) = (None, Vec::new());
        let id = String::new();
        let camera = SessionStats { id, room, from, role, age, connected: true, round_trip, rids, tracks, dropped: 0 };
        let mut screen = camera.clone();
        screen.from.source = Source::Screen;
        let mut text = String::new();
        render_publishers(&mut text, &[camera, screen]);
        assert_each_family_has_one_head(&text);
        for line in [
            r#"footlight_track_packets_total{room="r",peer="a\"b",source="regular",codec="opus"} 5"#,
            r#"footlight_track_packets_total{room="r",peer="a\"b",source="screen",codec="opus"} 5"#,
            "footlight_publishers 2",
        ] {
            assert!(text.lines().any(|have| have == line), "{line}: {text}");
        }
        let series: Vec<_> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();
        let once: std::collections::BTreeSet<_> = series.iter().filter(|series| !series.starts_with('#')).collect();
        assert_eq!(once.len(), series.iter().filter(|series| !series.starts_with('#')).count(), "{text}");
    }

    fn assert_each_family_has_one_head(text: &str) {
        let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
        let families: Vec<_> = lines("# TYPE ").iter().map(|l| l.split(' ').nth(2).expect("a name")).collect();
        assert_eq!(lines("# HELP ").len(), families.len());
        assert_eq!(families.iter().collect::<std::collections::BTreeSet<_>>().len(), families.len());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().expect("a name");
            let of =
                |family: &&str| name == *family || ["_sum", "_count"].iter().any(|s| name == format!("{family}{s}"));
            assert!(families.iter().any(of), "{line}");
        }
    }
}
