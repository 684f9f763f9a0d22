//! Which rungs fall behind, and when that is worth a line of the log. Pure: it takes `now`.

use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;

/// Between two lines about the same rung.
const PAUSE: Duration = Duration::from_secs(60);
/// Pictures that are worth a line: a fifth of a second, which is seen. One is left out where somebody joins on a small machine, and nobody sees it.
const WORTH: u64 = 6;

/// What was told of a stream's rungs.
#[derive(Debug, Default)]
pub(crate) struct Lag(HashMap<String, Told>);

#[derive(Debug)]
struct Told {
    /// Pictures that had been left out by then.
    pictures: u64,
    at: Option<Instant>,
}

impl Lag {
    /// Takes how many pictures each rung has left out since its packager began; answers with those to tell of, and how many there were since they were last
    /// told of.
    pub(crate) fn tell(&mut self, skipped: &[(String, u64)], now: Instant) -> Vec<(String, u64)> {
        let mut tell = Vec::new();
        for (rung, pictures) in skipped {
            let told = self.0.entry(rung.clone()).or_insert(Told { pictures: 0, at: None });
            // Another packager counts from the start.
            told.pictures = told.pictures.min(*pictures);
            if *pictures >= told.pictures + WORTH && told.at.is_none_or(|at| now >= at + PAUSE) {
                tell.push((rung.clone(), pictures - told.pictures));
                *told = Told { pictures: *pictures, at: Some(now) };
            }
        }
        self.0.retain(|rung, _| skipped.iter().any(|(name, _)| name == rung));
        tell
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs one instant to count from")]
mod tests {
    use super::*;

    #[test]
    fn a_rung_that_falls_behind_is_told_of_once_a_minute_with_all_that_it_left_out() {
        let (start, mut lag) = (Instant::now(), Lag::default());
        let mut tell = |after, pictures: [u64; 2]| {
            let skipped = [("720p".to_owned(), pictures[0]), ("360p".to_owned(), pictures[1])];
            lag.tell(&skipped, start + Duration::from_secs(after))
                .into_iter()
                .map(|(rung, n)| format!("{rung} {n}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(tell(0, [0, 0]), [""; 0]);
        assert_eq!(tell(1, [13, 0]), ["720p 13"]);
        assert_eq!(tell(2, [15, 6]), ["360p 6"]);
        assert_eq!(tell(60, [20, 6]), [""; 0]);
        assert_eq!(tell(61, [20, 6]), ["720p 7"]);
        assert_eq!(tell(200, [25, 6]), [""; 0], "a few, that nobody sees");
        assert_eq!(tell(201, [0, 0]), [""; 0], "another packager");
        assert_eq!(tell(202, [8, 0]), ["720p 8"]);
    }
}
