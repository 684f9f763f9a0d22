#![allow(clippy::disallowed_types)] // IO: answers go to tasks that wait.
//! Pictures of one live stream that somebody waits for, while its packager takes them.

use bytes::Bytes;
use footlight_control::NoSnapshot;
use footlight_media::track::PeerKey;
use footlight_packager::driver::ToPackager;
use std::collections::HashMap;
use tokio::sync::oneshot;

/// What begins a JPEG (ISO/IEC 10918-1 annex B: SOI, then a marker).
const BEGIN: [u8; 3] = [0xff, 0xd8, 0xff];
/// More than the largest picture that is taken on stage needs: whoever took the packager over is answered for, too.
const MOST_BYTES: usize = 16 << 20;

/// A picture that is wanted.
pub(crate) struct Shot {
    /// Whose; the programme's where it is `None`.
    pub(crate) peer: Option<PeerKey>,
    /// Who waits for it.
    pub(crate) answer: oneshot::Sender<Result<Bytes, NoSnapshot>>,
}

/// Those that were asked for and have not come.
#[derive(Default)]
pub(crate) struct Snapshots {
    waiting: HashMap<u64, oneshot::Sender<Result<Bytes, NoSnapshot>>>,
    number: u64,
}

impl Snapshots {
    /// What the packager is told.
    pub(crate) fn ask(&mut self, shot: Shot) -> ToPackager {
        self.waiting.retain(|_, answer| !answer.is_closed());
        self.number += 1;
        self.waiting.insert(self.number, shot.answer);
        ToPackager::Snapshot { number: self.number, peer: shot.peer }
    }

    /// Passes a picture on to who waits for it.
    pub(crate) fn heard(&mut self, number: u64, jpeg: Option<Bytes>) {
        let Some(answer) = self.waiting.remove(&number) else { return };
        let picture = match jpeg {
            None => Err(NoSnapshot::NoPicture),
            Some(jpeg) if jpeg.len() <= MOST_BYTES && jpeg.starts_with(&BEGIN) => Ok(jpeg),
            Some(_) => Err(NoSnapshot::NotNow),
        };
        let _nobody_waits = answer.send(picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(snapshots: &mut Snapshots) -> (u64, oneshot::Receiver<Result<Bytes, NoSnapshot>>) {
        let (answer, picture) = oneshot::channel();
        match snapshots.ask(Shot { peer: None, answer }) {
            ToPackager::Snapshot { number, .. } => (number, picture),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_picture_goes_to_who_waits_for_it_and_nothing_else_is_passed_on() {
        let mut snapshots = Snapshots::default();
        let check =
            |snapshots: &mut Snapshots, jpeg: Option<&'static [u8]>, want: Result<&'static [u8], NoSnapshot>| {
                let (number, mut picture) = ask(snapshots);
                snapshots.heard(number + 1, Some(Bytes::from_static(b"\xff\xd8\xff another's")));
                assert!(picture.try_recv().is_err());
                snapshots.heard(number, jpeg.map(Bytes::from_static));
                assert_eq!(picture.try_recv().expect("an answer"), want.map(Bytes::from_static));
            };
        check(&mut snapshots, Some(b"\xff\xd8\xff\xe0..."), Ok(b"\xff\xd8\xff\xe0..."));
        check(&mut snapshots, None, Err(NoSnapshot::NoPicture));
        check(&mut snapshots, Some(b"<script>"), Err(NoSnapshot::NotNow));
        let long = Vec::leak([BEGIN.to_vec(), vec![0; MOST_BYTES]].concat());
        check(&mut snapshots, Some(long), Err(NoSnapshot::NotNow));
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let mut snapshots = Snapshots::default();
        (0..100).for_each(|_| drop(ask(&mut snapshots)));
        assert_eq!(snapshots.waiting.len(), 1);
    }
}
