//! Decoders for the pictures that peers send: H.264, VP8 and VP9 with FFmpeg's own decoders, which cost less than libvpx; AV1 with dav1d, as FFmpeg's own
//! needs hardware. And sound of whatever rate and format as 48 kHz stereo.

use crate::ffmpeg::{FfmpegError, Picture, words};
use ffmpeg_next::codec::{self, Id, decoder, packet};
use ffmpeg_next::format::Pixel;
use ffmpeg_next::frame;
use ffmpeg_next::util::color::Range;
use footlight_media::codec::Codec;
use footlight_media::time::SessionTime;

/// Samples a second of everything that is mixed.
pub const SAMPLE_RATE: u32 = 48_000;

/// Pixels of the largest picture that is decoded: 4096 x 2304. Stage refuses larger ones by their headers; this is the second door, because a 200 KB file of
/// 8192x8192 costs 394 MB.
const MAX_PIXELS: i64 = 4096 * 2304;

/// Pixels of its longer side.
const MAX_SIDE: u32 = 4096;
/// Pictures that one frame may bring: a picture in so many spatial layers, of which the last is the best.
const MAX_LAYERS: usize = 8;

/// Decodes one track's pictures.
pub struct VideoDecoder {
    decoder: decoder::Opened,
}

impl VideoDecoder {
    /// A decoder with one thread and no reordering delay.
    pub fn new(codec: Codec) -> Result<Self, FfmpegError> {
        Ok(Self { decoder: open(codec)? })
    }

    /// Decodes one frame that is shown at `time`; answers with the picture that came out, with its time. Of several, as of spatial layers, it is the last.
    pub fn decode(&mut self, data: &[u8], time: SessionTime) -> Result<Option<(SessionTime, Picture)>, FfmpegError> {
        let mut packet = codec::packet::Packet::copy(data);
        packet.set_pts(Some(time.as_micros()));
        send(&mut self.decoder, &packet)?;
        let mut last = None;
        // Three bytes of AV1 can ask for a picture to be shown again.
        for _ in 0..=MAX_LAYERS {
            let mut frame = frame::Video::empty();
            if self.decoder.receive_frame(&mut frame).is_err() {
                return Ok(last);
            }
            if frame.width().max(frame.height()) > MAX_SIDE {
                return Err(FfmpegError::Input(format!(
                    "{}x{}, at most {MAX_SIDE} a side",
                    frame.width(),
                    frame.height()
                )));
            }
            let time = frame.pts().map_or(time, SessionTime::from_micros);
            // Anything but 8-bit 4:2:0 (screen content in 4:4:4) is refused rather than drawn wrongly; full range is converted where
            // it is scaled; H.264's has a format of its own, the others' is said beside it.
            if ![Pixel::YUV420P, Pixel::YUVJ420P].contains(&frame.format()) {
                return Err(FfmpegError::Input(format!("pixel format {:?}, need 4:2:0 of 8 bits", frame.format())));
            }
            if frame.color_range() == Range::JPEG {
                frame.set_format(Pixel::YUVJ420P);
            }
            last = Some((time, Picture(frame)));
        }
        Err(FfmpegError::Input(format!("more than {MAX_LAYERS} pictures in a frame")))
    }
}

/// Planar stereo samples from -1 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pcm {
    /// Left.
    pub left: Vec<f32>,
    /// Right; as long as left.
    pub right: Vec<f32>,
}

impl Pcm {
    /// How loud it is: full scale is 1, nothing is 0.
    pub fn mean_square(&self) -> f32 {
        let power: f32 = self.left.iter().chain(&self.right).map(|sample| sample * sample).sum();
        power / (self.left.len() + self.right.len()).max(1) as f32
    }
}

/// swresample from whatever a decoder gives to 48 kHz planar stereo.
pub(crate) struct Resampler {
    context: *mut ffmpeg_next::ffi::SwrContext,
    /// Format, channel layout and rate of the last frame: a change makes a new context.
    input: Option<(i32, u64, i32)>,
}

// SAFETY: the context is owned and used through `&mut` alone.
unsafe impl Send for Resampler {}

impl Resampler {
    /// Made when the first frame tells the format.
    pub(crate) const fn new() -> Self {
        Self { context: std::ptr::null_mut(), input: None }
    }

    pub(crate) fn append(&mut self, frame: &frame::Audio, pcm: &mut Pcm) -> Result<(), FfmpegError> {
        use ffmpeg_next::ffi;
        self.prepare(frame)?;
        let samples = i32::try_from(frame.samples()).expect("an audio frame has thousands of samples at most");
        let room = frame.samples() * 2 + 1024;
        let at = pcm.left.len();
        pcm.left.resize(at + room, 0.0);
        pcm.right.resize(at + room, 0.0);
        // SAFETY: both output planes have `room` floats from `at` on, and swr_convert writes at most that many; the input planes belong to `frame`.
        let got = unsafe {
            let mut out = [pcm.left[at..].as_mut_ptr().cast::<u8>(), pcm.right[at..].as_mut_ptr().cast::<u8>()];
            let data = (*frame.as_ptr()).extended_data.cast::<*const u8>();
            let room = i32::try_from(room).expect("thousands");
            ffi::swr_convert(self.context, out.as_mut_ptr(), room, data, samples)
        };
        let written = usize::try_from(got).unwrap_or(0);
        pcm.left.truncate(at + written);
        pcm.right.truncate(at + written);
        if got < 0 { Err(FfmpegError::setup("resampling", ffmpeg_next::Error::from(got))) } else { Ok(()) }
    }

    fn prepare(&mut self, frame: &frame::Audio) -> Result<(), FfmpegError> {
        use ffmpeg_next::ffi;
        let layout = match frame.channels() {
            1 => ffi::AV_CH_LAYOUT_MONO,
            2 => ffi::AV_CH_LAYOUT_STEREO,
            // Surround of a file: mixed down by its layout.
            _ => frame.channel_layout().bits(),
        };
        // SAFETY: reads two integers of a live frame.
        let (format, rate) = unsafe { ((*frame.as_ptr()).format, (*frame.as_ptr()).sample_rate) };
        if self.input == Some((format, layout, rate)) {
            return Ok(());
        }
        // SAFETY: frees what the last call made, then makes and opens a context from checked numbers; every failure leaves a null pointer
        // and no remembered input.
        let opened = unsafe {
            ffi::swr_free(&raw mut self.context);
            self.input = None;
            let out_rate = i32::try_from(SAMPLE_RATE).expect("48,000");
            self.context = ffi::swr_alloc_set_opts(
                std::ptr::null_mut(),
                ffi::AV_CH_LAYOUT_STEREO.cast_signed(),
                ffi::AVSampleFormat::AV_SAMPLE_FMT_FLTP,
                out_rate,
                layout.cast_signed(),
                std::mem::transmute::<i32, ffi::AVSampleFormat>(format),
                rate,
                0,
                std::ptr::null_mut(),
            );
            ffi::swr_init(self.context)
        };
        if opened < 0 {
            return Err(FfmpegError::setup("resampler", ffmpeg_next::Error::from(opened)));
        }
        self.input = Some((format, layout, rate));
        Ok(())
    }
}

impl Drop for Resampler {
    fn drop(&mut self) {
        // SAFETY: frees what `prepare` made; null is fine.
        unsafe { ffmpeg_next::ffi::swr_free(&raw mut self.context) };
    }
}

fn open(codec: Codec) -> Result<decoder::Opened, FfmpegError> {
    let (id, name) = match codec {
        Codec::H264 => (Id::H264, "h264"),
        Codec::Vp8 => (Id::VP8, "vp8"),
        Codec::Vp9 => (Id::VP9, "vp9"),
        Codec::Av1 => (Id::AV1, "libdav1d"),
        Codec::Opus => return Err(FfmpegError::Input("Opus is no picture".into())),
    };
    // By name, because FFmpeg built with libvpx may prefer that.
    let found = decoder::find_by_name(name).or_else(|| decoder::find(id));
    let what = || format!("decoder {name}");
    let found = found.ok_or_else(|| FfmpegError::setup(what(), ffmpeg_next::Error::DecoderNotFound))?;
    let mut context = codec::Context::new_with_codec(found);
    // SAFETY: plain fields of a context that is not open yet.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).thread_count = 1;
        (*raw).flags |= i32::try_from(ffmpeg_next::ffi::AV_CODEC_FLAG_LOW_DELAY).expect("a flag bit");
        (*raw).max_pixels = MAX_PIXELS;
        (*raw).pkt_timebase = ffmpeg_next::ffi::AVRational { num: 1, den: 1_000_000 };
    }
    context.decoder().open_as(found).map_err(|e| FfmpegError::setup(what(), e))
}

fn send(decoder: &mut decoder::Opened, packet: &impl packet::Ref) -> Result<(), FfmpegError> {
    decoder.send_packet(packet).map_err(|e| FfmpegError::Input(words(e)))
}
