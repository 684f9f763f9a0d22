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
