//! Who of a live stream is seen where: our addition to 100ms's API, whose pictures are composed by a browser.

use super::{Invalid, id};
use crate::fields::Fields;
use serde::Serialize;
use utoipa::ToSchema;

/// Who is where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Arrangement {
    /// All alike.
    #[default]
    Grid,
    /// One alone.
    Spotlight,
    /// One large, the others beside it; below it on an upright canvas.
    Sidebar,
    /// One large, the others small over its lower edge.
    PictureInPicture,
}

/// What becomes of a picture that has other proportions than its tile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// All of it is seen, between bars.
    #[default]
    Fit,
    /// It fills its tile, and what does not fit in is cut off.
    Fill,
}

/// Where screens that are shared go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Screens {
    /// The newest is the large one of its arrangement, where a grid becomes a sidebar for as long as it lasts.
    #[default]
    Large,
    /// They are tiles as any other.
    Tiles,
}

/// How one arrangement passes into the next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// Within 300 ms.
    #[default]
    Smooth,
    /// From one picture to the next.
    None,
}

/// How a live stream's picture is arranged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Layout {
    /// Who is where.
    #[serde(rename = "type")]
    pub arrangement: Arrangement,
    /// What becomes of a picture that has other proportions than its tile.
    pub scaling: Scaling,
    /// Whose picture is the large one, by user id; `null` is whoever came first.
    pub focus: Option<String>,
    /// The large one is whoever speaks; until somebody does, and while they have no picture, it is as `focus` says.
    pub follow_speaker: bool,
    /// Whose picture stands small in a corner over whatever arrangement, as a sign-language interpreter's.
    pub pinned: Option<String>,
    /// Where screens that are shared go.
    pub screens: Screens,
    /// How it passes into the next, and into what it becomes when people come and go.
    pub transition: Transition,
}

impl Layout {
    /// Reads a body; what is absent is as at a stream's start.
    pub fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        let arrangement = word(
            &mut fields,
            "type",
            &[
                ("grid", Arrangement::Grid),
                ("spotlight", Arrangement::Spotlight),
                ("sidebar", Arrangement::Sidebar),
                ("picture-in-picture", Arrangement::PictureInPicture),
            ],
        )?;
        let scaling = word(&mut fields, "scaling", &[("fit", Scaling::Fit), ("fill", Scaling::Fill)])?;
        let (focus, pinned) = (peer(&mut fields, "focus")?, peer(&mut fields, "pinned")?);
        let follow_speaker = fields.flag("follow_speaker")?.unwrap_or_default();
        let screens = word(&mut fields, "screens", &[("large", Screens::Large), ("tiles", Screens::Tiles)])?;
        let words = [("smooth", Transition::Smooth), ("none", Transition::None)];
        let transition = word(&mut fields, "transition", &words)?;
        let layout = Self { arrangement, scaling, focus, follow_speaker, pinned, screens, transition };
        match (&layout.focus, &layout.pinned) {
            (Some(focus), Some(pinned)) if focus == pinned => {
                Err(Invalid(format!("pinned: {} is in focus; a peer has one place", id::quoted(pinned))))
            }
            _ => Ok(layout),
        }
    }

    /// The peers that it names, each with its field.
    pub fn peers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [("focus", &self.focus), ("pinned", &self.pinned)];
        named.into_iter().filter_map(|(field, peer)| Some((field, peer.as_deref()?)))
    }
}

fn word<T: Copy + Default>(fields: &mut Fields, name: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
    let Some(text) = fields.text(name)? else { return Ok(T::default()) };
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Invalid(format!("{name}: {} is none; use one of {known}", id::quoted(&text)))
    })
}

fn peer(fields: &mut Fields, name: &str) -> Result<Option<String>, Invalid> {
    let peer = fields.text(name)?;
    peer.iter().try_for_each(|peer| id::check_user(name, peer))?;
    Ok(peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Layout, Invalid> {
        Layout::parse(Fields::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_absent_is_as_at_the_start() {
        assert_eq!(parse("{}"), Ok(Layout::default()));
        let body = r#"{"type": "picture-in-picture", "scaling": "fill", "focus": "ada", "follow_speaker": true, "pinned": null, "screens": "tiles", "transition": "none"}"#;
        let want = Layout {
            arrangement: Arrangement::PictureInPicture,
            scaling: Scaling::Fill,
            focus: Some("ada".into()),
            follow_speaker: true,
            pinned: None,
            screens: Screens::Tiles,
            transition: Transition::None,
        };
        assert_eq!(parse(body), Ok(want.clone()));
        // What is shown can be sent again.
        assert_eq!(parse(&serde_json::to_string(&want).unwrap()), Ok(want));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |body: &str, want: &str| assert_eq!(parse(body).unwrap_err().0, want);
        check(r#"{"type": "wall"}"#, "type: \"wall\" is none; use one of grid, spotlight, sidebar, picture-in-picture");
        check(r#"{"type": 7}"#, "type: 7 is a number; give a string");
        check(r#"{"scaling": "crop"}"#, "scaling: \"crop\" is none; use one of fit, fill");
        check(r#"{"follow_speaker": "ada"}"#, "follow_speaker: \"ada\" is a string; give true or false");
        check(r#"{"focus": ""}"#, "focus: \"\" is not a user id; use 1 to 128 bytes without control characters");
        check(r#"{"focus": "a", "pinned": "a"}"#, "pinned: \"a\" is in focus; a peer has one place");
        check(
            &format!(r#"{{"pinned": "{}"}}"#, "x".repeat(129)),
            &format!("pinned: \"{}\"… is not a user id; use 1 to 128 bytes without control characters", "x".repeat(40)),
        );
    }
}
