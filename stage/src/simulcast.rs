//! Simulcast (RFC 8853): the layers that a sender offers, and which of them is taken. Pure.

use crate::picture_size::PictureSize;
use std::time::Duration;

/// Layers of a track; browsers send three.
const MAX_LAYERS: usize = 4;
/// Header extensions that name a packet's layer, and the layer that a retransmission repairs (RFC 8852).
pub(crate) const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
pub(crate) const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
/// A layer that has sent nothing for so long may have stopped, as the sender had no bitrate for it. Two pictures of five a second lie closer.
pub(crate) const LAYER_SILENCE: Duration = Duration::from_millis(400);
/// For how long a layer must have been sent before a better one than what is there is asked for: a sender that tries its network starts and stops it.
const STEADY: Duration = Duration::from_secs(1);

/// The layers of an offered section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulcast {
    /// Their names (RID, RFC 8851), in the order in which the offer lists them.
    pub rids: Vec<String>,
    /// Id of the header extension that names a packet's layer.
    pub rid_extension: u8,
    /// Id of the one that names the layer that a retransmission repairs.
    pub repaired_rid_extension: Option<u8>,
}

impl Simulcast {
    /// Of the value of `a=simulcast`, what `a=rid` lines send, and the ids and URIs of `a=extmap`. `None` where fewer than two layers can be told apart.
    pub(crate) fn offered(attribute: &str, rids: &[&str], extensions: &[(u8, &str)]) -> Option<Self> {
        let mut words = attribute.split(' ');
        words.find(|word| *word == "send")?;
        // Alternatives (a comma) and layers that begin paused (a tilde) are layers.
        let listed = words.next()?.split([';', ',']).map(|rid| rid.trim_start_matches('~'));
        let rids: Vec<String> = listed.filter(|rid| rids.contains(rid)).take(MAX_LAYERS).map(str::to_owned).collect();
        let extension = |uri| extensions.iter().find(|(_, of)| *of == uri).map(|(id, _)| *id);
        let rid_extension = extension(RID_URI)?;
        (rids.len() > 1).then(|| Self { rids, rid_extension, repaired_rid_extension: extension(REPAIRED_RID_URI) })
    }

    /// The layer of this name, by its place in the offer.
    pub(crate) fn layer(&self, rid: &[u8]) -> Option<usize> {
        self.rids.iter().position(|known| known.as_bytes() == rid)
    }
}

/// What is known of a layer when one is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// The size of its last key frame.
    pub(crate) size: Option<PictureSize>,
    /// For how long it has been sent without a pause; `None` where it is not sent.
    pub(crate) sent_for: Option<Duration>,
}

/// The layer to take for a picture that is shown as large as `wanted` at most (`None`: as it is): the smallest that need not be enlarged for it, else the
/// largest. `current` where no other is better.
pub(crate) fn choose(layers: &[Candidate], current: Option<usize>, wanted: Option<PictureSize>) -> Option<usize> {
    let now = current.and_then(|current| layers.get(current)).filter(|layer| layer.sent_for.is_some());
    let area = |size: PictureSize| u64::from(size.width) * u64::from(size.height);
    let fits =
        |size: PictureSize| wanted.is_none_or(|wanted| size.width >= wanted.width || size.height >= wanted.height);
    let sizes = layers.iter().enumerate().filter_map(|(number, layer)| {
        let steady = layer.sent_for? >= STEADY || now.is_none() || Some(number) == current;
        Some((number, layer.size.filter(|_| steady)?))
    });
    let large = || sizes.clone().max_by_key(|(_, size)| area(*size));
    let small = wanted.and_then(|_| sizes.clone().filter(|(_, size)| fits(*size)).min_by_key(|(_, size)| area(*size)));
    small.or_else(large).map(|(number, _)| number).or(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENSIONS: [(u8, &str); 2] = [(10, RID_URI), (11, REPAIRED_RID_URI)];

    #[test]
    fn offers_name_their_layers() {
        let layers =
            |attribute, rids: &[&str]| Simulcast::offered(attribute, rids, &EXTENSIONS).map(|s| s.rids.join(" "));
        assert_eq!(layers("send q;h;f", &["q", "h", "f"]).as_deref(), Some("q h f"));
        assert_eq!(layers("recv x send ~q,r;h", &["q", "r", "h"]).as_deref(), Some("q r h"));
        assert_eq!(layers("send q;h;f", &["q"]), None);
        assert_eq!(layers("recv q;h", &["q", "h"]), None);
        assert_eq!(layers("send", &["q", "h"]), None);
        assert_eq!(layers("send 1;2;3;4;5;6", &["1", "2", "3", "4", "5", "6"]).as_deref(), Some("1 2 3 4"));
        assert_eq!(Simulcast::offered("send q;h", &["q", "h"], &EXTENSIONS[1..]), None);
        let simulcast = Simulcast::offered("send q;h", &["q", "h"], &EXTENSIONS).expect("two layers");
        assert_eq!((simulcast.layer(b"h"), simulcast.layer(b"x")), (Some(1), None));
    }

    const fn size(width: u32, height: u32) -> PictureSize {
        PictureSize { width, height }
    }

    fn layer(width: u32, height: u32, sent_ms: Option<u64>) -> Candidate {
        Candidate { size: Some(size(width, height)), sent_for: sent_ms.map(Duration::from_millis) }
    }

    #[test]
    fn the_smallest_layer_that_need_not_be_enlarged_is_taken() {
        let layers = [layer(320, 180, Some(5_000)), layer(640, 360, Some(5_000)), layer(1280, 720, Some(5_000))];
        let check = |wanted: Option<(u32, u32)>, want| {
            assert_eq!(choose(&layers, Some(0), wanted.map(|(w, h)| size(w, h))), Some(want), "{wanted:?}");
        };
        check(None, 2);
        check(Some((1920, 1080)), 2);
        check(Some((640, 360)), 1);
        check(Some((641, 361)), 2);
        check(Some((256, 144)), 0);
        // A wide tile of a high picture is filled by its height.
        check(Some((1280, 180)), 0);
    }

    #[test]
    fn a_layer_that_has_just_begun_or_has_stopped_is_not_taken() {
        let check = |layers: &[Candidate], current, want| assert_eq!(choose(layers, current, None), want);
        let (small, large) = (layer(320, 180, Some(5_000)), layer(640, 360, Some(200)));
        check(&[small, large], Some(0), Some(0));
        check(&[small, layer(640, 360, Some(1_000))], Some(0), Some(1));
        check(&[small, layer(640, 360, None)], Some(1), Some(0));
        // Unless there is nothing else.
        check(&[layer(320, 180, None), large], Some(0), Some(1));
        check(&[layer(320, 180, None), layer(640, 360, None)], Some(1), Some(1));
        check(&[small, Candidate { size: None, sent_for: small.sent_for }], Some(0), Some(0));
        check(&[Candidate { size: None, sent_for: small.sent_for }; 2], None, None);
    }
}
