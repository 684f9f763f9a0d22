//! What a live stream encodes, where an application says so: at its start, or by its room's template. Pure.
//!
//! The fields of a layer are 100ms's, written as the rest of the request is; `preset`, `codec` and a width that may be left out are our addition.

use super::Invalid;
use crate::fields::Fields;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;
use utoipa::ToSchema;

/// Layers of one stream.
const MOST_LAYERS: usize = 8;
/// Destinations that an error names: a template may have any number.
const NAMES_SHOWN: usize = 5;

/// What is encoded. What is absent is as `packager` of the configuration says, or follows from the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ladder {
    /// Pictures a second.
    pub frame_rate: Option<u32>,
    /// The best first; none where the configuration's are meant.
    pub layers: Vec<Layer>,
}

/// One rendition of the picture, with its sound.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Layer {
    /// Pixels; as the height and the proportions of the configured canvas want it where it is absent.
    pub width: Option<u32>,
    /// Pixels.
    pub height: u32,
    /// kbit/s.
    pub video_bitrate: Option<u32>,
    /// kbit/s.
    pub audio_bitrate: Option<u32>,
    /// One of x264's, such as `superfast`.
    pub preset: Option<String>,
    /// FFmpeg's name of an encoder, such as `libx264` or `h264_nvenc`.
    pub codec: Option<String>,
}

/// Says why a ladder cannot be encoded: whoever encodes knows, and control does not.
#[derive(Clone)]
pub struct CheckLadder(Arc<Check>);

type Check = dyn Fn(&Ladder) -> Result<(), String> + Send + Sync;

impl CheckLadder {
    /// What `check` says, naming the value and the cure.
    pub fn new(check: impl Fn(&Ladder) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(check))
    }

    /// Its words.
    pub fn check(&self, ladder: &Ladder) -> Result<(), String> {
        (self.0)(ladder)
    }
}

impl std::fmt::Debug for CheckLadder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CheckLadder")
    }
}

/// How a request writes the names of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `video_bitrate`: of a start.
    Snake,
    /// `videoBitrate`: of a template.
    Camel,
}

impl Ladder {
    /// Reads `layers` and the frame rate; `None` where neither is given.
    pub fn parse(fields: &mut Fields, spelling: Spelling) -> Result<Option<Self>, Invalid> {
        let rate = match spelling {
            Spelling::Snake => "frame_rate",
            Spelling::Camel => "videoFrameRate",
        };
        let (frame_rate, layers) = (number(fields, rate)?, fields.objects_in("layers", MOST_LAYERS)?);
        let layers = layers.unwrap_or_default().into_iter().map(|layer| Layer::parse(layer, spelling));
        let ladder = Self { frame_rate, layers: layers.collect::<Result<_, _>>()? };
        Ok((ladder != Self::default()).then_some(ladder))
    }
}

impl Layer {
    fn parse(mut fields: Fields, spelling: Spelling) -> Result<Self, Invalid> {
        let [video, audio] = match spelling {
            Spelling::Snake => ["video_bitrate", "audio_bitrate"],
            Spelling::Camel => ["videoBitrate", "audioBitrate"],
        };
        Ok(Self {
            width: number(&mut fields, "width")?,
            height: number(&mut fields, "height")?.ok_or_else(|| fields.missing("height", "a whole number"))?,
            video_bitrate: number(&mut fields, video)?,
            audio_bitrate: number(&mut fields, audio)?,
            preset: fields.text("preset")?,
            codec: fields.text("codec")?,
        })
    }
}

/// What of a number no ladder has is refused by whoever knows what can be encoded.
fn number(fields: &mut Fields, name: &str) -> Result<Option<u32>, Invalid> {
    Ok(fields.count(name)?.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
}

/// The ladders of a template's `destinations`, by their names: those of 100ms's `hlsDestinations`.
pub fn destinations(destinations: &Map<String, Value>) -> Result<Vec<(String, Option<Ladder>)>, Invalid> {
    let Some(named) = Fields::of("destinations.", destinations.clone()).fields("hlsDestinations")? else {
        return Ok(Vec::new());
    };
    let named = named.objects(|_| Ok(()))?;
    named.into_iter().map(|(name, mut fields)| Ok((name, Ladder::parse(&mut fields, Spelling::Camel)?))).collect()
}

/// What a start encodes: what it asks for itself, else what the destination says that it names, or the only one. `None` is the configuration's.
pub fn chosen(
    asked: Option<Ladder>,
    destination: &str,
    destinations: Vec<(String, Option<Ladder>)>,
) -> Result<Option<Ladder>, Invalid> {
    let names = || {
        let shown = destinations.iter().take(NAMES_SHOWN).map(|(name, _)| super::id::quoted(name)).collect::<Vec<_>>();
        shown.join(", ") + if destinations.len() > NAMES_SHOWN { ", …" } else { "" }
    };
    let found = destinations.iter().find(|(name, _)| name == destination);
    let of_template = match (&destinations[..], found) {
        ([], _) => None,
        (_, Some((_, ladder))) => ladder.clone(),
        ([(_, only)], None) if destination.is_empty() => only.clone(),
        (_, None) if destination.is_empty() => {
            return Err(Invalid(format!(
                "destination: missing; the room's template has several: name one of {}",
                names()
            )));
        }
        (_, None) => {
            let named = super::id::quoted(destination);
            return Err(Invalid(format!("destination: {named} is none of the room's template; it has {}", names())));
        }
    };
    Ok(asked.or(of_template))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(body: &Value, spelling: Spelling) -> Result<Option<Ladder>, String> {
        let mut fields = Fields::parse(body.to_string().as_bytes()).unwrap();
        Ladder::parse(&mut fields, spelling).map_err(|invalid| invalid.0)
    }

    #[test]
    fn layers_are_read_in_both_spellings() {
        let check = |body: Value, spelling| {
            let ladder = parse(&body, spelling).unwrap().unwrap();
            assert_eq!(ladder.frame_rate, Some(60));
            let (large, small) = (&ladder.layers[0], &ladder.layers[1]);
            assert_eq!(
                (large.width, large.height, large.video_bitrate, large.audio_bitrate),
                (Some(1920), 1080, Some(6000), Some(128))
            );
            assert_eq!((&large.preset, large.codec.as_deref()), (&None, Some("h264_nvenc")));
            assert_eq!(*small, Layer { height: 360, ..Layer::default() });
        };
        let large =
            json!({"width": 1920, "height": 1080, "video_bitrate": 6000, "audio_bitrate": 128, "codec": "h264_nvenc"});
        check(json!({"frame_rate": 60, "layers": [large, {"height": 360}]}), Spelling::Snake);
        let large =
            json!({"width": 1920, "height": 1080, "videoBitrate": 6000, "audioBitrate": 128, "codec": "h264_nvenc"});
        check(json!({"videoFrameRate": 60, "layers": [large, {"height": 360}]}), Spelling::Camel);
        assert_eq!(parse(&json!({"layers": null}), Spelling::Snake), Ok(None));
        assert_eq!(parse(&json!({"layers": []}), Spelling::Snake), Ok(None));
    }

    #[test]
    fn what_is_no_ladder_is_refused_by_name() {
        let check = |body: Value, want: &str| assert_eq!(parse(&body, Spelling::Snake), Err(want.to_owned()));
        check(json!({"layers": 3}), "layers: 3 is a number; give a list");
        check(json!({"layers": [{"height": 360}, 7]}), "layers[1]: 7 is a number; give an object");
        check(json!({"layers": [{"width": 640}]}), "layers[0].height: missing; give a whole number");
        check(json!({"layers": [{"height": -2}]}), "layers[0].height: -2 is a number; give a whole number from 0");
        check(json!({"layers": [{"height": 360, "codec": 1}]}), "layers[0].codec: 1 is a number; give a string");
        check(json!({"layers": vec![json!({"height": 360}); 9]}), "layers: 9 are too many; give 8 at most");
        check(json!({"frame_rate": "30"}), "frame_rate: \"30\" is a string; give a whole number from 0");
    }

    #[test]
    fn a_start_s_own_ladder_goes_before_its_destination_s() {
        let of = |height| Some(Ladder { frame_rate: None, layers: vec![Layer { height, ..Layer::default() }] });
        let two = || vec![("main".to_owned(), of(720)), ("small".to_owned(), of(360))];
        let check = |asked, destination: &str, destinations, want: Result<Option<Ladder>, &str>| {
            let chosen = chosen(asked, destination, destinations).map_err(|invalid| invalid.0);
            assert_eq!(chosen, want.map_err(str::to_owned));
        };
        check(None, "anything", Vec::new(), Ok(None));
        check(None, "small", two(), Ok(of(360)));
        check(of(1080), "small", two(), Ok(of(1080)));
        check(None, "", two()[..1].to_vec(), Ok(of(720)));
        check(
            None,
            "",
            two(),
            Err("destination: missing; the room's template has several: name one of \"main\", \"small\""),
        );
        check(
            of(1080),
            "none",
            two(),
            Err("destination: \"none\" is none of the room's template; it has \"main\", \"small\""),
        );
        let many: Vec<_> = (0..9).map(|n| (format!("{n}").repeat(1_000), of(720))).collect();
        let said = super::chosen(None, "", many).expect_err("which is not said").0;
        assert!(said.len() < 400 && said.ends_with(", …"), "{said}");
    }

    #[test]
    fn a_template_s_destinations_are_100ms_s() {
        let parse = |value: Value| destinations(value.as_object().unwrap()).map_err(|invalid| invalid.0);
        let layer = json!({"width": 1280, "height": 720, "videoBitrate": 2048, "audioBitrate": 64});
        let all = parse(json!({"hlsDestinations": {"main": {"name": "main", "layers": [layer], "maxDuration": 3600}}}))
            .unwrap();
        let (name, Some(ladder)) = &all[0] else { panic!("{all:?}") };
        assert_eq!((name.as_str(), ladder.layers[0].video_bitrate), ("main", Some(2048)));
        assert_eq!(parse(json!({"rtmpDestinations": {}})), Ok(Vec::new()));
        let wrong = parse(json!({"hlsDestinations": {"main": {"layers": [{"height": "720"}]}}})).unwrap_err();
        assert_eq!(
            wrong,
            "destinations.hlsDestinations.main.layers[0].height: \"720\" is a string; give a whole number from 0"
        );
    }
}
