//! What those who direct a live stream want of it: who is seen where, what is around them, and who is heard how loud. Pure.

use crate::layout::Layout;
use crate::mixer::Mix;
use crate::scenery::{Corner, Logo, Scenery};
use crate::sprite::Sprite;
use serde::{Deserialize, Serialize};

/// All that is wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Direction {
    /// Who is seen where.
    pub layout: Layout,
    /// What is around them.
    pub scenery: Scenery,
    /// Who is heard how loud.
    pub mix: Mix,
}

/// What of it has changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// See [`Direction::layout`].
    pub layout: Option<Layout>,
    /// See [`Direction::scenery`].
    pub scenery: Option<Scenery>,
    /// See [`Direction::mix`].
    pub mix: Option<Mix>,
}

/// One wish, in whose place the next of its kind comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Who is seen where.
    Layout(Layout),
    /// What is behind them; as large as the canvas.
    Background(Option<Sprite>),
    /// What is over everything.
    Logo(Option<Logo>),
    /// That in another place; nothing where there is none.
    LogoCorner(Corner),
    /// Who is heard how loud.
    Mix(Mix),
}

impl Direction {
    /// What is other than it was: a background is megabytes, and a fader is moved many times a second.
    pub fn since(&self, before: &Self) -> Changed {
        Changed {
            layout: (self.layout != before.layout).then(|| self.layout.clone()),
            scenery: (self.scenery != before.scenery).then(|| self.scenery.clone()),
            mix: (self.mix != before.mix).then(|| self.mix.clone()),
        }
    }

    /// Takes a wish.
    pub fn take(&mut self, wish: Wish) {
        match wish {
            Wish::Layout(layout) => self.layout = layout,
            Wish::Background(background) => self.scenery.background = background,
            Wish::Logo(logo) => self.scenery.logo = logo,
            Wish::LogoCorner(corner) => {
                if let Some(logo) = &mut self.scenery.logo {
                    logo.corner = corner;
                }
            }
            Wish::Mix(mix) => self.mix = mix,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Arrangement, Size};
    use footlight_media::track::PeerKey;

    #[test]
    fn only_what_has_changed_is_told() {
        let mut before = Direction::default();
        let white = Sprite::new(Size { width: 64, height: 64 }, |_, _| ([235, 128, 128], 255));
        before.take(Wish::Background(Some(white)));
        let mut now = before.clone();
        assert_eq!(now.since(&before), Changed::default());
        now.mix.0.entry(PeerKey("ada".into())).or_default().muted = true;
        assert_eq!(now.since(&before), Changed { mix: Some(now.mix.clone()), ..Changed::default() });
        now.layout.arrangement = Arrangement::Spotlight;
        now.take(Wish::Background(None));
        let all =
            Changed { layout: Some(now.layout.clone()), scenery: Some(Scenery::default()), mix: Some(now.mix.clone()) };
        assert_eq!(now.since(&before), all);
    }
}
