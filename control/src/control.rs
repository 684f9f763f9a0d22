#![allow(clippy::disallowed_methods)] // IO: spawns the owner, reads the clock, draws random numbers.
//! The handle that a process holds, and what it may ask.

use crate::api::{self, cors};
use crate::catalog::{self, CatalogError, Reader};
use crate::credentials::Credentials;
use crate::owner::{Answer, ControlError, Input, NeverRan, Owner};
use crate::rooms::ladder::{self, CheckLadder, Ladder};
use crate::rooms::live_stream::{Actor, LiveStream, StartRequest, Status};
use crate::rooms::room_code::RoomCode;
use crate::rooms::template::{self, Role};
use crate::rooms::token::{self, Token, TokenError};
use crate::rooms::{Invalid, Refused, id};
use crate::{Command, Event, NoSnapshot, NotDirected, Question, Undrawn, Wish};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Requests that wait for the owner, which takes some 2 ms for each on a disk that syncs; beyond, they wait for a place here.
const INPUTS: usize = 256;
/// Commands on their way. The owner keeps more for as long as nobody takes them.
const COMMANDS: usize = 64;
/// Questions on their way; who asks waits for a place.
const QUESTIONS: usize = 64;
/// Uploaded pictures in memory at once, 64 MB of pixels each and what their decoders take. Others wait for their turn.
const PICTURES: usize = 2;
/// How long one waits for its turn: each takes a second at most.
const TURN_WAIT: Duration = Duration::from_secs(10);
/// Pictures that are being uploaded or wait, 4 MiB each.
const UPLOADS: usize = 32;

/// What the control plane is told at its start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the catalog is.
    pub data_dir: PathBuf,
    /// What viewers reach this server by: the start of every playback URL. No slash at the end.
    pub public_url: String,
    /// Origins whose pages may call the API; `*` is all.
    pub cors_origins: Vec<String>,
    /// Says why a ladder cannot be encoded here, at once.
    pub check_ladder: CheckLadder,
    /// Whether the pages of this machine are given a management token: a demo's, which listens on loopback only and is everybody's there.
    pub open_to_this_machine: bool,
}

/// Why the control plane cannot start. The operator's to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The catalog's words.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A setting that browsers would never match.
    #[error("cors.origins: {0:?} is not an origin; give scheme://host[:port] without a path, or \"*\"")]
    CorsOrigin(String),
}

/// What somebody who publishes wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// To begin: a disabled room takes nobody in.
    Join,
    /// To change or end what has begun, which a disabled room lets run as 100ms's do.
    Change,
}

/// Who may publish, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    /// The peer in the room: the token's `user_id`, or its `jti` where it has none.
    pub user: String,
    /// A role that may publish.
    pub role: String,
}

/// What keeps the bearer of a valid token from publishing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// It is a server's.
    #[error("a management token does not publish")]
    Management,
    /// It names another room.
    #[error("the token is of another room")]
    OtherRoom,
    /// It names a role that may not, or that the room does not have.
    #[error("role {0} may not publish")]
    Role(String),
    /// Nobody is let in.
    #[error("the room is disabled")]
    Disabled,
}

impl Obstacle {
    /// What helps.
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Management => "use an auth token: a room code's, or one of `footlight token auth`",
            Self::OtherRoom => "use a token of this room",
            Self::Role(_) => "use a token of a role that may, such as broadcaster",
            Self::Disabled => "enable it, or use another",
        }
    }
}

/// Why somebody may not publish.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token, or one that is not valid.
    #[error("no valid auth token")]
    Unauthorized,
    /// The token is valid and does not allow this.
    #[error(transparent)]
    Forbidden(#[from] Obstacle),
    /// The token is valid, and its room is not there.
    #[error("no such room")]
    UnknownRoom,
    /// The catalog does not answer. The operator's; the same request may be taken in a moment.
    #[error("the catalog does not answer")]
    Unavailable,
}

/// What a room code opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeInfo {
    /// The room.
    pub room_id: String,
    /// The role in it.
    pub role: String,
    /// Whether that role may publish.
    pub may_publish: bool,
}

/// The control plane. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    shared: Arc<Shared>,
}

struct Shared {
    inputs: mpsc::Sender<Input>,
    questions: mpsc::Sender<Question>,
    reader: Reader,
    credentials: Credentials,
    /// Those of every template.
    roles: BTreeMap<String, Role>,
    public_url: String,
    cors: cors::Origins,
    /// Those who may upload a picture.
    uploads: Arc<Semaphore>,
    /// Those who may have a picture's pixels in memory now.
    pictures: Arc<Semaphore>,
    check_ladder: CheckLadder,
    open_to_this_machine: bool,
}

impl Control {
    /// Opens the catalog. Streams that went on when the process died are marked failed. Commands must be taken, questions
    /// answered, and `events` must come from whoever does.
    pub async fn open(
        config: Config,
        credentials: Credentials,
        events: mpsc::Receiver<Event>,
        shutdown: CancellationToken,
    ) -> Result<(Self, mpsc::Receiver<Command>, mpsc::Receiver<Question>), OpenError> {
        let cors = cors::Origins::new(&config.cors_origins).map_err(OpenError::CorsOrigin)?;
        let (writer, reader) = catalog::open(&config.data_dir).await?;
        let (commands, commanded) = mpsc::channel(COMMANDS);
        let owner = Owner::recover(writer, reader.clone(), commands).await?;
        let (inputs, queue) = mpsc::channel(INPUTS);
        tokio::spawn(owner.run(queue, events, shutdown));
        let public_url = config.public_url.trim_end_matches('/').to_owned();
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let (uploads, pictures) = (Arc::new(Semaphore::new(UPLOADS)), Arc::new(Semaphore::new(PICTURES)));
        let (check_ladder, open_to_this_machine) = (config.check_ladder, config.open_to_this_machine);
        let shared = Shared {
            inputs,
            questions,
            reader,
            credentials,
            roles: template::roles(),
            public_url,
            cors,
            uploads,
            pictures,
            check_ladder,
            open_to_this_machine,
        };
        Ok((Self { shared: Arc::new(shared) }, commanded, asked))
    }

    /// `/v2/...` and `/openapi.json`.
    pub fn router(&self) -> axum::Router {
        api::router(self.clone())
    }

    /// Whether the bearer of this token may publish in `room`.
    pub async fn authorize_publish(&self, room: &str, bearer: Option<&str>, ask: Ask) -> Result<Publisher, Refusal> {
        let auth = match bearer.map(|bearer| self.verify(bearer)) {
            Some(Ok(Token::Auth(auth))) => auth,
            Some(Ok(Token::Management)) => return Err(Obstacle::Management.into()),
            Some(Err(_)) | None => return Err(Refusal::Unauthorized),
        };
        if auth.room != room {
            return Err(Obstacle::OtherRoom.into());
        }
        let found = match self.shared.reader.room(room).await {
            Ok(found) => found.ok_or(Refusal::UnknownRoom)?,
            Err(cause) => {
                // Nobody is let in on a guess; the caller asks again.
                tracing::error!(room, %cause, "whether a room is there cannot be told");
                return Err(Refusal::Unavailable);
            }
        };
        if !found.enabled && ask == Ask::Join {
            return Err(Obstacle::Disabled.into());
        }
        if !self.role(&auth.role).is_some_and(Role::may_publish) {
            return Err(Obstacle::Role(auth.role).into());
        }
        Ok(Publisher { user: auth.user, role: auth.role })
    }

    /// Whether this is a management token.
    // Async as its neighbours are: with several active keys it will ask the catalog.
    #[allow(clippy::unused_async)]
    pub async fn verify_management(&self, bearer: &str) -> bool {
        self.verify(bearer) == Ok(Token::Management)
    }

    /// What a code opens; none where it, or its room, is disabled or not there.
    pub async fn code(&self, code: &str) -> Option<CodeInfo> {
        match self.entry(code).await {
            Ok((code, role)) => {
                let may_publish = role.may_publish();
                Some(CodeInfo { room_id: code.room_id, role: code.role, may_publish })
            }
            Err(ControlError::Refused(_)) => None,
            Err(cause) => {
                tracing::error!(%cause, "what a room code opens cannot be told");
                None
            }
        }
    }

    /// The room with this id, made where it is missing, and a code for each of its roles.
    pub async fn ensure_room(&self, room_id: &str) -> Result<Vec<RoomCode>, ControlError> {
        self.ask(|answer| Input::EnsureRoom { id: room_id.to_owned(), answer }).await
    }

    /// Starts the room's live stream, as `POST /v2/live-streams/room/<room>/start` does by a management token.
    pub async fn start_stream(&self, room: &str) -> Result<LiveStream, ControlError> {
        self.start(room, StartRequest::default(), Actor::Server).await
    }

    /// Stops what goes on in a room, and returns it.
    pub async fn stop_room_streams(&self, room: &str) -> Result<Vec<LiveStream>, ControlError> {
        self.stop_room(room, Actor::Server).await
    }

    /// The streams that are not over, with their rooms.
    pub async fn streams(&self) -> Result<Vec<LiveStream>, ControlError> {
        Ok(self.shared.reader.unfinished_streams().await?)
    }

    /// Waits until a stream runs. The caller bounds the wait by dropping it.
    pub async fn until_running(&self, stream_id: &str) -> Result<(), NeverRan> {
        let (answer, heard) = oneshot::channel();
        let input = Input::UntilRunning { stream: stream_id.to_owned(), answer };
        let closed = || NeverRan::Unheard(ControlError::Closed.to_string());
        self.shared.inputs.send(input).await.map_err(|_| closed())?;
        heard.await.map_err(|_| closed())?
    }
}

/// What is said of what cannot be drawn.
pub(crate) fn warning(undrawn: &Undrawn) -> String {
    let characters: Vec<String> =
        undrawn.characters.iter().map(|letter| format!("{letter} (U+{:04X})", u32::from(*letter))).collect();
    format!("{}: no font has {}; boxes are drawn instead", undrawn.field, characters.join(", "))
}

/// People in an error's text: some of them, where they are many.
fn named(people: &[String]) -> String {
    const NAMED: usize = 20;
    if people.is_empty() {
        return "nobody".to_owned();
    }
    let some: Vec<String> = people.iter().take(NAMED).map(|name| id::quoted(name)).collect();
    let more = people.len().saturating_sub(NAMED);
    let others = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{others}", some.join(", "))
}

/// What the API asks.
impl Control {
    pub(crate) async fn start(&self, room: &str, request: StartRequest, by: Actor) -> Result<LiveStream, ControlError> {
        // Where something goes on already, nothing is chosen and nothing can be wrong with it: the owner knows.
        let ladder = self.ladder(room, &request, &by).await;
        self.ask(|answer| Input::StartStream { room: room.to_owned(), request, ladder, by, answer }).await
    }

    /// What a start encodes; `None` is as it is configured.
    async fn ladder(&self, room: &str, request: &StartRequest, by: &Actor) -> Result<Option<Ladder>, ControlError> {
        let unknown = || Refused::UnknownRoom(room.to_owned());
        let room = self.shared.reader.room(room).await?.ok_or_else(unknown)?;
        let unknown = || Refused::UnknownTemplate(room.template_id.clone());
        let template = self.shared.reader.template(&room.template_id).await?.ok_or_else(unknown)?;
        let destinations = ladder::destinations(&template.destinations)?;
        // Somebody on stage cannot know of several.
        let first = destinations.first().filter(|_| matches!(by, Actor::Peer { .. })).map(|(name, _)| name.clone());
        let destination =
            if request.destination.is_empty() { first.unwrap_or_default() } else { request.destination.clone() };
        let chosen = ladder::chosen(request.ladder.clone(), &destination, destinations)?;
        if let Some(ladder) = &chosen {
            let whose = if request.ladder.is_some() { "" } else { "the room's template: " };
            self.check_ladder(ladder, whose)?;
        }
        Ok(chosen)
    }

    pub(crate) async fn stop_room(&self, room: &str, by: Actor) -> Result<Vec<LiveStream>, ControlError> {
        self.ask(|answer| Input::StopRoom { room: room.to_owned(), by, answer }).await
    }

    /// A place among those whose pictures are on their way; it lasts for as long as what is answered is held.
    pub(crate) fn upload_place(&self) -> Result<OwnedSemaphorePermit, ControlError> {
        Arc::clone(&self.shared.uploads).try_acquire_owned().map_err(|_| ControlError::Uploads)
    }

    /// Waits until an uploaded picture may be decoded; likewise.
    pub(crate) async fn picture_turn(&self) -> Result<OwnedSemaphorePermit, ControlError> {
        let turn = tokio::time::timeout(TURN_WAIT, Arc::clone(&self.shared.pictures).acquire_owned()).await;
        turn.ok().and_then(Result::ok).ok_or(ControlError::Uploads)
    }

    /// Shows or mixes the people of a stream otherwise. Answers with warnings: what of it cannot be drawn.
    pub(crate) async fn direct(&self, stream: &str, wish: Wish) -> Result<Vec<String>, ControlError> {
        let (directed, heard) = oneshot::channel();
        self.ask(|answer| Input::DirectStream { id: stream.to_owned(), wish, directed, answer }).await?;
        let refused = |why| match why {
            NotDirected::NoLogo => Refused::NoLogo(stream.to_owned()),
            NotDirected::Over => Refused::NotOnAir { stream: stream.to_owned(), status: "over" },
            NotDirected::NotOnStage { field, peer, on_stage } => {
                Refused::NotOnStage { field, peer, on_stage: named(&on_stage) }
            }
        };
        let undrawn = heard.await.map_err(|_| ControlError::Closed)?.map_err(refused)?;
        Ok(undrawn.iter().map(warning).collect())
    }

    /// Passes an input to the owner and waits for its answer: state changes are answered once they are kept.
    pub(crate) async fn ask<T>(&self, input: impl FnOnce(Answer<T>) -> Input) -> Result<T, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.shared.inputs.send(input(answer)).await.map_err(|_| ControlError::Closed)?;
        answered.await.map_err(|_| ControlError::Closed)?
    }

    /// Asks those who make live streams.
    pub(crate) async fn question<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<T>) -> Question,
    ) -> Result<T, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.shared.questions.send(question(answer)).await.map_err(|_| ControlError::Closed)?;
        answered.await.map_err(|_| ControlError::Closed)
    }

    /// A stream that goes on.
    pub(crate) async fn on_air(&self, stream: &str) -> Result<LiveStream, ControlError> {
        let unknown = || Refused::UnknownStream(stream.to_owned());
        let found = self.shared.reader.stream(stream).await?.ok_or_else(unknown)?;
        if !matches!(found.status, Status::Starting | Status::Running) {
            return Err(Refused::NotOnAir { stream: found.id, status: found.status.as_str() }.into());
        }
        Ok(found)
    }

    /// A picture of a stream, or of one of its people, as JPEG.
    pub(crate) async fn snapshot(&self, stream: &str, peer: Option<String>) -> Result<Bytes, ControlError> {
        let stream = self.on_air(stream).await?.id;
        let what = match &peer {
            Some(peer) => format!("peer {}", id::quoted(peer)),
            None => format!("live stream {}", id::quoted(&stream)),
        };
        let picture = self.question(|answer| Question::Snapshot { stream, peer, answer }).await?;
        picture.map_err(|not| match not {
            NoSnapshot::NoPicture => Refused::NoSnapshot { what }.into(),
            NoSnapshot::NotNow => ControlError::NotNow,
        })
    }

    pub(crate) fn verify(&self, bearer: &str) -> Result<Token, TokenError> {
        token::verify(&self.shared.credentials, bearer, since_epoch())
    }

    /// An auth token for whoever has this code; for who may go live also a code to hand to viewers, where the room has one.
    pub(crate) async fn exchange(&self, code: &str, user: &str) -> Result<(String, Option<String>), ControlError> {
        let (code, role) = self.entry(code).await?;
        let (credentials, jti) = (&self.shared.credentials, random_uuid());
        let token =
            token::mint_auth(credentials, &code.room_id, &code.role, user, since_epoch(), token::AUTH_TTL, &jti);
        let watch_code = match role.permissions.hls_streaming {
            true => self.watch_code(&code.room_id).await?,
            false => None,
        };
        Ok((token, watch_code))
    }

    /// A code of a room that opens it for watching alone.
    async fn watch_code(&self, room: &str) -> Result<Option<String>, ControlError> {
        let codes = self.shared.reader.codes_of(room).await?;
        let watches = |code: &RoomCode| code.enabled && self.role(&code.role).is_some_and(|role| !role.may_publish());
        Ok(codes.into_iter().find(watches).map(|code| code.code))
    }

    /// A management token, for a page of this machine.
    pub(crate) fn open_management_token(&self) -> String {
        token::mint_management(&self.shared.credentials, since_epoch(), token::OPEN_MANAGEMENT_TTL, &random_uuid())
    }

    /// Whether an auth token may start, stop and see its room's live stream, `act` being which: our addition to 100ms's API, for a page
    /// that has no server of its own behind it. 100ms lets the same role do the same over the room's signalling.
    pub(crate) async fn authorize_live(&self, room: &str, auth: token::Auth, act: &str) -> Result<Actor, ControlError> {
        let act = || format!("{act} of room {}", id::quoted(room));
        let refused = |auth: token::Auth| Refused::NotAllowed { role: auth.role, room: auth.room, act: act() };
        if auth.room != room {
            return Err(refused(auth).into());
        }
        let unknown = || Refused::UnknownRoom(room.to_owned());
        self.shared.reader.room(room).await?.ok_or_else(unknown)?;
        match self.role(&auth.role) {
            Some(role) if role.permissions.hls_streaming => Ok(Actor::Peer { user: auth.user }),
            _ => Err(refused(auth).into()),
        }
    }

    /// Whether the bearer of an auth token may see who is on stage: who may be there. A server, which has none, may.
    pub(crate) async fn may_look_on_stage(&self, room: &str, auth: Option<token::Auth>) -> Result<(), ControlError> {
        let unknown = || Refused::UnknownRoom(room.to_owned());
        let refused = |auth: token::Auth| {
            let act = format!("see who is on stage in room {}", id::quoted(room));
            Refused::NotAllowed { role: auth.role, room: auth.room, act }
        };
        let Some(auth) = auth else {
            self.shared.reader.room(room).await?.ok_or_else(unknown)?;
            return Ok(());
        };
        if auth.room != room {
            return Err(refused(auth).into());
        }
        self.shared.reader.room(room).await?.ok_or_else(unknown)?;
        match self.role(&auth.role) {
            Some(role) if role.may_publish() => Ok(()),
            _ => Err(refused(auth).into()),
        }
    }

    /// A code that opens its room, and its role.
    async fn entry(&self, code: &str) -> Result<(RoomCode, &Role), ControlError> {
        let unknown = || Refused::UnknownCode(code.to_owned());
        let found = self.shared.reader.code(code).await?.ok_or_else(unknown)?;
        if !found.enabled {
            return Err(Refused::CodeDisabled(found.code).into());
        }
        let room = self.shared.reader.room(&found.room_id).await?.ok_or_else(unknown)?;
        if !room.enabled {
            return Err(Refused::RoomDisabled(room.id).into());
        }
        let role = self.role(&found.role).ok_or_else(unknown)?;
        Ok((found, role))
    }

    pub(crate) fn role(&self, role: &str) -> Option<&Role> {
        self.shared.roles.get(role)
    }

    /// Whether the packager can encode it. `whose` begins the error: where the ladder is, empty for a request's own.
    pub(crate) fn check_ladder(&self, ladder: &Ladder, whose: &str) -> Result<(), Invalid> {
        self.shared.check_ladder.check(ladder).map_err(|why| Invalid(format!("{whose}{why}")))
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.shared.reader
    }

    pub(crate) fn public_url(&self) -> &str {
        &self.shared.public_url
    }

    pub(crate) fn open_to_this_machine(&self) -> bool {
        self.shared.open_to_this_machine
    }

    pub(crate) fn cors(&self) -> &cors::Origins {
        &self.shared.cors
    }
}

/// A UUID of version 4, as a token's `jti`.
pub fn random_uuid() -> String {
    id::uuid(&mut rand::rng())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}
