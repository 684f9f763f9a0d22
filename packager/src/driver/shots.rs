#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // IO: a thread that encodes pictures nobody waits for at a tick.
//! The thread that makes JPEGs: of what somebody asked for, and the programme's poster.

use super::{Shared, ThreadEvent};
use crate::canvas::Canvas;
use crate::ffmpeg::Picture;
use crate::snapshot::jpeg;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

/// Pictures that wait: each takes some 20 ms.
const SHOTS: usize = 8;

/// A picture to be encoded.
pub(super) enum Shot {
    /// Somebody's question has this number.
    Asked { number: u64, of: Subject },
    /// For pages that wait.
    Poster(Arc<Canvas>),
}

/// What is on it.
pub(super) enum Subject {
    Programme(Arc<Canvas>),
    Peer(Arc<Picture>),
    /// They have no picture.
    Nothing,
}

pub(super) fn start(shared: Shared) -> std::io::Result<SyncSender<Shot>> {
    let (shots, queue) = sync_channel(SHOTS);
    std::thread::Builder::new().name("shots".into()).spawn(move || {
        let meter = shared.counters.meter("shots");
        while let Ok(shot) = queue.recv() {
            let event = match shot {
                Shot::Asked { number, of } => ThreadEvent::Snapshot { number, jpeg: encoded(&of) },
                Shot::Poster(canvas) => match jpeg(&canvas.picture) {
                    Some(jpeg) => ThreadEvent::Poster(jpeg),
                    None => continue,
                },
            };
            meter.read();
            if shared.events.blocking_send(event).is_err() {
                return;
            }
        }
    })?;
    Ok(shots)
}

fn encoded(subject: &Subject) -> Option<Bytes> {
    match subject {
        Subject::Programme(canvas) => jpeg(&canvas.picture),
        Subject::Peer(picture) => jpeg(picture),
        Subject::Nothing => None,
    }
}
