//! A picture that stands still is encoded once: its group of pictures is repeated for as long as it stands. Pure.

use crate::segmenter::AccessUnit;
use std::sync::Arc;

/// What is to become of a tick.
#[derive(Debug)]
pub(super) enum Choice {
    Encode {
        /// As a key frame.
        key: bool,
    },
    Repeat(AccessUnit),
}

/// The group of pictures that may be repeated. Canvases are the same where they are one, not where they look alike.
pub(super) struct Stills<C> {
    /// Ticks from one key frame to the next.
    key_every: u64,
    /// What all ticks of the group showed, and what they became.
    group: Option<(Arc<C>, Vec<AccessUnit>)>,
    repeats: bool,
}

impl<C> Stills<C> {
    pub(super) const fn new(key_every: u64) -> Self {
        Self { key_every, group: None, repeats: false }
    }

    /// What is to become of tick `number`, which shows `canvas`. What is encoded must be told to [`Self::encoded`].
    pub(super) fn choose(&mut self, canvas: &Arc<C>, number: u64) -> Choice {
        let at = number % self.key_every;
        let same = self.group.as_ref().is_some_and(|(still, _)| Arc::ptr_eq(still, canvas));
        if at == 0 {
            self.repeats = same && self.group.as_ref().is_some_and(|(_, units)| units.len() as u64 == self.key_every);
            if !self.repeats {
                self.group = Some((Arc::clone(canvas), Vec::new()));
            }
        // Two key frames in a row would have to differ in idr_pic_id (ITU-T H.264 section 7.4.3): the first tick of a group is followed by its second.
        } else if !same && (!self.repeats || at > 1) {
            self.group = None;
        }
        let unit =
            self.group.as_ref().filter(|_| self.repeats).and_then(|(_, units)| units.get(usize::try_from(at).ok()?));
        if let Some(unit) = unit {
            return Choice::Repeat(unit.clone());
        }
        // What the encoder saw last is not what was played last.
        let key = at == 0 || std::mem::take(&mut self.repeats);
        Choice::Encode { key }
    }

    /// What tick `number` became.
    pub(super) fn encoded(&mut self, number: u64, unit: &AccessUnit) {
        let at = number % self.key_every;
        let Some((_, units)) = &mut self.group else { return };
        // A tick that was left out is missing in the group, too.
        if units.len() as u64 == at {
            units.push(unit.clone());
        } else {
            self.group = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const KEY_EVERY: u64 = 30;

    /// Ticks of one rung: each is told as what was encoded (its own number), or which number was repeated.
    struct Rung {
        stills: Stills<()>,
        tick: u64,
        played: Vec<(u64, bool)>,
    }

    impl Rung {
        fn new() -> Self {
            Self { stills: Stills::new(KEY_EVERY), tick: 0, played: Vec::new() }
        }

        fn show(&mut self, canvas: &Arc<()>, ticks: u64) {
            for _ in 0..ticks {
                let unit = match self.stills.choose(canvas, self.tick) {
                    Choice::Repeat(unit) => unit,
                    Choice::Encode { key } => {
                        let unit = AccessUnit { key, data: Bytes::copy_from_slice(&self.tick.to_be_bytes()) };
                        self.stills.encoded(self.tick, &unit);
                        unit
                    }
                };
                self.played.push((u64::from_be_bytes(unit.data[..].try_into().expect("8")), unit.key));
                self.tick += 1;
            }
        }

        fn numbers(&self, ticks: std::ops::Range<usize>) -> Vec<u64> {
            self.played[ticks].iter().map(|(number, _)| *number).collect()
        }
    }

    #[test]
    fn a_group_is_repeated_for_as_long_as_its_picture_stands() {
        let (mut rung, slate) = (Rung::new(), Arc::new(()));
        rung.show(&slate, 3 * KEY_EVERY);
        let group: Vec<u64> = (0..KEY_EVERY).collect();
        assert_eq!(rung.numbers(0..90), [&group[..], &group, &group].concat());
        assert!(rung.played.iter().enumerate().all(|(tick, (_, key))| *key == (tick % 30 == 0)));
    }

    #[test]
    fn whoever_comes_is_seen_at_once_with_a_key_frame() {
        for (at, first) in [(0, 60), (1, 62), (2, 62), (17, 77), (29, 89)] {
            let (mut rung, slate, person) = (Rung::new(), Arc::new(()), Arc::new(()));
            rung.show(&slate, 2 * KEY_EVERY + at);
            rung.show(&person, 100);
            let (number, key) = rung.played[first];
            assert_eq!((number, key), (first as u64, true), "after tick {at} of a group");
            let before = rung.numbers(0..first);
            assert!(before.iter().all(|number| *number < KEY_EVERY), "{before:?}");
            assert!(rung.played[first + 1..].iter().all(|(number, key)| *key == (number % 30 == 0)));
        }
    }

    #[test]
    fn what_moves_is_never_repeated() {
        let mut rung = Rung::new();
        (0..200).for_each(|_| rung.show(&Arc::new(()), 1));
        assert_eq!(rung.numbers(0..200), (0..200).collect::<Vec<_>>());
        // Nor is a group in which something moved, or a tick was left out.
        let still = Arc::new(());
        rung.show(&still, 10 + 15);
        rung.tick += 1;
        rung.show(&still, 14 + KEY_EVERY);
        assert_eq!(rung.numbers(200..269), (200..225).chain(226..270).collect::<Vec<_>>());
        rung.show(&still, KEY_EVERY);
        assert_eq!(rung.numbers(269..299), (240..270).collect::<Vec<_>>(), "the first whole group");
    }
}
