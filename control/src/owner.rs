#![allow(clippy::disallowed_methods)] // IO: reads the clock and draws random numbers for what is decided purely.
//! The one owner of all state: a task that takes one closed enum of inputs, lets `rooms` decide, keeps what came of it, and only
//! then commands and answers.
//!
//! Where the process dies between keeping and commanding, the next start finds a stream that nobody makes and marks it failed.

use crate::catalog::{CatalogError, Reader, Record, Writer};
use crate::rooms::date::Timestamp;
use crate::rooms::ladder::Ladder;
use crate::rooms::live_stream::{self, Actor, Happening, LiveStream, Start, StartRequest, Status};
use crate::rooms::room::{self, Room, RoomRequest};
use crate::rooms::room_code::{self, RoomCode};
use crate::rooms::template::{Template, TemplateRequest};
use crate::rooms::{Invalid, Refused, id};
use crate::{Command, Event, NotDirected, Undrawn, Wish};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Commands that nobody has taken yet. While there are as many, no new request is taken; happenings are, so that whoever is to take
/// the commands is never kept waiting by us.
const PENDING_COMMANDS: usize = 64;
/// Templates: the names of all are read where rooms are listed.
const TEMPLATES: u64 = 1_000;
/// Those who wait for streams to run: a connection each, of which a server has thousands.
const WAITERS: usize = 1024;
/// How long the last happenings of streams are waited for at the end: longer than a packager is given to end its playlists.
const LAST_HAPPENINGS: Duration = Duration::from_secs(15);

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<Result<T, ControlError>>;

/// Why control did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The caller's to mend.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Ours, or the disk's; worth trying again.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Too many are waiting already; worth trying again.
    #[error("too many are waiting for streams to run; try again in a second")]
    Busy,
    /// No picture could be taken; worth trying again.
    #[error("no picture could be taken just now; try again in a second")]
    NotNow,
    /// Too many are uploading pictures; worth trying again.
    #[error("too many are uploading pictures just now; try again in a few seconds")]
    Uploads,
    /// The process is ending; worth trying again.
    #[error("the server is shutting down; try again in a few seconds")]
    Closed,
}

impl From<Invalid> for ControlError {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(invalid.into())
    }
}

/// Why a stream never ran.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NeverRan {
    /// It failed.
    #[error("the stream failed: {0}")]
    Failed(String),
    /// It was stopped, or ended, before anyone could play it.
    #[error("the stream ended before it ran")]
    Ended,
    /// There is no such stream.
    #[error("there is no such stream")]
    Unknown,
    /// It cannot be told: the process is ending, the catalog does not answer, or too many wait.
    #[error("{0}")]
    Unheard(String),
}

/// Everything that can happen to the owner.
#[derive(Debug)]
pub(crate) enum Input {
    /// `POST /v2/rooms`.
    CreateRoom { request: RoomRequest, answer: Answer<Room> },
    /// `POST /v2/rooms/<id>`.
    UpdateRoom { id: String, request: RoomRequest, answer: Answer<Room> },
    /// `POST /v2/templates`.
    CreateTemplate { request: TemplateRequest, answer: Answer<Template> },
    /// `POST /v2/templates/<id>`.
    UpdateTemplate { id: String, request: TemplateRequest, answer: Answer<Template> },
    /// A room and a code for each of its roles.
    EnsureRoom { id: String, answer: Answer<Vec<RoomCode>> },
    /// `POST /v2/room-codes/room/<room>`: a code for each role, or for one.
    CreateCodes { room: String, role: Option<String>, answer: Answer<Vec<RoomCode>> },
    /// `POST /v2/room-codes/code`.
    EnableCode { code: String, enabled: bool, answer: Answer<RoomCode> },
    /// `POST /v2/live-streams/room/<room>/start`; `ladder` is what is encoded, or why nothing can be.
    StartStream {
        room: String,
        request: StartRequest,
        ladder: Result<Option<Ladder>, ControlError>,
        by: Actor,
        answer: Answer<LiveStream>,
    },
    /// `POST /v2/live-streams/room/<room>/stop`.
    StopRoom { room: String, by: Actor, answer: Answer<Vec<LiveStream>> },
    /// `POST /v2/live-streams/<id>/stop`.
    StopStream { id: String, by: Actor, answer: Answer<LiveStream> },
    /// `POST /v2/live-streams/<id>/layout` and `mix`: answered once it is commanded; `directed` hears more.
    DirectStream {
        id: String,
        wish: Wish,
        directed: oneshot::Sender<Result<Vec<Undrawn>, NotDirected>>,
        answer: Answer<()>,
    },
    /// Somebody waits for a stream to run.
    UntilRunning { stream: String, answer: oneshot::Sender<Result<(), NeverRan>> },
}

pub(crate) struct Owner {
    writer: Writer,
    reader: Reader,
    commands: mpsc::Sender<Command>,
    pending: VecDeque<Command>,
    waiters: HashMap<String, Vec<oneshot::Sender<Result<(), NeverRan>>>>,
}

impl Owner {
    /// Marks as failed what ran when the last process died: nobody makes it any more.
    pub(crate) async fn recover(
        writer: Writer,
        reader: Reader,
        commands: mpsc::Sender<Command>,
    ) -> Result<Self, CatalogError> {
        let pending = VecDeque::new();
        let mut owner = Self { writer, reader, commands, pending, waiters: HashMap::new() };
        let happening = Happening::Failed { reason: "the server ended while the stream ran".to_owned() };
        let unfinished = owner.reader.unfinished_streams().await?;
        let failed = unfinished.iter().filter_map(|stream| stream.after(&happening, now()));
        let failed: Vec<_> = failed.map(Record::Stream).collect();
        if !failed.is_empty() {
            tracing::warn!(streams = failed.len(), "streams that ran when the server last ended are marked failed");
            owner.writer.put(&failed).await?;
        }
        Ok(owner)
    }

    pub(crate) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut events: mpsc::Receiver<Event>,
        shutdown: CancellationToken,
    ) {
        let commands = self.commands.clone();
        let mut events_open = true;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                event = events.recv(), if events_open => match event {
                    Some(event) => self.happened(event).await,
                    None => events_open = false,
                },
                permit = commands.reserve(), if !self.pending.is_empty() => match permit {
                    Ok(permit) => if let Some(command) = self.pending.pop_front() { permit.send(command) },
                    // Nobody makes streams any more, as at the end of the process.
                    Err(_) => self.pending.clear(),
                },
                input = inputs.recv(), if self.pending.len() < PENDING_COMMANDS => match input {
                    Some(input) => self.apply(input).await,
                    None => break,
                },
            }
        }
        // Whoever asks from now on, or waits for what is commanded no more, is told that the server is ending; the streams' ends are heard out, or the
        // next start would take them for lost.
        drop(inputs);
        self.pending.clear();
        let hear_out = async {
            while let Some(event) = events.recv().await {
                self.happened(event).await;
            }
        };
        if tokio::time::timeout(LAST_HAPPENINGS, hear_out).await.is_err() {
            tracing::warn!("streams did not end in time; the next start marks them failed");
        }
    }

    async fn apply(&mut self, input: Input) {
        // Whoever asked may have gone; what was decided stands.
        match input {
            Input::CreateRoom { request, answer } => drop(answer.send(self.create_room(request).await)),
            Input::UpdateRoom { id, request, answer } => drop(answer.send(self.update_room(&id, request).await)),
            Input::CreateTemplate { request, answer } => drop(answer.send(self.create_template(request).await)),
            Input::UpdateTemplate { id, request, answer } => {
                drop(answer.send(self.update_template(&id, request).await));
            }
            Input::EnsureRoom { id, answer } => drop(answer.send(self.ensure_room(id).await)),
            Input::CreateCodes { room, role, answer } => {
                drop(answer.send(self.create_codes(&room, role.as_deref()).await));
            }
            Input::EnableCode { code, enabled, answer } => drop(answer.send(self.enable_code(&code, enabled).await)),
            Input::StartStream { room, request, ladder, by, answer } => {
                drop(answer.send(self.start_stream(&room, request, ladder, &by).await));
            }
            Input::StopRoom { room, by, answer } => drop(answer.send(self.stop_room(&room, &by).await)),
            Input::StopStream { id, by, answer } => drop(answer.send(self.stop_stream(&id, &by).await)),
            Input::DirectStream { id, wish, directed, answer } => {
                drop(answer.send(self.direct_stream(&id, wish, directed).await));
            }
            Input::UntilRunning { stream, answer } => self.until_running(stream, answer).await,
        }
    }

    async fn create_room(&mut self, request: RoomRequest) -> Result<Room, ControlError> {
        let same_id = match &request.id {
            Some(id) => self.reader.room(id).await?,
            None => None,
        };
        let same_name = match request.looked_up_name() {
            Some(name) => self.reader.room_named(name).await?,
            None => None,
        };
        let room = room::upsert(same_id.as_ref(), same_name.as_ref(), &request, now(), &mut rand::rng())?;
        self.keep_room(room).await
    }

    async fn update_room(&mut self, id: &str, request: RoomRequest) -> Result<Room, ControlError> {
        let room = self.room(id).await?;
        let same_name = match &request.name {
            Some(name) => self.reader.room_named(name).await?,
            None => None,
        };
        let room = room::update(&room, same_name.as_ref(), &request, now())?;
        self.keep_room(room).await
    }

    async fn keep_room(&mut self, room: Room) -> Result<Room, ControlError> {
        if self.reader.template(&room.template_id).await?.is_none() {
            let template = id::quoted(&room.template_id);
            let text = format!("template not found: template_id {template}; GET /v2/templates lists them");
            return Err(Invalid(text).into());
        }
        self.writer.put(&[Record::Room(room.clone())]).await?;
        Ok(room)
    }

    async fn create_template(&mut self, request: TemplateRequest) -> Result<Template, ControlError> {
        let same_name = match &request.name {
            Some(name) => self.reader.template_named(name).await?,
            None => None,
        };
        if same_name.is_none() && self.reader.template_count().await? >= TEMPLATES {
            return Err(
                Invalid(format!("there are {TEMPLATES} templates, which is the most; change one of them")).into()
            );
        }
        let template = Template::upsert(same_name, request, &mut rand::rng())?;
        self.keep_template(template).await
    }

    async fn update_template(&mut self, id: &str, request: TemplateRequest) -> Result<Template, ControlError> {
        let template = self.template(id).await?;
        let same_name = match &request.name {
            Some(name) => self.reader.template_named(name).await?,
            None => None,
        };
        self.keep_template(template.replaced(same_name.as_ref(), request)?).await
    }

    async fn keep_template(&mut self, template: Template) -> Result<Template, ControlError> {
        self.writer.put(&[Record::Template(template.clone())]).await?;
        Ok(template)
    }

    async fn ensure_room(&mut self, id: String) -> Result<Vec<RoomCode>, ControlError> {
        if self.reader.room(&id).await?.is_none() {
            self.create_room(RoomRequest { id: Some(id.clone()), ..RoomRequest::default() }).await?;
        }
        self.create_codes(&id, None).await
    }

    async fn create_codes(&mut self, room: &str, role: Option<&str>) -> Result<Vec<RoomCode>, ControlError> {
        let room = self.room(room).await?;
        let template = self.template(&room.template_id).await?;
        if let Some(role) = role.filter(|role| !template.roles.contains_key(*role)) {
            let roles = template.roles.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Refused::UnknownRole { role: role.to_owned(), room: room.id, roles }.into());
        }
        let mut codes = self.reader.codes_of(&room.id).await?;
        let mut made = room_code::missing(&template.roles, &room.id, &codes, now(), &mut rand::rng());
        made.retain(|code| role.is_none_or(|role| role == code.role));
        if !made.is_empty() {
            self.writer.put(&made.iter().cloned().map(Record::Code).collect::<Vec<_>>()).await?;
        }
        codes.append(&mut made);
        codes.retain(|code| role.is_none_or(|role| role == code.role));
        Ok(codes)
    }

    async fn enable_code(&mut self, code: &str, enabled: bool) -> Result<RoomCode, ControlError> {
        let found = self.reader.code(code).await?.ok_or_else(|| Refused::UnknownCode(code.to_owned()))?;
        let changed = RoomCode { enabled, updated_at: now(), ..found };
        self.writer.put(&[Record::Code(changed.clone())]).await?;
        Ok(changed)
    }

    async fn start_stream(
        &mut self,
        room: &str,
        request: StartRequest,
        ladder: Result<Option<Ladder>, ControlError>,
        by: &Actor,
    ) -> Result<LiveStream, ControlError> {
        let room = self.room(room).await?;
        let active = self.reader.active_stream(&room.id).await?;
        let decided = live_stream::start(&room, active.as_ref(), request, by, now(), &mut rand::rng());
        match decided? {
            Start::Already(stream) => Ok(stream),
            Start::New(stream) => {
                let ladder = ladder?;
                self.writer.put(&[Record::Stream(stream.clone())]).await?;
                self.pending.push_back(Command::StartStream { room: room.id, stream: stream.id.clone(), ladder });
                Ok(stream)
            }
        }
    }

    async fn stop_room(&mut self, room: &str, by: &Actor) -> Result<Vec<LiveStream>, ControlError> {
        let room = self.room(room).await?;
        match self.reader.active_stream(&room.id).await? {
            Some(stream) => Ok(vec![self.stop(stream, by).await?]),
            None => Ok(Vec::new()),
        }
    }

    async fn stop_stream(&mut self, id: &str, by: &Actor) -> Result<LiveStream, ControlError> {
        let stream = self.reader.stream(id).await?.ok_or_else(|| Refused::UnknownStream(id.to_owned()))?;
        self.stop(stream, by).await
    }

    async fn stop(&mut self, stream: LiveStream, by: &Actor) -> Result<LiveStream, ControlError> {
        let Some(stopping) = stream.stopped(by, now()) else { return Ok(stream) };
        self.writer.put(&[Record::Stream(stopping.clone())]).await?;
        self.pending.push_back(Command::StopStream { stream: stopping.id.clone() });
        self.answer_waiters(&stopping);
        Ok(stopping)
    }

    async fn direct_stream(
        &mut self,
        id: &str,
        wish: Wish,
        directed: oneshot::Sender<Result<Vec<Undrawn>, NotDirected>>,
    ) -> Result<(), ControlError> {
        let stream = self.reader.stream(id).await?.ok_or_else(|| Refused::UnknownStream(id.to_owned()))?;
        if !matches!(stream.status, Status::Starting | Status::Running) {
            return Err(Refused::NotOnAir { stream: stream.id, status: stream.status.as_str() }.into());
        }
        self.pending.push_back(Command::DirectStream { room: stream.room_id, stream: stream.id, wish, directed });
        Ok(())
    }

    async fn happened(&mut self, event: Event) {
        let (id, happening) = match event {
            Event::StreamRunning { stream } => (stream, Happening::Running),
            Event::StreamEnded { stream } => (stream, Happening::Ended),
            Event::StreamFailed { stream, reason } => (stream, Happening::Failed { reason }),
        };
        match self.take_in(&id, &happening).await {
            Ok(Some(changed)) => self.answer_waiters(&changed),
            Ok(None) => tracing::debug!(stream = id, ?happening, "changes nothing"),
            // The stream goes on whether it can be written down or not; at the next start it is marked failed.
            Err(cause) => {
                tracing::error!(stream = id, ?happening, %cause, "what happened to a stream was not kept");
                self.tell_waiters(&id, &Err(NeverRan::Unheard(cause.to_string())));
            }
        }
    }

    async fn take_in(&mut self, id: &str, happening: &Happening) -> Result<Option<LiveStream>, CatalogError> {
        let Some(stream) = self.reader.stream(id).await? else { return Ok(None) };
        let Some(changed) = stream.after(happening, now()) else { return Ok(None) };
        self.writer.put(&[Record::Stream(changed.clone())]).await?;
        Ok(Some(changed))
    }

    async fn until_running(&mut self, stream: String, answer: oneshot::Sender<Result<(), NeverRan>>) {
        let known = match self.reader.stream(&stream).await {
            Ok(Some(known)) => known,
            Ok(None) => return drop(answer.send(Err(NeverRan::Unknown))),
            Err(cause) => return drop(answer.send(Err(NeverRan::Unheard(cause.to_string())))),
        };
        if let Some(outcome) = outcome(&known) {
            return drop(answer.send(outcome));
        }
        for waiting in self.waiters.values_mut() {
            waiting.retain(|waiter| !waiter.is_closed());
        }
        self.waiters.retain(|_, waiting| !waiting.is_empty());
        if self.waiters.values().map(Vec::len).sum::<usize>() >= WAITERS {
            return drop(answer.send(Err(NeverRan::Unheard(ControlError::Busy.to_string()))));
        }
        self.waiters.entry(stream).or_default().push(answer);
    }

    fn answer_waiters(&mut self, stream: &LiveStream) {
        if let Some(outcome) = outcome(stream) {
            self.tell_waiters(&stream.id, &outcome);
        }
    }

    fn tell_waiters(&mut self, stream: &str, outcome: &Result<(), NeverRan>) {
        for waiter in self.waiters.remove(stream).into_iter().flatten() {
            let _nobody_waits_any_more = waiter.send(outcome.clone());
        }
    }

    async fn room(&self, id: &str) -> Result<Room, ControlError> {
        Ok(self.reader.room(id).await?.ok_or_else(|| Refused::UnknownRoom(id.to_owned()))?)
    }

    async fn template(&self, id: &str) -> Result<Template, ControlError> {
        Ok(self.reader.template(id).await?.ok_or_else(|| Refused::UnknownTemplate(id.to_owned()))?)
    }
}

/// What those who wait for a stream to run are told; none while it is starting.
fn outcome(stream: &LiveStream) -> Option<Result<(), NeverRan>> {
    match stream.status {
        Status::Starting => None,
        Status::Running => Some(Ok(())),
        Status::Stopping | Status::Completed => Some(Err(NeverRan::Ended)),
        Status::Failed => Some(Err(NeverRan::Failed(stream.error.clone().unwrap_or_default()))),
    }
}

/// The wall clock, which dates what is kept.
fn now() -> Timestamp {
    Timestamp::from_epoch(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
