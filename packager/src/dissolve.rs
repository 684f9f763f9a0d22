//! Lets one arrangement of the picture pass into the next: where people come, go, change places or names, the picture before fades into the one after. Pure.

use crate::canvas::{CANVASES, Canvas};
use crate::compositor::Tile;
use crate::ffmpeg::Picture;
use crate::layout::{Rect, Scaling};
use footlight_media::track::TrackId;
use std::sync::Arc;

/// Parts of a whole.
const WHOLE: u32 = 256;

/// What was shown, and how far it has passed into what is.
struct Fade {
    from: Arc<Canvas>,
    /// Ticks that have been shown of it.
    ticks: u32,
}

/// Fades from picture to picture.
#[derive(Default)]
pub struct Dissolve {
    /// Who is where under which name, as of the last tick.
    places: Vec<(TrackId, Rect, Scaling, Option<String>)>,
    /// What was around them.
    dressed: u64,
    shown: Option<Arc<Canvas>>,
    fade: Option<Fade>,
    pool: Vec<Arc<Canvas>>,
}

impl Dissolve {
    /// What is shown where `target` is to be, on which these tiles are: `target` itself, but for the `ticks` after who is where has changed, or
    /// what is around them.
    pub fn show<P>(&mut self, tiles: &[Tile<'_, P>], target: Arc<Canvas>, ticks: u32) -> Arc<Canvas> {
        let before = self.places.iter().map(|(track, rect, scaling, name)| (*track, *rect, *scaling, name.as_deref()));
        if !tiles.iter().map(|tile| (tile.track, tile.rect, tile.scaling, tile.name)).eq(before)
            || target.dressed() != self.dressed
        {
            self.dressed = target.dressed();
            let owned = |tile: &Tile<'_, P>| (tile.track, tile.rect, tile.scaling, tile.name.map(str::to_owned));
            self.places = tiles.iter().map(owned).collect();
            self.fade = self.shown.take().map(|from| Fade { from, ticks: 0 });
        }
        let fade = self.fade.take().map(|fade| Fade { ticks: fade.ticks + 1, ..fade });
        let shown = match fade.filter(|fade| fade.ticks < ticks) {
            Some(fade) => {
                let between = self.between(&fade.from.picture, &target.picture, eased(fade.ticks, ticks));
                self.fade = Some(fade);
                between
            }
            None => target,
        };
        self.shown = Some(Arc::clone(&shown));
        shown
    }

    fn between(&mut self, from: &Picture, to: &Picture, weight: u16) -> Arc<Canvas> {
        let free = self.pool.iter().position(|canvas| Arc::strong_count(canvas) == 1);
        let mut canvas = free.map_or_else(|| Arc::new(Canvas::new(to.size())), |free| self.pool.swap_remove(free));
        Arc::get_mut(&mut canvas).expect("just made, or held by nobody else").picture.blend(from, to, weight);
        if self.pool.len() < CANVASES {
            self.pool.push(Arc::clone(&canvas));
        }
        canvas
    }
}

/// How much of 256 is there after so many of all ticks: slowly at first and at last (3 t^2 - 2 t^3).
fn eased(ticks: u32, of: u32) -> u16 {
    let t = ticks.min(of) * WHOLE / of.max(1);
    u16::try_from(t * t * (3 * WHOLE - 2 * t) / (WHOLE * WHOLE)).expect("at most 256")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compositor::Timed;
    use crate::ffmpeg::whole;
    use crate::layout::Size;
    use footlight_media::time::SessionTime;

    const SIZE: Size = Size { width: 64, height: 32 };

    fn canvas(luma: u8) -> Arc<Canvas> {
        let mut canvas = Canvas::new(SIZE);
        canvas.picture.fill(whole(SIZE), [luma, 128, 128]);
        Arc::new(canvas)
    }

    /// The brightness of what is shown while one person is at `x`.
    fn show(dissolve: &mut Dissolve, x: u32, target: &Arc<Canvas>, ticks: u32) -> u8 {
        let shown = Timed { time: SessionTime::ZERO, picture: (), tick: 0, serial: 0 };
        let rect = Rect { x, y: 0, size: SIZE };
        let tile = Tile { rect, scaling: Scaling::Fit, track: TrackId(1), name: None, shown: &shown };
        dissolve.show(&[tile], Arc::clone(target), ticks).picture.plane(0).0[0]
    }

    #[test]
    fn one_picture_passes_into_the_next_in_so_many_ticks() {
        let (mut dissolve, dark, light) = (Dissolve::default(), canvas(40), canvas(200));
        assert_eq!([0; 3].map(|x| show(&mut dissolve, x, &dark, 9)), [40; 3]);
        let seen: Vec<u8> = (0..10).map(|_| show(&mut dissolve, 16, &light, 9)).collect();
        assert!(seen.is_sorted() && seen[0] > 40 && seen[7] < 200, "{seen:?}");
        assert_eq!(seen[8..], [200; 2], "after 9 ticks it is there");
        let steepest = seen.windows(2).map(|two| two[1] - two[0]).max();
        assert!(steepest < Some(35), "no step: {seen:?}");
    }

    #[test]
    fn a_change_within_a_change_begins_with_what_is_seen() {
        let (mut dissolve, dark, light) = (Dissolve::default(), canvas(40), canvas(200));
        show(&mut dissolve, 0, &dark, 9);
        let half = (0..5).map(|_| show(&mut dissolve, 16, &light, 9)).last().expect("five");
        let back = show(&mut dissolve, 0, &dark, 9);
        assert!(half > 100 && back < half && half - back < 35, "{half}, then {back}");
    }

    #[test]
    fn without_ticks_it_is_there_at_once_and_canvases_are_used_again() {
        let (mut dissolve, dark, light) = (Dissolve::default(), canvas(40), canvas(200));
        show(&mut dissolve, 0, &dark, 0);
        assert_eq!(show(&mut dissolve, 16, &light, 0), 200);
        for number in 0..100 {
            show(&mut dissolve, number, &dark, 9);
        }
        assert!(dissolve.pool.len() <= 3, "{}", dissolve.pool.len());
    }
}
