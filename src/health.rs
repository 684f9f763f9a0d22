//! How what each peer sends arrives, put together from what stage counts of packets and what the packager sees of pictures and hears of sound. Pure.
//!
//! What is told of is what has changed from one look to the next: a state that lasts says so once.

use crate::words;
use footlight_control::{Peer, PeerTrack, RoomEvent, RoomEventKind, Timestamp, TrackKind, TrackState};
use footlight_media::codec::Kind;
use footlight_media::time::SessionTime;
use footlight_media::track::{Source, TrackId};
use footlight_packager::signal::{Signal, Subject};
use footlight_stage::driver::SessionStats;
use footlight_stage::track::TrackStats;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// Events that are kept of a room.
const EVENTS: usize = 200;
/// Looks, one a second, over which losses are counted: a burst is seen for so long.
const LOSS_LOOKS: usize = 5;
/// Packets are missed after this: Opus sends one every 400 ms in silence (RFC 7587 section 3.1.3), and no picture that moves has fewer than one a second.
const NO_PACKETS: Duration = Duration::from_secs(3);
/// Where no picture has come, so long a pause is why.
const STALLED: Duration = Duration::from_secs(1);
/// A key frame that does not come is told of after this: it was asked for several times by then.
const NO_KEY_FRAME: Duration = Duration::from_secs(2);

/// Whoever is on stage for so long could have been seen and heard: the longest that a signal is watched before it is told of.
const SETTLED: Duration = Duration::from_secs(5);

/// What is known of a room at one instant.
pub struct Look<'a> {
    /// Its sessions.
    pub sessions: Vec<&'a SessionStats>,
    /// What there is to see and to hear, where it is live.
    pub signals: &'a [(Subject, Signal)],
    /// On the session clock.
    pub now: SessionTime,
    /// The same instant, since 1970.
    pub date: Duration,
}

/// What is remembered of a room.
#[derive(Debug, Default)]
pub struct RoomHealth {
    peers: BTreeMap<String, Peer>,
    programme: BTreeMap<TrackKind, TrackState>,
    losses: HashMap<TrackId, Losses>,
    /// Since when a key frame is missed.
    keyless: HashMap<TrackId, SessionTime>,
    /// By session: when it began, as it was first seen. To count it anew from each look would move it by what two clocks differ.
    joined: HashMap<String, Timestamp>,
    events: VecDeque<RoomEvent>,
}

/// For each of the last looks, how many packets came by themselves, and how many had to be sent again or never came.
#[derive(Debug, Default)]
struct Losses(VecDeque<(u64, u64)>);

impl RoomHealth {
    /// Those on stage.
    pub fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    /// How the programme is.
    pub fn programme(&self) -> impl Iterator<Item = (TrackKind, TrackState)> {
        self.programme.iter().map(|(kind, state)| (*kind, *state))
    }

    /// What has lately changed, the oldest first.
    pub fn events(&self) -> impl Iterator<Item = &RoomEvent> {
        self.events.iter()
    }

    /// Takes a look; answers with what has changed.
    pub fn look(&mut self, look: &Look<'_>) -> Vec<RoomEvent> {
        let peers = self.peers_of(look);
        let programme = programme(look);
        let event = |kind, user_id: Option<&String>| RoomEvent {
            timestamp: Timestamp::from_epoch(look.date),
            kind,
            user_id: user_id.cloned(),
            track_type: None,
            source: None,
            state: None,
        };
        let mut changed = Vec::new();
        for (id, peer) in &peers {
            let before = self.peers.get(id);
            if before.is_none() {
                changed.push(event(RoomEventKind::PeerJoined, Some(id)));
            }
            for (number, track) in &peer.tracks {
                let before =
                    before.and_then(|peer| peer.tracks.get(number)).map_or(TrackState::Ok, |track| track.state);
                if before != track.state {
                    changed.push(RoomEvent {
                        track_type: Some(track.kind),
                        source: Some(track.source),
                        state: Some(track.state),
                        ..event(RoomEventKind::TrackState, Some(id))
                    });
                }
            }
        }
        let left = self.peers.keys().filter(|id| !peers.contains_key(*id));
        changed.extend(left.map(|id| event(RoomEventKind::PeerLeft, Some(id))));
        for (kind, state) in &programme {
            if self.programme.get(kind).copied().unwrap_or(TrackState::Ok) != *state {
                let about = event(RoomEventKind::ProgrammeState, None);
                changed.push(RoomEvent { track_type: Some(*kind), state: Some(*state), ..about });
            }
        }
        (self.peers, self.programme) = (peers, programme);
        self.events.extend(changed.iter().cloned());
        let old = self.events.len().saturating_sub(EVENTS);
        self.events.drain(..old);
        changed
    }

    fn peers_of(&mut self, look: &Look<'_>) -> BTreeMap<String, Peer> {
        let known: Vec<TrackId> = look.sessions.iter().flat_map(|of| &of.tracks).map(|track| track.track).collect();
        self.losses.retain(|track, _| known.contains(track));
        let waiting = |id: &TrackId| {
            let mut tracks = look.sessions.iter().flat_map(|of| &of.tracks);
            tracks.any(|track| track.track == *id && track.waits_for_key_frame)
        };
        self.keyless.retain(|track, _| waiting(track));
        for id in known.iter().filter(|id| waiting(id)) {
            self.keyless.entry(*id).or_insert(look.now);
        }
        self.joined.retain(|id, _| look.sessions.iter().any(|session| session.id == *id));
        let mut peers: BTreeMap<String, Peer> = BTreeMap::new();
        for session in look.sessions.iter().filter(|session| session.connected) {
            let user = &session.from.peer.0;
            let began = || Timestamp::from_epoch(look.date.saturating_sub(session.age));
            let joined_at = *self.joined.entry(session.id.clone()).or_insert_with(began);
            let peer = peers.entry(user.clone()).or_insert_with(|| Peer {
                id: user.clone(),
                name: user.clone(),
                user_id: user.clone(),
                role: session.role.clone(),
                metadata: String::new(),
                joined_at,
                tracks: BTreeMap::new(),
            });
            peer.joined_at = peer.joined_at.min(joined_at);
            if let Some(name) = &session.from.name {
                peer.name.clone_from(name);
            }
            for track in &session.tracks {
                let loss = self.losses.entry(track.track).or_default().count(track);
                peer.tracks.insert(
                    track.track.0.to_string(),
                    peer_track(look, session, track, loss, self.keyless.get(&track.track)),
                );
            }
        }
        peers
    }
}

impl Losses {
    /// Takes what has been counted; answers with the share that was lost.
    fn count(&mut self, track: &TrackStats) -> Option<f64> {
        // What is sent again though it had come is a browser's way to see how much the network takes.
        let again = track.retransmissions.saturating_sub(track.double_packets);
        let lost = again + track.lost_packets;
        self.0.push_back((track.packets.saturating_sub(track.retransmissions), lost));
        if self.0.len() > LOSS_LOOKS + 1 {
            self.0.pop_front();
        }
        let (&(came_then, lost_then), &(came, lost)) = (self.0.front()?, self.0.back()?);
        let (came, lost) = (came.saturating_sub(came_then), lost.saturating_sub(lost_then));
        (came + lost > 0).then(|| lost as f64 / (came + lost) as f64)
    }
}

fn peer_track(
    look: &Look<'_>,
    session: &SessionStats,
    track: &TrackStats,
    loss: Option<f64>,
    keyless: Option<&SessionTime>,
) -> PeerTrack {
    let kind = track.codec.kind();
    let signal = look.signals.iter().find(|(of, _)| *of == Subject::Track(track.track)).map(|(_, signal)| *signal);
    let missed = keyless.is_some_and(|since| look.now >= *since + NO_KEY_FRAME);
    let state = state(look.now, session, track, signal, missed);
    let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let rids = || session.rids.iter().filter(|_| kind == Kind::Video).enumerate();
    let age = |then| u64::try_from(look.now.micros_since(then) / 1_000).unwrap_or(0);
    PeerTrack {
        id: track.track.0.to_string(),
        kind: match kind {
            Kind::Audio => TrackKind::Audio,
            Kind::Video => TrackKind::Video,
        },
        source: words::source(session.from.source),
        session_id: session.id.clone(),
        mute: state == TrackState::Muted,
        codec: track.codec.encoding_name().to_ascii_lowercase(),
        width: track.size.map(|size| size.width),
        height: track.size.map(|size| size.height),
        state,
        loss,
        jitter_ms: ms(track.jitter),
        round_trip_ms: session.round_trip.map(ms),
        layers: rids().filter(|(n, _)| track.sent_layers >> n & 1 == 1).map(|(_, rid)| rid.clone()).collect(),
        layer: rids().find(|(number, _)| track.layer == Some(*number)).map(|(_, rid)| rid.clone()),
        key_frame_age_ms: track.last_key_frame.map(age),
    }
}

/// The first thing that is missing on the way from the peer to the picture.
fn state(
    now: SessionTime,
    session: &SessionStats,
    track: &TrackStats,
    signal: Option<Signal>,
    keyless: bool,
) -> TrackState {
    let long_ago = |then: Option<SessionTime>, wait: Duration| then.is_none_or(|then| now >= then + wait);
    if session.age >= NO_PACKETS && long_ago(track.last_packet, NO_PACKETS) {
        return TrackState::NoPackets;
    }
    if keyless {
        return TrackState::NoKeyFrame;
    }
    match (signal, session.from.source) {
        (Some(Signal::Muted), _) => TrackState::Muted,
        (Some(Signal::Black), _) => TrackState::Black,
        (Some(Signal::Silent), Source::Regular) => TrackState::Silent,
        (Some(Signal::Frozen), Source::Regular) => TrackState::Frozen,
        // No picture comes of what comes, if it does.
        (Some(Signal::Stalled), Source::Regular) if long_ago(track.last_packet, STALLED) => TrackState::NoPackets,
        (Some(Signal::Stalled), Source::Regular) => TrackState::Undecodable,
        // A screen on which nothing happens is as it should be.
        (Some(Signal::Silent | Signal::Frozen | Signal::Stalled), Source::Screen) => TrackState::Ok,
        (Some(Signal::Fine) | None, _) => TrackState::Ok,
    }
}

/// Where nobody sends a picture, or no sound, none is missed, nor before who has just come could be seen and heard. A screen that is shared may stand still.
fn programme(look: &Look<'_>) -> BTreeMap<TrackKind, TrackState> {
    let settled = || look.sessions.iter().filter(|session| session.connected && session.age >= SETTLED);
    let sends = |kind: Kind| settled().any(|session| session.tracks.iter().any(|track| track.codec.kind() == kind));
    let (pictures, sounds) = (sends(Kind::Video), sends(Kind::Audio));
    let screen = settled().any(|session| session.from.source == Source::Screen);
    let of = |subject: &Subject, signal: &Signal| {
        let kind = match subject {
            Subject::Picture => TrackKind::Video,
            Subject::Sound => TrackKind::Audio,
            Subject::Track(_) => return None,
        };
        let state = match signal {
            _ if !(if kind == TrackKind::Video { pictures } else { sounds }) => TrackState::Ok,
            Signal::Fine => TrackState::Ok,
            Signal::Frozen | Signal::Stalled if screen => TrackState::Ok,
            Signal::Black => TrackState::Black,
            Signal::Muted if kind == TrackKind::Video => TrackState::Black,
            Signal::Frozen | Signal::Stalled => TrackState::Frozen,
            Signal::Silent | Signal::Muted => TrackState::Silent,
        };
        Some((kind, state))
    };
    look.signals.iter().filter_map(|(subject, signal)| of(subject, signal)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use footlight_media::codec::Codec;
    use footlight_media::track::{Contributor, PeerKey};
    use footlight_stage::picture_size::PictureSize;

    const CAMERA: TrackId = TrackId(7);

    fn at(seconds: i64) -> SessionTime {
        SessionTime::from_micros(1_000_000 * seconds)
    }

    /// Ada, who has been there for a minute and sends a picture in three layers.
    fn ada(now: SessionTime) -> SessionStats {
        let mut camera = TrackStats::new(CAMERA, Codec::H264);
        camera.packets = 1_000;
        camera.size = Some(PictureSize { width: 640, height: 360 });
        (camera.last_packet, camera.last_key_frame) = (Some(now), Some(at(1)));
        (camera.layer, camera.sent_layers) = (Some(1), 0b011);
        SessionStats {
            id: "camera's".into(),
            room: "room".into(),
            from: Contributor { name: Some("Ada L.".into()), ..PeerKey("ada".into()).into() },
            role: "broadcaster".into(),
            age: Duration::from_secs(60),
            connected: true,
            round_trip: Some(Duration::from_millis(40)),
            rids: ["q", "h", "f"].map(str::to_owned).to_vec(),
            tracks: vec![camera],
            dropped: 0,
        }
    }

    fn look<'a>(sessions: &'a [SessionStats], signals: &'a [(Subject, Signal)], now: SessionTime) -> Look<'a> {
        let date = Duration::from_secs(1_000_000) + Duration::from_micros(now.as_micros().unsigned_abs());
        Look { sessions: sessions.iter().collect(), signals, now, date }
    }

    /// The state of the only track, which has been so for two looks.
    fn state_of(session: SessionStats, signal: Option<Signal>) -> TrackState {
        let signals: Vec<_> = signal.map(|signal| (Subject::Track(CAMERA), signal)).into_iter().collect();
        let mut room = RoomHealth::default();
        let sessions = [session];
        room.look(&look(&sessions, &signals, at(98)));
        room.look(&look(&sessions, &signals, at(100)));
        let peer = room.peers().next().expect("ada");
        peer.tracks["7"].state
    }

    #[test]
    fn what_is_missing_is_named_by_the_first_thing_on_its_way() {
        let check = |change: &dyn Fn(&mut SessionStats), signal, want| {
            let mut session = ada(at(100));
            change(&mut session);
            assert_eq!(state_of(session, signal), want);
        };
        let nothing = |_: &mut SessionStats| {};
        check(&nothing, None, TrackState::Ok);
        check(&nothing, Some(Signal::Fine), TrackState::Ok);
        check(&nothing, Some(Signal::Black), TrackState::Black);
        check(&nothing, Some(Signal::Muted), TrackState::Muted);
        check(&nothing, Some(Signal::Frozen), TrackState::Frozen);
        check(&nothing, Some(Signal::Stalled), TrackState::Undecodable);
        let lost = |session: &mut SessionStats| session.tracks[0].last_packet = Some(at(97));
        check(&lost, Some(Signal::Stalled), TrackState::NoPackets);
        let pausing = |session: &mut SessionStats| session.tracks[0].last_packet = Some(at(98));
        check(&pausing, Some(Signal::Stalled), TrackState::NoPackets);
        check(&pausing, Some(Signal::Fine), TrackState::Ok);
        let keyless = |session: &mut SessionStats| session.tracks[0].waits_for_key_frame = true;
        check(&keyless, Some(Signal::Stalled), TrackState::NoKeyFrame);
        let new = |session: &mut SessionStats| {
            session.age = Duration::from_secs(1);
            session.tracks[0].last_packet = None;
        };
        check(&new, None, TrackState::Ok);
        let screen = |session: &mut SessionStats| session.from.source = Source::Screen;
        check(&screen, Some(Signal::Frozen), TrackState::Ok);
        check(&screen, Some(Signal::Black), TrackState::Black);
    }

    #[test]
    fn a_key_frame_that_comes_when_asked_for_is_not_missed() {
        let (mut waiting, mut room) = (ada(at(100)), RoomHealth::default());
        waiting.tracks[0].waits_for_key_frame = true;
        let mut state = |session: SessionStats, seconds| {
            room.look(&look(&[session], &[], at(seconds)));
            room.peers().next().expect("ada").tracks["7"].state
        };
        // The last one came long ago, and is what all since have been based on.
        assert_eq!(state(waiting.clone(), 99), TrackState::Ok);
        assert_eq!(state(ada(at(100)), 100), TrackState::Ok);
        assert_eq!(state(waiting.clone(), 101), TrackState::Ok);
        assert_eq!(state(waiting, 103), TrackState::NoPackets, "by then it sends nothing at all");
    }

    #[test]
    fn when_a_peer_came_stays_what_it_was() {
        let (mut room, mut session) = (RoomHealth::default(), ada(at(100)));
        let mut joined_at = |session: &SessionStats| {
            room.look(&look(std::slice::from_ref(session), &[], at(100)));
            room.peers().next().expect("ada").joined_at
        };
        let joined = joined_at(&session);
        session.age += Duration::from_millis(1);
        assert_eq!(joined_at(&session), joined);
        (session.id, session.age) = ("another".into(), Duration::ZERO);
        assert_ne!(joined_at(&session), joined);
    }

    #[test]
    fn a_peer_is_shown_with_both_of_their_things_and_the_layer_that_is_taken() {
        let now = at(100);
        let mut screen = ada(now);
        screen.from = Contributor { source: Source::Screen, name: None, ..screen.from };
        screen.tracks[0].track = TrackId(8);
        screen.age = Duration::from_secs(10);
        screen.id = "screen's".into();
        let mut room = RoomHealth::default();
        room.look(&look(&[screen, ada(now)], &[], now));
        let peers: Vec<&Peer> = room.peers().collect();
        let [peer] = &peers[..] else { panic!("{peers:?}") };
        assert_eq!((peer.name.as_str(), peer.role.as_str()), ("Ada L.", "broadcaster"));
        assert_eq!(peer.joined_at, Timestamp::from_epoch(Duration::from_secs(1_000_040)));
        assert_eq!(
            peer.tracks.values().map(|t| t.source).collect::<Vec<_>>(),
            [footlight_control::TrackSource::Regular, footlight_control::TrackSource::Screen]
        );
        assert_eq!(["7", "8"].map(|id| peer.tracks[id].session_id.as_str()), ["camera's", "screen's"]);
        let camera = &peer.tracks["7"];
        assert_eq!((camera.layers.join(""), camera.layer.as_deref()), ("qh".to_owned(), Some("h")));
        assert_eq!((camera.round_trip_ms, camera.key_frame_age_ms), (Some(40.0), Some(99_000)));
        assert_eq!((camera.codec.as_str(), camera.width), ("h264", Some(640)));
    }

    #[test]
    fn losses_are_those_of_the_last_seconds_and_not_what_a_browser_sends_twice() {
        let mut losses = Losses::default();
        let mut track = TrackStats::new(CAMERA, Codec::Vp8);
        let mut count = |packets, again, double| {
            track.packets += packets + again;
            track.retransmissions += again;
            track.double_packets += double;
            losses.count(&track)
        };
        assert_eq!(count(0, 0, 0), None);
        assert_eq!(count(90, 10, 0), Some(0.1));
        assert_eq!(count(90, 10, 10), Some(10.0 / 190.0));
        for _ in 0..LOSS_LOOKS {
            count(100, 0, 0);
        }
        assert_eq!(count(100, 0, 0), Some(0.0));
    }

    #[test]
    fn a_programme_misses_only_what_somebody_sends() {
        let check = |change: &dyn Fn(&mut SessionStats), subject: Subject, signal: Signal, want| {
            let mut session = ada(at(100));
            change(&mut session);
            let mut room = RoomHealth::default();
            room.look(&look(&[session], &[(subject, signal)], at(100)));
            assert_eq!(room.programme().map(|(_, state)| state).collect::<Vec<_>>(), [want], "{subject:?} {signal:?}");
        };
        let camera = |_: &mut SessionStats| {};
        let screen = |session: &mut SessionStats| session.from.source = Source::Screen;
        let voice = |session: &mut SessionStats| session.tracks = vec![TrackStats::new(TrackId(9), Codec::Opus)];
        check(&camera, Subject::Picture, Signal::Frozen, TrackState::Frozen);
        check(&camera, Subject::Picture, Signal::Black, TrackState::Black);
        check(&camera, Subject::Sound, Signal::Silent, TrackState::Ok);
        check(&screen, Subject::Picture, Signal::Frozen, TrackState::Ok);
        check(&screen, Subject::Picture, Signal::Black, TrackState::Black);
        check(&voice, Subject::Picture, Signal::Frozen, TrackState::Ok);
        check(&voice, Subject::Sound, Signal::Silent, TrackState::Silent);
    }

    #[test]
    fn what_changes_is_told_once_and_kept_for_a_while() {
        let mut room = RoomHealth::default();
        let told = |room: &mut RoomHealth, sessions: &[SessionStats], signals: &[(Subject, Signal)]| -> Vec<_> {
            let events = room.look(&look(sessions, signals, at(100)));
            events.into_iter().map(|event| (event.kind, event.user_id, event.state)).collect()
        };
        let (ada, user) = ([ada(at(100))], Some("ada".to_owned()));
        let dark = [(Subject::Track(CAMERA), Signal::Black), (Subject::Picture, Signal::Black)];
        assert_eq!(told(&mut room, &ada, &[]), [(RoomEventKind::PeerJoined, user.clone(), None)]);
        let want = [
            (RoomEventKind::TrackState, user.clone(), Some(TrackState::Black)),
            (RoomEventKind::ProgrammeState, None, Some(TrackState::Black)),
        ];
        assert_eq!(told(&mut room, &ada, &dark), want);
        assert_eq!(told(&mut room, &ada, &dark), []);
        let want = [(RoomEventKind::PeerLeft, user, None), (RoomEventKind::ProgrammeState, None, Some(TrackState::Ok))];
        assert_eq!(told(&mut room, &[], &[(Subject::Picture, Signal::Frozen)]), want, "a slate stands still");
        for number in 0..EVENTS {
            told(&mut room, if number % 2 == 0 { &ada } else { &[] }, &[]);
        }
        assert_eq!(room.events().count(), EVENTS);
    }
}
