//! `footlight publish` puts the test picture and files on a stage: they are seen, heard and in sync, and leave the stage when they end.

use crate::harness::playback::{Viewer, beep_times, flash_times, lip_sync, middle_luma, mono_samples, until};
use crate::harness::server::{FOOTLIGHT, PATIENCE, SMALL, Server};
use footlight_media::codec::Codec;
use footlight_packager::footage::Footage;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// What people do not notice.
const WITHIN_SECONDS: f64 = 0.045;
const SETTLED_SECONDS: f64 = 10.0;

/// A `footlight publish`.
struct Publishing {
    child: Child,
    said: BufReader<tokio::process::ChildStderr>,
}

impl Publishing {
    async fn start(url: &str, token: &str, args: &[&str]) -> Self {
        let mut publishing = Self::launch(url, token, args);
        let mut lines = BufReader::new(publishing.child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("it connects or says why").unwrap();
        if first.as_deref() != Some(&format!("publishing to {url}")) {
            panic!("{first:?}: {}", publishing.rest().await);
        }
        publishing
    }

    /// One that need not come so far.
    fn launch(url: &str, token: &str, args: &[&str]) -> Self {
        let mut command = Command::new(FOOTLIGHT);
        command.args(["publish", url]).args(args).env("FOOTLIGHT_TOKEN", token);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    async fn rest(&mut self) -> String {
        let mut text = String::new();
        self.said.read_to_string(&mut text).await.unwrap();
        text
    }

    fn interrupt(&self) {
        let pid = i32::try_from(self.child.id().expect("running")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    }

    async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap()
    }

    async fn ends_well(mut self) {
        let status = self.ended().await;
        assert!(status.success(), "{status}: {}", self.rest().await);
    }
}

fn whip(server: &Server, room: &str) -> String {
    format!("{}/whip/{room}", server.url("http"))
}

/// DELETE has been answered before the process ends; a session that is only left behind stays for seconds.
async fn assert_nobody_is_on_stage(server: &Server) {
    let metrics = server.admin("/metrics").await;
    assert!(metrics.contains("footlight_publishers 0\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_picture_is_seen_heard_and_in_sync_and_leaves_when_it_is_interrupted() {
    let server = Server::start(&["serve"], SMALL).await;
    let stream = server.go_live("test").await;
    let token = server.auth("test", "someone").await;
    let publishing = Publishing::start(&whip(&server, "test"), &token, SMALL_PICTURE).await;
    let mut video = Viewer::new(&server, "test", &stream, "180p");
    let mut audio = Viewer::new(&server, "test", &stream, "audio");
    // Three segments of slate, then 20 s.
    video.watch_to(13).await;
    audio.watch_to(13).await;
    publishing.interrupt();
    publishing.ends_well().await;
    assert_nobody_is_on_stage(&server).await;
    let (mut flashes, beeps) = (flash_times(video.file()), beep_times(audio.file()));
    // Interrupted between the two, it leaves a last flash whose beep is mixed no more.
    flashes.pop_if(|last| *last > beeps.last().expect("beeps were heard") + 0.5);
    let offsets = lip_sync(&flashes, &beeps);
    println!("beep minus flash, by seconds since joining: {offsets:.3?}");
    let settled: Vec<_> = offsets.iter().filter(|(since, _)| *since >= SETTLED_SECONDS).collect();
    assert!(settled.len() >= 5, "{offsets:?}");
    assert!(settled.iter().all(|(_, offset)| offset.abs() <= WITHIN_SECONDS), "{offsets:?}");
    server.end().await;
}

/// A file whose brightness rises from 40 to 160 in 8 s, so that pictures in a wrong order show, with a tone.
fn rising(folder: &Path, name: &str, seconds: u32, codecs: &[&str]) -> PathBuf {
    let file = folder.join(name);
    let picture = format!("color=black:s=320x180:r=30:d={seconds},geq=lum='40+N/2':cb=128:cr=128,format=yuv420p");
    let tone = format!("sine=f=440:r=48000:d={seconds},volume=12dB");
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &tone])
        .args(codecs)
        .arg(&file)
        .status()
        .unwrap();
    assert!(made.success());
    file
}

// Three B-frames between any two others, also where the encoder would see no use in them.
const REORDERED_AND_AAC: &[&str] =
    &["-c:v", "libx264", "-bf", "3", "-x264-params", "b-adapt=0:scenecut=0", "-g", "60", "-c:a", "aac", "-ac", "2"];
const SMALL_PICTURE: &[&str] = &["--testsrc", "--size", "320x180"];
const AS_PEERS_SEND_IT: &[&str] = &["-c:v", "libx264", "-profile:v", "baseline", "-g", "30", "-c:a", "libopus"];

#[tokio::test(flavor = "multi_thread")]
async fn files_are_seen_in_order_and_heard_and_leave_at_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = SMALL.replace("https: {listen: \"\"}", "https: {listen: \"127.0.0.1:0\"}");
    let server = Server::start(&["serve"], &config).await;
    // One encoded anew over http, one as it is over https.
    for (room, name, codecs) in [("anew", "a.mp4", REORDERED_AND_AAC), ("passed", "b.mkv", AS_PEERS_SEND_IT)] {
        let file = rising(folder.path(), name, 8, codecs).display().to_string();
        let stream = server.go_live(room).await;
        let token = server.auth(room, "someone").await;
        let ca = server.data_dir().join("development-certificate.pem").display().to_string();
        let (url, args) = match room {
            "anew" => (whip(&server, room), vec![file.as_str()]),
            _ => (format!("{}/whip/{room}", server.url("https")), vec![file.as_str(), "--ca", ca.as_str()]),
        };
        Publishing::start(&url, &token, &args).await.ends_well().await;
        assert_nobody_is_on_stage(&server).await;
        let mut video = Viewer::new(&server, room, &stream, "180p");
        let mut audio = Viewer::new(&server, room, &stream, "audio");
        // Three segments of slate, then 10 s.
        video.watch_to(8).await;
        audio.watch_to(8).await;
        // 8-bit limited range 40 is 28 in full range; the slate's middle is below 40.
        let luma = middle_luma(video.file());
        let brightest = luma.iter().position(|l| *l == *luma.iter().max().unwrap()).unwrap();
        let begin = luma[..brightest].iter().rposition(|l| *l < 45).expect("the file's begin");
        let shown = &luma[begin..brightest];
        assert!(shown.len() > 150, "{room}: {} pictures: {luma:?}", shown.len());
        assert!(shown.windows(2).all(|w| w[1] + 2 >= w[0]), "{room}: in order: {shown:?}");
        assert!((160..=172).contains(&luma[brightest]), "{room}: to its end: {}", luma[brightest]);
        let loud = mono_samples(audio.file()).iter().filter(|s| s.abs() > 0.05).count();
        assert!(loud > 48_000 * 4, "{room}: {loud} loud samples");
    }
    server.end().await;
}

#[test]
fn a_files_frames_come_in_order_and_a_repeated_file_goes_on_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    for (name, codecs) in [("a.mp4", REORDERED_AND_AAC), ("b.mkv", AS_PEERS_SEND_IT)] {
        let file = rising(folder.path(), name, 2, codecs);
        let mut once = Footage::open(&file, false, None).unwrap();
        let mut frames = 0;
        while let Some(due) = once.due().unwrap() {
            assert_eq!(once.take().unwrap().time.as_micros(), due);
            frames += 1;
        }
        // 60 pictures, 100 packets of sound and some of padding.
        assert!((158..=166).contains(&frames), "{name}: {frames} frames");
        let mut repeated = Footage::open(&file, true, None).unwrap();
        let mut times = [Vec::new(), Vec::new()];
        while repeated.due().unwrap().expect("for ever") < 7_000_000 {
            let frame = repeated.take().unwrap();
            times[usize::from(frame.codec == Codec::Opus)].push(frame.time.as_micros());
        }
        for (track, longest) in times.iter().zip([70_000, 60_000]) {
            let gaps: Vec<i64> = track.windows(2).map(|w| w[1] - w[0]).collect();
            let wrong = gaps.iter().position(|gap| !(1..=longest).contains(gap));
            assert_eq!(wrong, None, "{name}: {gaps:?}");
            assert!(track[0].abs() < 60_000, "{name} begins at {}", track[0]);
        }
    }
}

#[test]
fn a_file_that_is_cut_off_ends_where_it_is_cut_off_and_may_begin_again() {
    let folder = tempfile::tempdir().unwrap();
    // Its index comes first, so that what is there can be read.
    let codecs = ["-c:v", "libx264", "-profile:v", "baseline", "-g", "30", "-an", "-movflags", "+faststart"];
    let file = rising(folder.path(), "a.mp4", 4, &codecs);
    let half = std::fs::metadata(&file).unwrap().len() / 2;
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(half).unwrap();
    let mut once = Footage::open(&file, false, None).unwrap();
    let mut frames = 0;
    while once.due().unwrap().is_some() {
        once.take().unwrap();
        frames += 1;
    }
    assert!((10..110).contains(&frames), "{frames} frames of 120");
    let mut repeated = Footage::open(&file, true, None).unwrap();
    while repeated.due().unwrap().expect("for ever") < 8_000_000 {
        repeated.take().unwrap();
    }
}

#[test]
fn a_repeated_file_that_another_kind_of_file_replaces_ends_by_saying_so() {
    const AAC: &[&str] = &["-c:v", "libx264", "-profile:v", "baseline", "-g", "30", "-c:a", "aac"];
    const SILENT: &[&str] = &["-c:v", "libx264", "-profile:v", "baseline", "-g", "30", "-an"];
    let folder = tempfile::tempdir().unwrap();
    for other in [REORDERED_AND_AAC, AAC, SILENT] {
        let file = rising(folder.path(), "a.mkv", 1, AS_PEERS_SEND_IT);
        let mut repeated = Footage::open(&file, true, None).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::rename(rising(folder.path(), "b.mkv", 1, other), &file).unwrap();
        let said = loop {
            match repeated.due() {
                Ok(due) => assert!(due.expect("for ever") < 5_000_000, "it goes on: {other:?}"),
                Err(error) => break error.to_string(),
            }
            repeated.take().unwrap();
        };
        assert!(said.contains(&file.display().to_string()) && said.contains("has changed"), "{said}");
        std::fs::remove_file(&file).unwrap();
    }
}

/// A server of a few answers.
struct Front {
    url: String,
    /// The first line of each request.
    asked: mpsc::Receiver<String>,
    /// What requests are answered with, each with the next one; until it comes, they wait.
    answers: mpsc::Sender<String>,
}

/// Answers one request of each connection. An empty answer is a connection that is closed.
async fn front(ready: &[&str]) -> Front {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/whip/room", listener.local_addr().unwrap());
    let (answers, mut next) = mpsc::channel(16);
    let (asking, asked) = mpsc::channel(16);
    ready.iter().for_each(|answer| answers.try_send((*answer).to_owned()).unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The offer ends with its last line; its length is told by a header.
            while !whole(&request) {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0, "a whole request");
            }
            asking.try_send(String::from_utf8_lossy(&request).lines().next().unwrap().to_owned()).unwrap();
            let Some(answer) = next.recv().await else { return };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    Front { url, asked, answers }
}

impl Front {
    async fn asked(&mut self) -> String {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("it is asked").expect("it runs")
    }
}

fn answer(status_and_headers: &str) -> String {
    format!("HTTP/1.1 {status_and_headers}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

fn redirect(to: &Server) -> String {
    answer(&format!("307 Temporary Redirect\r\nlocation: {}", whip(to, "room")))
}

/// A session whose answer is `body`, of which `length` bytes are announced.
fn session(body: &str, length: usize) -> String {
    format!(
        "HTTP/1.1 201 Created\r\nlocation: /whip/room/1\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    length.is_none_or(|length| body.len() >= length.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_server_is_asked_again_also_while_it_restarts_and_a_redirect_is_followed() {
    let server = Server::start(&["serve"], SMALL).await;
    server.go_live("room").await;
    let token = server.auth("room", "someone").await;
    // Full, as it says; then restarting, when nobody is there for a moment.
    let busy = [answer("503 Service Unavailable"), answer("503 Service Unavailable\r\nretry-after: 0"), String::new()];
    let front = front(&[&busy[0], &busy[1], &busy[2], &redirect(&server)]).await;
    let publishing = Publishing::start(&front.url, &token, SMALL_PICTURE).await;
    let metrics = server.admin("/metrics").await;
    assert!(metrics.contains("footlight_publishers 1\n"), "{metrics}");
    publishing.interrupt();
    publishing.ends_well().await;
    assert_nobody_is_on_stage(&server).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_goes_away_is_followed_by_the_one_that_comes_back() {
    let first = Server::start(&["serve"], SMALL).await;
    first.go_live("room").await;
    let token = first.auth("room", "someone").await;
    // The second has the first one's keys, as after a restart, and another port.
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    std::fs::create_dir(&data_dir).unwrap();
    std::fs::copy(first.data_dir().join("credentials.json"), data_dir.join("credentials.json")).unwrap();
    let second = Server::start_in(folder, &["serve"], SMALL).await;
    second.go_live("room").await;
    // In between the room is not there yet, as behind an ingress, and then holds the session that was lost.
    let between = [answer("404 Not Found"), answer("409 Conflict")];
    let front = front(&[&redirect(&first), &between[0], &between[1], &redirect(&second)]).await;
    let publishing = Publishing::start(&front.url, &token, SMALL_PICTURE).await;
    first.end().await;
    until(PATIENCE, || async { second.admin("/metrics").await.contains("footlight_publishers 1\n").then_some(()) })
        .await;
    publishing.interrupt();
    publishing.ends_well().await;
    assert_nobody_is_on_stage(&second).await;
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once_whatever_the_server_does() {
    // A session that comes to nothing, and whose DELETE is not answered.
    let mut front = front(&[&session("v=0", 3)]).await;
    let mut publishing = Publishing::launch(&front.url, "token", SMALL_PICTURE);
    assert!(front.asked().await.starts_with("POST /whip/room "));
    assert!(front.asked().await.starts_with("DELETE /whip/room/1 "));
    let interrupted = async {
        loop {
            // Two signals that come together are one, so there are more until it ends.
            publishing.interrupt();
            let waited = tokio::time::timeout(Duration::from_millis(100), publishing.child.wait()).await;
            if let Ok(status) = waited {
                break status.unwrap();
            }
        }
    };
    let status = tokio::time::timeout(PATIENCE, interrupted).await.expect("it ends");
    // By the signal: what the server did would be a failure.
    assert!(status.success(), "{status}: {}", publishing.rest().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_answer_cannot_be_read_is_ended() {
    let mut front = front(&[&session("v=", 3), &answer("200 OK")]).await;
    let mut publishing = Publishing::launch(&front.url, "token", SMALL_PICTURE);
    assert!(front.asked().await.starts_with("POST /whip/room "));
    assert!(front.asked().await.starts_with("DELETE /whip/room/1 "));
    assert!(!publishing.ended().await.success());
    let said = publishing.rest().await;
    assert!(said.contains("the server's fault") && said.contains(&front.url), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_made_while_it_is_interrupted_is_ended() {
    let mut front = front(&[]).await;
    let mut publishing = Publishing::launch(&front.url, "token", SMALL_PICTURE);
    assert!(front.asked().await.starts_with("POST /whip/room "));
    publishing.interrupt();
    let ended = tokio::time::timeout(Duration::from_millis(300), publishing.child.wait()).await;
    assert!(ended.is_err(), "{ended:?} while a session may be made");
    front.answers.send(session("v=0", 3)).await.unwrap();
    front.answers.send(answer("200 OK")).await.unwrap();
    assert!(front.asked().await.starts_with("DELETE /whip/room/1 "));
    publishing.ends_well().await;
}
