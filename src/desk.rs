#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: a task that looks at rooms each second.
//! The desk between control and those who make live streams: passes commands on, answers questions, and keeps an eye on who is on stage.
//!
//! One owner keeps what is known of rooms and takes one closed set of inputs.

use crate::audience::Audience;
use crate::encoding;
use crate::health::{Look, RoomHealth};
use crate::live::{Live, StreamReport};
use crate::words;
use footlight_control::{
    Command, Corner, Direction, Layout, Mix, NoSnapshot, NotDirected, Question, RoomEvent, RoomEventKind, TrackKind,
    TrackState, Undrawn, Viewers, Wish,
};
use footlight_media::track::PeerKey;
use footlight_packager::ladder::Ladder;
use footlight_packager::layout::Size;
use footlight_packager::text::Text;
use footlight_stage::driver::{SessionStats, Stage};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

/// Between two looks at all rooms.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// Those who want to know how rooms are, for metrics.
const ASKING: usize = 16;
/// Those who wait for pictures of whatever streams, two seconds at most; each stream takes a few at a time.
const SNAPSHOTS: usize = 64;

/// How a room is.
#[derive(Debug, Clone)]
pub struct RoomReport {
    /// The room.
    pub room: String,
    /// Who is on stage.
    pub peers: Vec<footlight_control::Peer>,
    /// How its programme is.
    pub programme: Vec<(TrackKind, TrackState)>,
}

/// A handle to ask by. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    asking: mpsc::Sender<oneshot::Sender<Vec<RoomReport>>>,
}

impl Desk {
    /// How all rooms are in which somebody is on stage or a stream is live.
    pub async fn rooms(&self) -> Vec<RoomReport> {
        let (answer, rooms) = oneshot::channel();
        if self.asking.send(answer).await.is_err() {
            return Vec::new();
        }
        rooms.await.unwrap_or_default()
    }
}

/// What comes from control.
pub struct Control {
    /// To be done.
    pub commands: mpsc::Receiver<Command>,
    /// To be answered.
    pub questions: mpsc::Receiver<Question>,
}

/// The desk and what it keeps.
pub struct Owner {
    live: Live,
    stage: Stage,
    audience: Audience,
    /// What a stream encodes that asks for nothing else.
    configured: Ladder,
    /// Each stream that goes on.
    streams: HashMap<String, Started>,
    /// Knows what can be drawn.
    text: Text,
    /// The names with which people came who are on stage, by room and user id, as of the last look.
    names: HashMap<String, BTreeMap<String, String>>,
    rooms: BTreeMap<String, RoomHealth>,
    /// How each stream that goes on is shown and heard, where that was said.
    directions: HashMap<String, Direction>,
    /// Pictures that are being scaled: control lets two in at once, and waits for the answer of each.
    dressing: JoinSet<Dressed>,
    /// Those who may wait for a picture.
    snapshots: Arc<Semaphore>,
    asked: mpsc::Receiver<oneshot::Sender<Vec<RoomReport>>>,
}

impl Owner {
    /// A desk before all these.
    pub fn new(live: Live, stage: Stage, audience: Audience, configured: Ladder) -> (Self, Desk) {
        let (asking, asked) = mpsc::channel(ASKING);
        let (rooms, streams, directions) = (BTreeMap::new(), HashMap::new(), HashMap::new());
        let (text, names) = (Text::default(), HashMap::new());
        let snapshots = Arc::new(Semaphore::new(SNAPSHOTS));
        let dressing = JoinSet::new();
        let owner = Self {
            live,
            stage,
            audience,
            configured,
            streams,
            text,
            names,
            rooms,
            directions,
            dressing,
            snapshots,
            asked,
        };
        (owner, Desk { asking })
    }

    /// Runs until control commands no more and `shutdown`.
    pub async fn run(mut self, mut control: Control, shutdown: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_INTERVAL);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut commanded = true;
        loop {
            tokio::select! {
                command = control.commands.recv(), if commanded => match command {
                    Some(command) => self.obey(command).await,
                    None => commanded = false,
                },
                Some(question) = control.questions.recv() => self.answer(question),
                Some(Ok(dressed)) = self.dressing.join_next() => self.dress(dressed).await,
                Some(asking) = self.asked.recv() => drop(asking.send(self.reports())),
                _ = look.tick() => self.look().await,
                () = shutdown.cancelled(), if !commanded => return,
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::StartStream { room, stream, ladder } => self.start(room, stream, ladder.as_ref()).await,
            Command::StopStream { stream } => self.live.stop_stream(stream).await,
            // Scaling a picture takes a while, and nobody else has to wait for it.
            Command::DirectStream { stream, wish: wish @ (Wish::Background(_) | Wish::Logo(_)), directed, .. } => {
                let canvas = self.canvas(&stream);
                self.dressing.spawn_blocking(move || {
                    let kept = Kept::of(&wish);
                    Dressed { stream, kept, wish: words::wish(wish, canvas), directed }
                });
            }
            Command::DirectStream { room, stream, wish, directed } => {
                let done = self.direct(&room, stream, wish).await;
                let _nobody_waits = directed.send(done);
            }
        }
    }

    async fn start(&mut self, room: String, stream: String, asked: Option<&footlight_control::Ladder>) {
        let ladder =
            asked.map_or_else(|| Ok(self.configured.clone()), |asked| encoding::ladder(asked, &self.configured));
        let ladder = ladder.unwrap_or_else(|why| {
            tracing::error!(
                room,
                stream,
                why,
                "control has commanded a ladder that cannot be; the configured one is used"
            );
            self.configured.clone()
        });
        self.streams.insert(stream.clone(), Started { room: room.clone(), canvas: ladder.canvas });
        self.live.start_stream(room, stream, ladder).await;
    }

    /// What pictures of a stream are made as large as.
    fn canvas(&self, stream: &str) -> Size {
        self.streams.get(stream).map_or(self.configured.canvas, |started| started.canvas)
    }

    /// Shows or mixes a stream otherwise; answers with what of it cannot be drawn.
    async fn direct(&mut self, room: &str, stream: String, wish: Wish) -> Result<Vec<Undrawn>, NotDirected> {
        self.on_stage(room, &stream, &wish).await?;
        let logo = self.directions.get(&stream).and_then(|direction| direction.pictures.logo);
        if matches!(wish, Wish::LogoCorner(_)) && logo.is_none() {
            return Err(NotDirected::NoLogo);
        }
        let undrawn = match &wish {
            Wish::Layout(layout) => self.undrawn(layout, room),
            _ => Vec::new(),
        };
        let kept = Kept::of(&wish);
        let wish = words::wish(wish, self.canvas(&stream));
        self.obeyed(stream, kept, wish).await.map(|()| undrawn)
    }

    /// Shows a picture that is as large as it has to be.
    async fn dress(&mut self, Dressed { stream, kept, wish, directed }: Dressed) {
        let done = self.obeyed(stream, kept, wish).await.map(|()| Vec::new());
        let _nobody_waits = directed.send(done);
    }

    /// Passes a wish on, and keeps what is told of it.
    async fn obeyed(
        &mut self,
        stream: String,
        kept: Kept,
        wish: footlight_packager::direction::Wish,
    ) -> Result<(), NotDirected> {
        if !self.live.direct_stream(stream.clone(), wish).await {
            return Err(NotDirected::Over);
        }
        let direction = self.directions.entry(stream).or_default();
        match kept {
            Kept::Layout(layout) => direction.layout = layout,
            Kept::Mix(mix) => direction.mix = mix,
            Kept::Background(there) => direction.pictures.background = there,
            Kept::Logo(corner) => direction.pictures.logo = corner,
        }
        Ok(())
    }

    /// What the packager has no font for, of a layout's texts and of the names that it shows of those on stage.
    fn undrawn(&mut self, layout: &Layout, room: &str) -> Vec<Undrawn> {
        let own = self.names.get(room).into_iter().flatten().filter(|(peer, _)| shows_own_name(layout, peer));
        let own = own.map(|(peer, name)| (format!("show_names.{peer}"), name.as_str()));
        let unknown =
            layout.texts().chain(own).map(|(field, line)| Undrawn { field, characters: self.text.unknown(line) });
        unknown.filter(|undrawn| !undrawn.characters.is_empty()).collect()
    }

    /// Keeps by which names those on stage are to be called, and tells of who has come, or is called otherwise, whose name is shown and has no font.
    fn look_at_names(&mut self, sessions: &[SessionStats]) {
        let mut names: HashMap<String, BTreeMap<String, String>> = HashMap::new();
        for session in sessions.iter().filter(|session| session.connected) {
            if let Some(name) = &session.from.name {
                names.entry(session.room.clone()).or_default().insert(session.from.peer.0.clone(), name.clone());
            }
        }
        for (stream, direction) in &self.directions {
            let Some(room) = self.streams.get(stream).map(|started| &started.room) else { continue };
            let before = self.names.get(room);
            for (peer, name) in names.get(room).into_iter().flatten() {
                let is_new = before.and_then(|before| before.get(peer)) != Some(name);
                if is_new && shows_own_name(&direction.layout, peer) {
                    let unknown = self.text.unknown(name);
                    if !unknown.is_empty() {
                        tracing::warn!(
                            room,
                            peer,
                            name,
                            ?unknown,
                            "no font has what is in a name that is shown; boxes are drawn instead"
                        );
                    }
                }
            }
        }
        self.names = names;
    }

    /// Whether everybody whom a layout puts somewhere is there. A mix may name who was there or will be: a mute holds for who comes back.
    async fn on_stage(&self, room: &str, stream: &str, wish: &Wish) -> Result<(), NotDirected> {
        let Wish::Layout(layout) = wish else { return Ok(()) };
        if layout.peers().next().is_none() {
            return Ok(());
        }
        let on_stage: Vec<String> = self.stage.on_stage(room).await.into_iter().map(|peer| peer.0).collect();
        // Who had that place before may be away for a moment, and must not keep the others from being shown otherwise.
        let had = |field: &str, peer: &str| {
            let before = self.directions.get(stream);
            before.is_some_and(|before| before.layout.peers().any(|(of, who)| of == field && who == peer))
        };
        let there = |peer: &str| on_stage.iter().any(|there| there == peer);
        match layout.peers().find(|(field, peer)| !there(peer) && !had(field, peer)) {
            Some((field, peer)) => Err(NotDirected::NotOnStage { field, peer: peer.to_owned(), on_stage }),
            None => Ok(()),
        }
    }

    fn answer(&mut self, question: Question) {
        match question {
            Question::OnStage { room, answer } => {
                let peers = self.rooms.get(&room).map(|room| room.peers().cloned().collect());
                let _nobody_waits = answer.send(peers.unwrap_or_default());
            }
            Question::Events { room, answer } => {
                let events = self.rooms.get(&room).map(|room| room.events().cloned().collect());
                let _nobody_waits = answer.send(events.unwrap_or_default());
            }
            Question::Direction { stream, answer } => {
                let mut direction = self.directions.get(&stream).cloned().unwrap_or_default();
                if let Some(room) = self.streams.get(&stream).map(|started| started.room.clone()) {
                    direction.undrawn = self.undrawn(&direction.layout, &room);
                }
                let _nobody_waits = answer.send(direction);
            }
            Question::Snapshot { stream, peer, answer } => {
                let (live, peer) = (self.live.clone(), peer.map(PeerKey));
                let Ok(place) = Arc::clone(&self.snapshots).try_acquire_owned() else {
                    let _nobody_waits = answer.send(Err(NoSnapshot::NotNow));
                    return;
                };
                // It takes some ticks, which nobody else has to wait for.
                tokio::spawn(async move {
                    let _place = place;
                    let _nobody_waits = answer.send(live.snapshot(stream, peer).await);
                });
            }
            Question::Viewers { room, stream, answer } => {
                let viewers = self.audience.count(&room, &stream);
                let _nobody_waits = answer.send(Viewers { viewers, window_seconds: crate::audience::WINDOW.as_secs() });
            }
        }
    }

    /// Looks at every room in which there is somebody or something.
    async fn look(&mut self) {
        let (sessions, reports) = (self.stage.stats().await, self.live.reports().await);
        self.look_at_names(&sessions);
        let now = self.stage.now();
        let date = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut rooms: BTreeMap<&str, Look<'_>> = BTreeMap::new();
        let empty = || Look { sessions: Vec::new(), signals: &[], now, date };
        for session in &sessions {
            rooms.entry(&session.room).or_insert_with(empty).sessions.push(session);
        }
        for StreamReport { room, report, .. } in in_order(&reports) {
            rooms.entry(room).or_insert_with(empty).signals = &report.signals;
        }
        for room in rooms.keys().filter(|room| !self.rooms.contains_key(**room)).collect::<Vec<_>>() {
            self.rooms.insert((*room).to_owned(), RoomHealth::default());
        }
        // Those that are empty by now, too: who has left is told of.
        let nobody = empty();
        for (room, health) in &mut self.rooms {
            health.look(rooms.get(room.as_str()).unwrap_or(&nobody)).iter().for_each(|event| log(room, event));
        }
        self.rooms.retain(|room, _| rooms.contains_key(room.as_str()));
        let goes_on = |stream: &String| reports.iter().any(|report| report.stream == *stream);
        self.directions.retain(|stream, _| goes_on(stream));
        self.streams.retain(|stream, _| goes_on(stream));
    }

    fn reports(&self) -> Vec<RoomReport> {
        let report = |(room, health): (&String, &RoomHealth)| RoomReport {
            room: room.clone(),
            peers: health.peers().cloned().collect(),
            programme: health.programme().collect(),
        };
        self.rooms.iter().map(report).collect()
    }
}

/// A wish with a picture that is as large as it is shown, and who hears what becomes of it.
struct Dressed {
    stream: String,
    kept: Kept,
    wish: footlight_packager::direction::Wish,
    directed: oneshot::Sender<Directed>,
}

/// What is known of a stream from its start.
struct Started {
    room: String,
    /// How large its picture is.
    canvas: Size,
}

/// Whether somebody's picture has the name under it that they came with, if any (see `footlight_packager::layout::Layout::name`).
fn shows_own_name(layout: &Layout, peer: &str) -> bool {
    layout.show_names && !layout.names.contains_key(peer)
}

/// What is kept of a wish: all but pixels.
enum Kept {
    Layout(Layout),
    Mix(Mix),
    Background(bool),
    Logo(Option<Corner>),
}

impl Kept {
    fn of(wish: &Wish) -> Self {
        match wish {
            Wish::Layout(layout) => Self::Layout(layout.clone()),
            Wish::Mix(mix) => Self::Mix(mix.clone()),
            Wish::Background(picture) => Self::Background(picture.is_some()),
            Wish::Logo(logo) => Self::Logo(logo.as_ref().map(|(_, corner)| *corner)),
            Wish::LogoCorner(corner) => Self::Logo(Some(*corner)),
        }
    }
}

/// What becomes of a wish: what of it cannot be drawn, or why it was not taken.
type Directed = Result<Vec<Undrawn>, NotDirected>;

/// The newest of a room last: the one before may still be ending.
fn in_order(reports: &[StreamReport]) -> Vec<&StreamReport> {
    let mut reports: Vec<_> = reports.iter().collect();
    reports.sort_by_key(|report| report.running_since);
    reports
}

/// What an operator reads of it. Who comes and goes is told by their sessions.
fn log(room: &str, event: &RoomEvent) {
    let (peer, track, state) = (&event.user_id, event.track_type, event.state);
    match (event.kind, state) {
        (RoomEventKind::PeerJoined | RoomEventKind::PeerLeft, _) => {}
        (RoomEventKind::TrackState, _) => tracing::info!(room, ?peer, ?track, ?state, "what a peer sends has changed"),
        (RoomEventKind::ProgrammeState, Some(TrackState::Ok)) => tracing::info!(room, ?track, "the programme is well"),
        (RoomEventKind::ProgrammeState, _) => tracing::warn!(room, ?track, ?state, "the programme has changed"),
    }
}
