#![allow(missing_docs, clippy::unwrap_used)]
//! What every layout looks like: pixels of painted canvases, kept in `layouts.txt` as a picture that can be read: a letter for each source, one for each
//! 80 x 80 pixels; a dot where nobody is. A change that is meant changes that file; a mismatch prints the new text.

use footlight_media::frame::IngestStamps;
use footlight_media::time::{SessionTime, WallTime};
use footlight_media::track::{Contributor, PeerKey, Source, TrackId};
use footlight_packager::canvas::{Canvas, Painter};
use footlight_packager::compositor::Compositor;
use footlight_packager::dissolve::Dissolve;
use footlight_packager::ffmpeg::{Picture, whole};
use footlight_packager::layout::{Arrangement, Layout, LowerThird, Scaling, Size};
use footlight_packager::scenery::{Corner, Logo, Scenery};
use footlight_packager::sprite::Sprite;
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
/// Likewise of its blue; its red is the opposite.
const CHROMA: u8 = 64;
const CHROMA_STEP: u8 = 8;

type Scene = Compositor<(Arc<Picture>, FrameStamps)>;

/// So many people, of whom each third holds their phone upright, and the last shares a screen where `screen`.
fn scene(canvas: Size, layout: &Layout, peers: u8, screen: bool) -> Scene {
    let timeline =
        Timeline { zero: SessionTime::ZERO, zero_date: WallTime::from_micros(0), delay: Duration::ZERO, fps: 30 };
    let mut scene = Compositor::new(canvas, layout.clone(), timeline);
    for number in 0..peers {
        let name = Some(format!("peer {number}"));
        let of = if screen && number + 1 == peers { Source::Screen } else { Source::Regular };
        scene.add(TrackId(number.into()), Contributor { source: of, name, ..peer(number).into() });
        scene.push(TrackId(number.into()), SessionTime::ZERO, source(number, FIRST + STEP * number));
    }
    scene
}

/// Somebody's picture, of this brightness.
fn source(number: u8, luma: u8) -> (Arc<Picture>, FrameStamps) {
    let mut picture = Picture::black(if number % 3 == 2 { PORTRAIT } else { LANDSCAPE });
    picture.fill(whole(picture.size()), [luma, CHROMA + CHROMA_STEP * number, 255 - CHROMA - CHROMA_STEP * number]);
    let stamps = FrameStamps {
        track: TrackId(number.into()),
        time: SessionTime::ZERO,
        ingest: IngestStamps::default(),
        decoded: SessionTime::ZERO,
    };
    (Arc::new(picture), stamps)
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

/// Whose every sample of each plane is, in one number: another one where any edge of a tile has moved by a sample.
fn digest(canvas: &Canvas) -> u64 {
    let size = canvas.picture.size();
    let samples = samples(canvas);
    let (luma, chroma) = samples.split_at(size.width as usize * size.height as usize);
    let (cb, cr) = chroma.split_at(chroma.len() / 2);
    let whose = |first: u8, step: u8, sample: u8| {
        // Scalers round as they like.
        let number = sample.saturating_add(step / 2).checked_sub(first).map(|above| above / step);
        number.filter(|number| *number < 16).map_or(u8::MAX, |number| number)
    };
    let of_luma = luma.iter().map(|sample| whose(FIRST, STEP, *sample));
    let of_cb = cb.iter().map(|sample| whose(CHROMA, CHROMA_STEP, *sample));
    let of_cr = cr.iter().map(|sample| whose(CHROMA, CHROMA_STEP, 255 - *sample));
    // FNV-1a.
    of_luma
        .chain(of_cb)
        .chain(of_cr)
        .fold(0xcbf2_9ce4_8422_2325, |hash, number| (hash ^ u64::from(number)).wrapping_mul(0x0100_0000_01b3))
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

/// A canvas, how it is arranged, how many are on it, and whether the last of them shares a screen.
type Case = (Size, Layout, u8, bool);

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for canvas in [LANDSCAPE, PORTRAIT] {
        for arrangement in ARRANGEMENTS {
            // In focus is somebody who did not come first.
            let plain = Layout { arrangement, focus: Some(peer(1)), ..Layout::default() };
            cases.extend([1, 2, 4, 9, 16].map(|peers| (canvas, plain.clone(), peers, false)));
            cases.push((canvas, Layout { scaling: Scaling::Fill, ..plain.clone() }, 4, false));
            cases.push((canvas, plain.clone(), 4, true));
            cases.push((canvas, Layout { pinned: Some(peer(3)), ..plain.clone() }, 4, false));
            cases.push((canvas, Layout { pinned: Some(peer(0)), ..plain }, 2, true));
        }
    }
    cases
}

#[test]
fn every_layout_looks_as_it_did() {
    let mut text = String::new();
    for (canvas, layout, peers, screen) in cases() {
        let painted = paint(&mut Painter::new(canvas), &mut scene(canvas, &layout, peers, screen));
        let Layout { arrangement, scaling, pinned, .. } = &layout;
        let pinned = pinned.as_ref().map_or(String::new(), |peer| format!(", {} pinned", peer.0));
        let screen = if screen { ", a screen" } else { "" };
        let Size { width, height } = canvas;
        let _ = writeln!(text, "{arrangement:?} of {peers}, {scaling:?}{pinned}{screen}, {width}x{height}");
        let _ = writeln!(text, "{}{:016x}\n", draw(&painted), digest(&painted));
    }
    assert!(text == include_str!("layouts.txt"), "now:\n{text}");
}

/// Whatever changes from one tick to the next, a canvas that is used again shows what one that is painted for the first time does.
#[test]
fn a_canvas_that_is_used_again_keeps_nothing_of_before() {
    const STEPS: u64 = 250;
    for canvas in [Size { width: 642, height: 362 }, Size { width: 362, height: 642 }] {
        let mut layouts: Vec<Layout> = cases().into_iter().map(|(_, layout, ..)| layout).collect();
        for (index, layout) in layouts.iter_mut().enumerate() {
            layout.show_names = index % 3 == 0;
            layout.background = (index % 4 == 0).then_some([index as u8, 100, 200]);
            let third = LowerThird { title: "Ada Lovelace".into(), subtitle: None };
            layout.lower_third = (index % 5 == 0).then_some(third);
        }
        let mut scenery = Scenery::default();
        let (mut painter, mut scene) = (Painter::new(canvas), scene(canvas, &layouts[0], 4, false));
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for step in 1..STEPS {
            if random(4) == 0 {
                scene.arrange(layouts[random(layouts.len())].clone());
            }
            for number in (0..4).filter(|_| random(3) == 0).collect::<Vec<u8>>() {
                let (time, (picture, stamps)) = (at(step), source(number, random(100) as u8));
                scene.push(TrackId(number.into()), time, (picture, stamps));
            }
            if random(20) == 0 {
                scenery = scenery_of(random(4), canvas);
            }
            let mut fresh = Painter::new(canvas);
            for painter in [&mut painter, &mut fresh] {
                painter.dress(scene.layout(), &scenery);
            }
            let tiles = scene.tick(step);
            let (used, fresh) = (painter.paint(&tiles).unwrap(), fresh.paint(&tiles).unwrap());
            assert!(samples(&used) == samples(&fresh), "step {step} on {canvas:?}");
        }
    }
}

/// From every layout to every other, live: in 300 ms, without a step, and then it is what it would have been from the start.
#[test]
fn every_layout_passes_into_every_other() {
    for canvas in [Size { width: 640, height: 360 }, Size { width: 368, height: 640 }] {
        let variants = |arrangement| {
            let plain = Layout { arrangement, focus: Some(peer(1)), ..Layout::default() };
            let pinned = Layout { pinned: Some(peer(3)), ..plain.clone() };
            [Layout { scaling: Scaling::Fill, ..plain.clone() }, plain, pinned]
        };
        let layouts: Vec<Layout> = ARRANGEMENTS.into_iter().flat_map(variants).collect();
        for (from, to) in layouts.iter().flat_map(|from| layouts.iter().map(move |to| (from, to))) {
            let mut scene = scene(canvas, from, 9, false);
            let (mut painter, mut dissolve) = (Painter::new(canvas), Dissolve::default());
            let ticks = to.transition.ticks(30);
            let mut show = |scene: &mut Scene, tick| {
                painter.dress(scene.layout(), &Scenery::default());
                let tiles = scene.tick(tick);
                let target = painter.paint(&tiles).unwrap();
                samples(&dissolve.show(&tiles, target, ticks))
            };
            let before = show(&mut scene, 1);
            assert!(before == show(&mut scene, 2));
            scene.arrange(to.clone());
            let shown: Vec<Vec<u8>> = (3..3 + u64::from(ticks)).map(|tick| show(&mut scene, tick)).collect();
            let fresh = samples(&paint(&mut Painter::new(canvas), &mut scene));
            assert!(shown.last() == Some(&fresh), "{from:?} to {to:?} on {canvas:?}");
            let all = [vec![before], shown].concat();
            for (one, next) in all.iter().zip(&all[1..]) {
                let toward = |((one, next), last): ((&u8, &u8), &u8)| {
                    one.abs_diff(*next) <= 60 && next.abs_diff(*last) <= one.abs_diff(*last).saturating_add(1)
                };
                assert!(one.iter().zip(next).zip(&fresh).all(toward), "a step from {from:?} to {to:?} on {canvas:?}");
            }
        }
    }
}

/// Without a logo, or with one that can be seen through; with a background, or without.
fn scenery_of(number: usize, canvas: Size) -> Scenery {
    let grey = |covers: u8| move |column: usize, _| ([column as u8, 128, 128], covers);
    let size = Size { width: canvas.width / 8, height: canvas.height / 8 };
    let logo = Logo { sprite: Sprite::new(size, grey(100)), corner: Corner::BottomLeft };
    Scenery {
        background: (number / 2 == 1).then(|| Sprite::new(canvas, grey(200))),
        logo: (number % 2 == 1).then_some(logo),
    }
}

/// The time of a tick.
fn at(tick: u64) -> SessionTime {
    SessionTime::from_micros((tick * 1_000_000 / 30) as i64)
}
