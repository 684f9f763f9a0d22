#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: one thread per rung.
//! A rung's thread: scales the canvas, encodes it unless it stands still, and accounts for every tick.

use super::still::{Choice, Stills};
use super::{NO_END, Shared, ThreadEvent};
use crate::canvas::Canvas;
use crate::encode::VideoEncoder;
use crate::ffmpeg::{FfmpegError, Picture, Scaler, whole};
use crate::ladder::{self, KEY_FRAME_SECONDS, Ladder};
use crate::segmenter::{Cut, Unit};
use crate::session::{Input, Lane};
use crate::stages::{FrameStamps, TickStamps};
use footlight_media::time::SessionTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Canvases that wait for a rung: a quarter of a second at 30 fps. A tick that finds it full is left out by this rung.
pub(crate) const CANVASES: usize = 8;

#[derive(Clone)]
pub(super) struct ToRung {
    pub(super) tick: u64,
    pub(super) canvas: Arc<Canvas>,
    pub(super) due: SessionTime,
    pub(super) drawn: SessionTime,
    pub(super) newest: Option<FrameStamps>,
}

pub(super) struct Rung {
    ticks: SyncSender<ToRung>,
}

impl Rung {
    pub(super) fn send(&self, tick: ToRung, wait: bool) {
        // Failing means that the rung is gone, which it has told the loop, or that it is late, which it will see by the number.
        if wait {
            let _gone = self.ticks.send(tick);
        } else {
            let _late = self.ticks.try_send(tick);
        }
    }
}

pub(super) fn start(
    shared: Shared,
    lane: Lane,
    rung: ladder::Rung,
    ladder: Ladder,
    part: u64,
) -> std::io::Result<Rung> {
    let (ticks, queue) = sync_channel(CANVASES);
    std::thread::Builder::new().name(format!("rung-{}", rung.name)).spawn(move || {
        let events = shared.events.clone();
        let stop_part = Arc::clone(&shared.stop_part);
        let last = match run(shared, lane, &rung, &ladder, part, &queue) {
            // Nobody has said that this is the end: the compositor is gone.
            Ok(()) if stop_part.load(Ordering::Relaxed) == NO_END => ThreadEvent::Failed(FfmpegError::Setup {
                what: format!("rung {}", rung.name),
                cause: "no pictures come any more".to_owned(),
            }),
            Ok(()) => ThreadEvent::Session(Input::Drained { lane }),
            Err(error) => ThreadEvent::Failed(error),
        };
        let _nobody_listens_after_the_end = events.blocking_send(last);
    })?;
    Ok(Rung { ticks })
}

fn run(
    shared: Shared,
    lane: Lane,
    rung: &ladder::Rung,
    ladder: &Ladder,
    part: u64,
    ticks: &Receiver<ToRung>,
) -> Result<(), FfmpegError> {
    let meter = shared.counters.meter(&format!("encode-{}", rung.name));
    let encoder = VideoEncoder::new(rung, ladder.fps)?;
    let cut = Cut::video(ladder.fps);
    let header = encoder.header().clone();
    let _nobody_listens_after_the_end =
        shared.events.blocking_send(ThreadEvent::Session(Input::Opened { lane, header }));
    let mut encoding = Encoding {
        skipped: shared.counters.skipped_by(&rung.name),
        shared,
        lane,
        encoder,
        scaled: (rung.size != ladder.canvas).then(|| (Scaler::default(), Picture::black(rung.size))),
        cut,
        stills: Stills::new(u64::from(ladder.fps * KEY_FRAME_SECONDS)),
        next: cut.first_unit(part),
        begun: false,
    };
    while let Ok(tick) = ticks.recv() {
        encoding.catch_up(&tick)?;
        encoding.encode(&tick, tick.tick)?;
        meter.read();
    }
    encoding.finish();
    Ok(())
}

struct Encoding {
    /// Ticks that were left out.
    skipped: Arc<AtomicU64>,
    shared: Shared,
    lane: Lane,
    encoder: VideoEncoder,
    /// Where the rung's picture is not the canvas's size.
    scaled: Option<(Scaler, Picture)>,
    cut: Cut,
    stills: Stills<Canvas>,
    /// The next tick to be accounted for.
    next: u64,
    begun: bool,
}

impl Encoding {
    /// Accounts for the ticks that never came: a boundary is encoded from this canvas, another lengthens the sample before it.
    fn catch_up(&mut self, tick: &ToRung) -> Result<(), FfmpegError> {
        while self.next < tick.tick {
            self.skipped.fetch_add(1, Ordering::Relaxed);
            if self.cut.begins_part(self.next) {
                self.encode(tick, self.next)?;
            } else {
                self.push(Unit { number: self.next, access_unit: None }, None);
            }
        }
        Ok(())
    }

    /// Encodes the canvas as tick `number`, or repeats what it has become before.
    fn encode(&mut self, tick: &ToRung, number: u64) -> Result<(), FfmpegError> {
        let access_unit = match self.stills.choose(&tick.canvas, number) {
            Choice::Repeat(unit) => {
                self.shared.counters.repeated_by_rungs.fetch_add(1, Ordering::Relaxed);
                unit
            }
            Choice::Encode { key } => {
                let key = key || !self.begun;
                self.begun = true;
                let picture = match &mut self.scaled {
                    Some((scaler, picture)) => {
                        let rect = whole(picture.size());
                        scaler.draw(&tick.canvas.picture, picture, rect)?;
                        picture
                    }
                    None => &tick.canvas.picture,
                };
                let unit = self.encoder.encode(picture, number, key)?;
                self.stills.encoded(number, &unit);
                unit
            }
        };
        let stamps = TickStamps {
            tick: number,
            due: tick.due,
            drawn: tick.drawn,
            encoded: self.shared.clock.now(),
            newest: tick.newest.filter(|_| number == tick.tick),
        };
        self.push(Unit { number, access_unit: Some(access_unit) }, Some(stamps));
        Ok(())
    }

    /// Ticks that were left out at the very end of the last part.
    fn finish(&mut self) {
        let stop_part = self.shared.stop_part.load(Ordering::Relaxed);
        let stop = self.cut.first_unit(stop_part);
        if self.next <= self.cut.first_unit(stop_part.saturating_sub(1)) {
            return;
        }
        while self.next < stop {
            self.push(Unit { number: self.next, access_unit: None }, None);
        }
    }

    fn push(&mut self, unit: Unit, stamps: Option<TickStamps>) {
        self.next = unit.number + 1;
        let input = Input::Unit { lane: self.lane, unit, stamps };
        let _nobody_listens_after_the_end = self.shared.events.blocking_send(ThreadEvent::Session(input));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SessionClock;
    use crate::ladder::tests::one_rung;
    use crate::timeline::Timeline;
    use std::time::Duration;
    use tokio::sync::mpsc;

    /// A compositor that panics lets go of its rungs.
    #[test]
    fn a_rung_whose_pictures_end_before_anyone_said_so_has_failed() {
        let end = |stop_part: u64| {
            let clock = SessionClock::starting_now();
            let delay = Duration::from_millis(150);
            let timeline = Timeline { zero: SessionTime::ZERO, zero_date: clock.zero_date(), delay, fps: 30 };
            let (events, mut heard) = mpsc::channel(8);
            let shared =
                Shared { clock, timeline, stop_part: Arc::new(stop_part.into()), counters: Arc::default(), events };
            let ladder = one_rung();
            drop(start(shared, 0, ladder.rungs[0].clone(), ladder, 0).expect("a thread"));
            let opened = heard.blocking_recv();
            assert!(matches!(opened, Some(ThreadEvent::Session(Input::Opened { .. }))));
            heard.blocking_recv().expect("how it ended")
        };
        assert!(matches!(end(0), ThreadEvent::Session(Input::Drained { .. })));
        assert!(matches!(end(NO_END), ThreadEvent::Failed(_)));
    }
}
