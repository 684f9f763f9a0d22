//! Offers and fragments: what is taken can be restarted and is taken again, and keeps no candidate.
#![no_main]

use footlight_stage::sdp::{Answer, Fragment, Offer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = Fragment::parse(text);
    if let Ok(offer) = Offer::parse(text) {
        assert!(offer.audio.is_some() || offer.video.is_some());
        assert!(!offer.sdp.contains("\r\na=candidate:"));
        let restarted = offer.restarted("abcd", "0123456789012345678901");
        let again = Offer::parse(&restarted.sdp).expect("what was taken is taken again");
        assert_eq!((again.audio, again.video), (offer.audio, offer.video));
    }
    if let Some(answer) = Answer::with_candidates(text, &[[127, 0, 0, 1].into()], 1).map(Answer::in_stereo) {
        let _ = answer.fragment();
    }
});
