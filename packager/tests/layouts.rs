#![allow(missing_docs, clippy::unwrap_used)]
//! What every layout looks like: pixels of painted canvases, kept in `layouts.txt` as a picture that can be read (a letter for each source, one for each
//! 80 x 80 pixels; a dot where nobody is) and as a hash of all samples. A change that is meant changes that file; a mismatch prints the new text.

use footlight_media::frame::IngestStamps;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::{PeerKey, TrackId};
use footlight_packager::canvas::{Canvas, Painter};
use footlight_packager::compositor::Compositor;
use footlight_packager::ffmpeg::{Picture, whole};
use footlight_packager::layout::{Arrangement, Layout, Scaling, Size};
use footlight_packager::stages::FrameStamps;
use footlight_packager::timeline::Timeline;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

const LANDSCAPE: Size = Size { width: 1280, height: 720 };
const PORTRAIT: Size = Size { width: 720, height: 1280 };
const CELL: usize = 80;
const ARRANGEMENTS: [Arrangement; 4] =
    [Arrangement::Grid, Arrangement::Spotlight, Arrangement::Sidebar, Arrangement::PictureInPicture];
/// Brightness of the first source, and from one to the next.
const FIRST: u8 = 70;
const STEP: u8 = 10;

type Scene = Compositor<(Picture, FrameStamps)>;

/// So many people, of whom each third holds their phone upright.
fn scene(canvas: Size, layout: &Layout, peers: u8) -> Scene {
    let timeline =
        Timeline { zero: SessionTime::ZERO, zero_date: WallTime::from_micros(0), delay: Duration::ZERO, fps: 30 };
    let mut scene = Compositor::new(canvas, layout.clone(), timeline);
    for number in 0..peers {
        let track = TrackId(number.into());
        scene.add(track, peer(number));
        let mut picture = Picture::black(if number % 3 == 2 { PORTRAIT } else { LANDSCAPE });
        picture.fill(whole(picture.size()), [FIRST + STEP * number, 100 + number, 150 - number]);
        let stamps =
            FrameStamps { track, time: SessionTime::ZERO, ingest: IngestStamps::default(), decoded: SessionTime::ZERO };
        scene.push(track, SessionTime::ZERO, (picture, stamps));
    }
    scene
}

fn peer(number: u8) -> PeerKey {
    PeerKey(char::from(b'a' + number).to_string())
}

fn paint(painter: &mut Painter, scene: &mut Scene) -> Arc<Canvas> {
    painter.paint(&scene.tick(1)).unwrap()
}

fn draw(canvas: &Canvas) -> String {
    let size = canvas.picture.size();
    let (luma, stride) = canvas.picture.plane(0);
    let mut text = String::new();
    for y in (CELL / 2..size.height as usize).step_by(CELL) {
        for x in (CELL / 2..size.width as usize).step_by(CELL) {
            let number = (luma[y * stride + x] + STEP / 2).checked_sub(FIRST).map(|above| above / STEP);
            text.push(number.map_or('.', |number| char::from(b'a' + number)));
        }
        text.push('\n');
    }
    text
}

/// Every sample that is seen, without what lies between rows.
fn samples(canvas: &Canvas) -> Vec<u8> {
    let size = canvas.picture.size();
    let plane = |index: usize| {
        let (data, stride) = canvas.picture.plane(index);
        let half = usize::from(index > 0);
        let (width, height) = (size.width as usize >> half, size.height as usize >> half);
        data.chunks(stride).take(height).flat_map(move |row| row[..width].to_vec()).collect::<Vec<_>>()
    };
    [plane(0), plane(1), plane(2)].concat()
}

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

fn cases() -> Vec<(Size, Layout, u8)> {
    let mut cases = Vec::new();
    for canvas in [LANDSCAPE, PORTRAIT] {
        for arrangement in ARRANGEMENTS {
            // In focus is somebody who did not come first.
            let plain = Layout { arrangement, focus: Some(peer(1)), ..Layout::default() };
            cases.extend([1, 2, 4, 9, 16].map(|peers| (canvas, plain.clone(), peers)));
            cases.push((canvas, Layout { scaling: Scaling::Fill, ..plain.clone() }, 4));
            cases.push((canvas, Layout { pinned: Some(peer(3)), ..plain }, 4));
        }
    }
    cases
}

#[test]
fn every_layout_looks_as_it_did() {
    let mut text = String::new();
    for (canvas, layout, peers) in cases() {
        let painted = paint(&mut Painter::new(canvas), &mut scene(canvas, &layout, peers));
        let Layout { arrangement, scaling, pinned, .. } = &layout;
        let pinned = pinned.as_ref().map_or(String::new(), |peer| format!(", {} pinned", peer.0));
        let Size { width, height } = canvas;
        let hash = hash(&samples(&painted));
        let _ = writeln!(text, "{arrangement:?} of {peers}, {scaling:?}{pinned}, {width}x{height}: {hash:016x}");
        let _ = writeln!(text, "{}", draw(&painted));
    }
    assert!(text == include_str!("layouts.txt"), "now:\n{text}");
}

/// A canvas that is used again shows nothing of the layout before.
#[test]
fn switching_between_any_two_layouts_leaves_nothing_behind() {
    for canvas in [LANDSCAPE, PORTRAIT] {
        let of_canvas = cases().into_iter().filter(|(size, _, peers)| *size == canvas && *peers == 4);
        let layouts: Vec<Layout> = of_canvas.map(|(_, layout, _)| layout).collect();
        // A canvas that nobody holds is the next one to be painted.
        let (mut painter, mut scene) = (Painter::new(canvas), scene(canvas, &layouts[0], 4));
        let mut look = |layout: &Layout| {
            scene.arrange(layout.clone());
            samples(&paint(&mut painter, &mut scene))
        };
        let fresh: Vec<_> = layouts.iter().map(&mut look).collect();
        for (from, before) in layouts.iter().zip(&fresh) {
            for (to, want) in layouts.iter().zip(&fresh) {
                assert!(look(from) == *before && look(to) == *want, "{from:?} to {to:?}");
            }
        }
    }
}
