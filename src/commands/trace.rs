#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: asks the admin listener.
//! `footlight trace <stream>`: where the time of one frame went.

use super::{CommandError, Source};
use clap::Args;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::net::SocketAddr;

/// The cure where somebody else answers, or nobody.
const IS_IT_ADMIN: &str =
    "check that the server runs, and give the admin listener that it printed at its start with --admin ADDRESS:PORT";

#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// A running stream's id, or its room's.
    stream: String,
    /// Admin listener of the running server, ADDRESS:PORT.
    #[arg(long, value_name = "ADDR", value_parser = super::listen)]
    admin: Option<SocketAddr>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(args: &TraceArgs) -> Result<(), CommandError> {
    let admin = args.admin.map_or_else(|| args.source.load().map(|c| c.admin.listen), Ok)?;
    let url = format!("http://{admin}/trace/{}", args.stream);
    let (status, body) = tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(fetch(&url))?;
    let answer: Value =
        serde_json::from_slice(&body).map_err(|_| format!("{url}: {status}, and no trace: {IS_IT_ADMIN}"))?;
    if !status.is_success() {
        return Err(unknown(&answer).into());
    }
    if args.json {
        println!("{answer}");
        return Ok(());
    }
    print_table(&answer);
    Ok(())
}

/// What runs instead of the stream that was asked for.
fn unknown(answer: &Value) -> String {
    let rows = answer["running"].as_array().into_iter().flatten();
    let running: Vec<String> = rows.map(|row| format!("{} {}", text(&row["room"]), text(&row["stream"]))).collect();
    let detail = text(&answer["detail"]);
    if running.is_empty() {
        return format!("{detail}; no stream is running");
    }
    format!("{detail}; running are, by room and id: {}", running.join(", "))
}

fn print_table(answer: &Value) {
    println!("room {}  stream {}  tick {}", text(&answer["room"]), text(&answer["stream"]), answer["tick"]);
    println!("{:<12} {:>12} {:>10} {:>10}", "stage", "this frame", "p50", "p95");
    for row in answer["stages"].as_array().into_iter().flatten() {
        let ms = |key: &str| row[key].as_f64().map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms"));
        println!("{:<12} {:>12} {:>10} {:>10}", text(&row["stage"]), ms("this_frame_ms"), ms("p50_ms"), ms("p95_ms"));
        if row["this_frame_ms"].as_f64().is_some_and(|ms| ms < 0.0) {
            println!("  less than nothing: this frame came sooner than those before it");
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn fetch(url: &str) -> Result<(http::StatusCode, bytes::Bytes), CommandError> {
    let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answered =
        client.get(url.parse().map_err(|_| "the stream's name is no part of a URL: letters, digits, - and _")?).await;
    let response = answered.map_err(|error| format!("{url}: {}; {IS_IT_ADMIN}", causes(&error)))?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// The client's own words are only what it was doing; its causes say what happened.
fn causes(error: &dyn std::error::Error) -> String {
    let causes: Vec<String> =
        std::iter::successors(error.source(), |cause| cause.source()).map(ToString::to_string).collect();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_runs_is_listed_where_nothing_is_found() {
        let check = |running: Value, want: &str| {
            assert_eq!(unknown(&json!({"detail": "\"x\" is no stream", "running": running})), want);
        };
        check(json!([]), "\"x\" is no stream; no stream is running");
        let two = json!([{"room": "demo", "stream": "a1"}, {"room": "other", "stream": "b2"}]);
        check(two, "\"x\" is no stream; running are, by room and id: demo a1, other b2");
    }
}
