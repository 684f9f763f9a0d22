//! Control's words in the packager's: neither knows the other. Pure.

use footlight_control as control;
use footlight_media::track::{PeerKey, Source};
use footlight_packager::direction::Wish;
use footlight_packager::layout::{Arrangement, Layout, LowerThird, Scaling, Screens, Size, Transition};
use footlight_packager::mixer::{Fader, Mix};
use footlight_packager::scenery::{Corner, Logo, largest_logo};
use footlight_packager::sprite::Sprite;

/// A wish, with its pictures as large as they are shown on `canvas`. Scaling them takes a tenth of a second.
pub(crate) fn wish(wish: control::Wish, canvas: Size) -> Wish {
    match wish {
        control::Wish::Background(picture) => {
            Wish::Background(picture.map(|picture| sprite(&picture.cover(canvas.width, canvas.height))))
        }
        control::Wish::Logo(logo) => Wish::Logo(logo.map(|(picture, corner)| {
            let Size { width, height } = largest_logo(canvas);
            Logo { sprite: sprite(&picture.within(width, height)), corner: logo_corner(corner) }
        })),
        control::Wish::LogoCorner(corner) => Wish::LogoCorner(logo_corner(corner)),
        control::Wish::Layout(layout) => Wish::Layout(picture_layout(layout)),
        control::Wish::Mix(mix) => Wish::Mix(sound_mix(mix)),
    }
}

/// Which of a peer's things.
pub(crate) const fn source(source: Source) -> control::TrackSource {
    match source {
        Source::Regular => control::TrackSource::Regular,
        Source::Screen => control::TrackSource::Screen,
    }
}

fn sprite(picture: &control::Picture) -> Sprite {
    Sprite::from_rgba(Size { width: picture.width(), height: picture.height() }, picture.rgba())
}

const fn logo_corner(corner: control::Corner) -> Corner {
    match corner {
        control::Corner::TopLeft => Corner::TopLeft,
        control::Corner::TopRight => Corner::TopRight,
        control::Corner::BottomLeft => Corner::BottomLeft,
        control::Corner::BottomRight => Corner::BottomRight,
    }
}

fn sound_mix(mix: control::Mix) -> Mix {
    let fader = |fader: control::Fader| Fader { gain_db: fader.gain_db as f32, muted: fader.muted };
    Mix(mix.voices.into_iter().map(|(peer, of)| (PeerKey(peer), fader(of))).collect())
}

fn picture_layout(layout: control::Layout) -> Layout {
    let arrangement = match layout.arrangement {
        control::Arrangement::Grid => Arrangement::Grid,
        control::Arrangement::Spotlight => Arrangement::Spotlight,
        control::Arrangement::Sidebar => Arrangement::Sidebar,
        control::Arrangement::PictureInPicture => Arrangement::PictureInPicture,
    };
    let scaling = match layout.scaling {
        control::Scaling::Fit => Scaling::Fit,
        control::Scaling::Fill => Scaling::Fill,
    };
    let (focus, pinned) = (layout.focus.map(PeerKey), layout.pinned.map(PeerKey));
    let screens = match layout.screens {
        control::Screens::Large => Screens::Large,
        control::Screens::Tiles => Screens::Tiles,
    };
    let transition = match layout.transition {
        control::Transition::Smooth => Transition::Smooth,
        control::Transition::None => Transition::None,
    };
    Layout {
        arrangement,
        scaling,
        focus,
        follows_speaker: layout.follow_speaker,
        pinned,
        screens,
        transition,
        names: layout.names.into_iter().map(|(peer, name)| (PeerKey(peer), name)).collect(),
        show_names: layout.show_names,
        background: layout.background.and_then(|background| background.rgb()),
        lower_third: layout.lower_third.map(|third| LowerThird { title: third.title, subtitle: third.subtitle }),
    }
}
