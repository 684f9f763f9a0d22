//! Who of a live stream is seen where: our addition to 100ms's API, whose pictures are composed by a browser.

use super::{Invalid, id};
use crate::fields::Fields;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// People whom one layout may name: more than any stage has.
const NAMES: usize = 100;

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

/// A corner of the picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Corner {
    /// The upper left one.
    TopLeft,
    /// The upper right one.
    #[default]
    TopRight,
    /// The lower left one.
    BottomLeft,
    /// The lower right one.
    BottomRight,
}

impl Corner {
    /// Reads its word; where there is none it is the upper right one.
    pub fn parse(word: Option<&str>) -> Result<Self, Invalid> {
        let words = [
            ("top-left", Self::TopLeft),
            ("top-right", Self::TopRight),
            ("bottom-left", Self::BottomLeft),
            ("bottom-right", Self::BottomRight),
        ];
        word.map_or(Ok(Self::default()), |word| known("corner", word, &words))
    }
}

/// Which pictures were uploaded for a live stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Pictures {
    /// There is one behind the people, in place of the layout's background.
    pub background: bool,
    /// Where the logo is.
    pub logo: Option<Corner>,
}

/// What is behind the people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Background {
    /// Red, green and blue in hexadecimal digits, as `#102030`.
    pub color: String,
}

/// Text at the lower left, over the pictures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct LowerThird {
    /// The upper line.
    pub title: String,
    /// Smaller, below it.
    pub subtitle: Option<String>,
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
    /// What stands under whose picture, by user id. They need not be on stage yet; with an empty text nothing stands there.
    pub names: BTreeMap<String, String>,
    /// Who is not among `names` has the name that they joined with.
    pub show_names: bool,
    /// What is behind the people where no picture is; `null` is the stage.
    pub background: Option<Background>,
    /// Text at the lower left, over the pictures.
    pub lower_third: Option<LowerThird>,
}

/// What a layout's body may hold; the last two are of answers, which may be sent again as they came.
const FIELDS: [&str; 13] = [
    "type",
    "scaling",
    "focus",
    "follow_speaker",
    "pinned",
    "screens",
    "transition",
    "names",
    "show_names",
    "background",
    "lower_third",
    "pictures",
    "warnings",
];

impl Layout {
    /// Reads a body; what is absent is as at a stream's start.
    pub fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        fields.only(&FIELDS)?;
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
        let (names, show_names) = (names(&mut fields)?, fields.flag("show_names")?.unwrap_or_default());
        let background = fields.fields("background")?.map(Background::parse).transpose()?;
        let lower_third = fields.fields("lower_third")?.map(LowerThird::parse).transpose()?;
        let layout = Self {
            arrangement,
            scaling,
            focus,
            follow_speaker,
            pinned,
            screens,
            transition,
            names,
            show_names,
            background,
            lower_third,
        };
        match (&layout.focus, &layout.pinned) {
            (Some(focus), Some(pinned)) if focus == pinned => {
                Err(Invalid(format!("pinned: {} is in focus; a peer has one place", id::quoted(pinned))))
            }
            _ => Ok(layout),
        }
    }

    /// The texts that it has drawn, each with its field.
    pub fn texts(&self) -> impl Iterator<Item = (String, &str)> {
        let names = self.names.iter().map(|(peer, name)| (format!("names.{peer}"), name.as_str()));
        let third = self.lower_third.iter().flat_map(|third| {
            let subtitle = third.subtitle.iter().map(|subtitle| ("lower_third.subtitle", subtitle));
            subtitle.chain([("lower_third.title", &third.title)])
        });
        names.chain(third.map(|(field, line)| (field.to_owned(), line.as_str())))
    }

    /// The peers that it puts somewhere, each with its field.
    pub fn peers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let named = [("focus", &self.focus), ("pinned", &self.pinned)];
        named.into_iter().filter_map(|(field, peer)| Some((field, peer.as_deref()?)))
    }
}

impl Background {
    fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        fields.only(&["color"])?;
        let color = fields.required_text("color")?;
        let background = Self { color };
        match background.rgb() {
            Some(_) => Ok(background),
            None => {
                let color = id::quoted(&background.color);
                Err(Invalid(format!(
                    "background.color: {color} is no color; give six hexadecimal digits, as \"#102030\""
                )))
            }
        }
    }

    /// Red, green and blue.
    pub fn rgb(&self) -> Option<[u8; 3]> {
        let digits = self.color.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok().filter(|_| !digits.contains('+'));
        Some([part(0)?, part(2)?, part(4)?])
    }
}

impl LowerThird {
    fn parse(mut fields: Fields) -> Result<Self, Invalid> {
        fields.only(&["title", "subtitle"])?;
        let (title, subtitle) = (fields.required_text("title")?, fields.text("subtitle")?);
        id::check_line("lower_third.title", &title)?;
        subtitle.iter().try_for_each(|subtitle| id::check_line("lower_third.subtitle", subtitle))?;
        Ok(Self { title, subtitle })
    }
}

fn word<T: Copy + Default>(fields: &mut Fields, name: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
    let Some(text) = fields.text(name)? else { return Ok(T::default()) };
    known(name, &text, words)
}

fn known<T: Copy>(name: &str, text: &str, words: &[(&str, T)]) -> Result<T, Invalid> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| {
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        Invalid(format!("{name}: {} is none; use one of {known}", id::quoted(text)))
    })
}

fn names(fields: &mut Fields) -> Result<BTreeMap<String, String>, Invalid> {
    let Some(named) = fields.fields("names")? else { return Ok(BTreeMap::new()) };
    let named = named.texts(|peer| id::check_user("names", peer), id::check_line)?;
    if named.len() > NAMES {
        return Err(Invalid(format!("names: {} are named, at most {NAMES}", named.len())));
    }
    Ok(named.into_iter().collect())
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
        let body = r##"{"type": "picture-in-picture", "scaling": "fill", "focus": "ada", "follow_speaker": true, "pinned": null, "screens": "tiles", "transition": "none",
            "names": {"ada": "Ada Lovelace", "grace": "", "off": null}, "show_names": true,
            "background": {"color": "#10a0FF"}, "lower_third": {"title": "Ada", "subtitle": "Analyst"}}"##;
        let want = Layout {
            arrangement: Arrangement::PictureInPicture,
            scaling: Scaling::Fill,
            focus: Some("ada".into()),
            follow_speaker: true,
            pinned: None,
            screens: Screens::Tiles,
            transition: Transition::None,
            names: [("ada", "Ada Lovelace"), ("grace", "")].map(|(peer, name)| (peer.into(), name.into())).into(),
            show_names: true,
            background: Some(Background { color: "#10a0FF".into() }),
            lower_third: Some(LowerThird { title: "Ada".into(), subtitle: Some("Analyst".into()) }),
        };
        assert_eq!(want.background.as_ref().and_then(Background::rgb), Some([0x10, 0xa0, 0xff]));
        let texts: Vec<_> = want.texts().map(|(field, _)| field).collect();
        assert_eq!(texts, ["names.ada", "names.grace", "lower_third.subtitle", "lower_third.title"]);
        assert_eq!(parse(body), Ok(want.clone()));
        // What is shown can be sent again, with all that an answer has beside it.
        let mut shown = serde_json::to_value(&want).unwrap();
        (shown["pictures"], shown["warnings"]) = (serde_json::json!({"background": false}), serde_json::json!([]));
        assert_eq!(parse(&shown.to_string()), Ok(want));
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let check = |body: &str, want: &str| assert_eq!(parse(body).unwrap_err().0, want);
        check(r#"{"type": "wall"}"#, "type: \"wall\" is none; use one of grid, spotlight, sidebar, picture-in-picture");
        let fields = FIELDS.join(", ");
        check(r#"{"tpye": "grid"}"#, &format!("tpye: there is no such field; there are {fields}"));
        check(
            r##"{"background": {"color": "#102030", "colour": 1}}"##,
            "background.colour: there is no such field; there are color",
        );
        check(
            r#"{"lower_third": {"title": "a", "text": "b"}}"#,
            "lower_third.text: there is no such field; there are title, subtitle",
        );
        check(r#"{"type": 7}"#, "type: 7 is a number; give a string");
        check(r#"{"scaling": "crop"}"#, "scaling: \"crop\" is none; use one of fit, fill");
        check(r#"{"follow_speaker": "ada"}"#, "follow_speaker: \"ada\" is a string; give true or false");
        check(r#"{"focus": ""}"#, "focus: \"\" is not a user id; use 1 to 128 bytes without control characters");
        check(r#"{"focus": "a", "pinned": "a"}"#, "pinned: \"a\" is in focus; a peer has one place");
        check(
            &format!(r#"{{"pinned": "{}"}}"#, "x".repeat(129)),
            &format!("pinned: \"{}\"… is not a user id; use 1 to 128 bytes without control characters", "x".repeat(40)),
        );
        check(r#"{"names": "ada"}"#, "names: \"ada\" is a string; give an object");
        check(r#"{"names": {"ada": 7}}"#, "names.ada: 7 is a number; give a string");
        for color in ["", "blue", "#12345", "#1234567", "#+1+2+3", "102030", "#10203g", "#1é345"] {
            let want = format!("background.color: {color:?} is no color; give six hexadecimal digits, as \"#102030\"");
            check(&format!(r#"{{"background": {{"color": "{color}"}}}}"#), &want);
        }
        check(r#"{"background": "blue"}"#, "background: \"blue\" is a string; give an object");
        check(r#"{"background": {}}"#, "background.color: missing; give a string");
        check(r#"{"lower_third": {}}"#, "lower_third.title: missing; give a string");
        check(
            r#"{"lower_third": {"title": "a", "subtitle": "b\u0007"}}"#,
            r#"lower_third.subtitle: "b\u{7}" has the control character U+0007; give one line of text"#,
        );
        let corner = Corner::parse(Some("middle")).unwrap_err().0;
        assert_eq!(corner, "corner: \"middle\" is none; use one of top-left, top-right, bottom-left, bottom-right");
        assert_eq!((Corner::parse(None), Corner::parse(Some("top-left"))), (Ok(Corner::TopRight), Ok(Corner::TopLeft)));
        check(r#"{"show_names": "ada"}"#, "show_names: \"ada\" is a string; give true or false");
        check(
            r#"{"names": {"ada": "Ada\nLovelace"}}"#,
            r#"names.ada: "Ada\nLovelace" has the control character U+000A; give one line of text"#,
        );
        check(
            &format!(r#"{{"names": {{"ada": "{}"}}}}"#, "я".repeat(65)),
            &format!("names.ada: \"{}\"… is 130 bytes long; give at most 128", "я".repeat(40)),
        );
        let user = "names: \"\" is not a user id; use 1 to 128 bytes without control characters";
        check(r#"{"names": {"": "Ada"}}"#, user);
        let many: Vec<String> = (0..101).map(|n| format!(r#""{n}": "n""#)).collect();
        check(&format!(r#"{{"names": {{{}}}}}"#, many.join(", ")), "names: 101 are named, at most 100");
    }
}
