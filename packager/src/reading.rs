//! One reading of a media file with FFmpeg, from its begin to its end: which of its tracks are taken as they are, and which are decoded.

use crate::bitstream::Bsf;
use crate::ffmpeg::{FfmpegError, words};
use ffmpeg_next::codec::{self, Id, decoder};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Stream;
use ffmpeg_next::{Rational, ffi, format, media};
use std::path::Path;

/// One reading of the file, from its begin to its end.
pub(crate) struct Pass {
    pub(crate) input: Input,
    pub(crate) video: Option<Track<VideoReading>>,
    pub(crate) audio: Option<Track<AudioReading>>,
}

pub(crate) struct Track<R> {
    pub(crate) index: usize,
    pub(crate) time_base: Rational,
    pub(crate) reading: R,
}

pub(crate) enum VideoReading {
    Passing(Option<Bsf>),
    Decoding(decoder::Video),
}

pub(crate) enum AudioReading {
    Passing,
    Decoding(Box<decoder::Audio>),
}

impl Pass {
    pub(crate) fn open(path: &Path, encode_picture: bool) -> Result<Self, FfmpegError> {
        let input = format::input(path).map_err(|e| unreadable(path, words(e)))?;
        let video = match input.streams().best(media::Type::Video) {
            Some(stream) => Some(video_track(path, &stream, encode_picture)?),
            None => None,
        };
        let audio = match input.streams().best(media::Type::Audio) {
            Some(stream) => Some(audio_track(path, &stream)?),
            None => None,
        };
        Ok(Self { input, video, audio })
    }

    /// The file's first moment.
    pub(crate) fn start_us(&self) -> i64 {
        // SAFETY: a plain field of a live context, in microseconds (AV_TIME_BASE).
        let start = unsafe { (*self.input.as_ptr()).start_time };
        if start == ffi::AV_NOPTS_VALUE { 0 } else { start }
    }

    /// The mean rate of a track's pictures, or a nonsensical one.
    pub(crate) fn frame_rate(&self, track: usize) -> Rational {
        self.input.stream(track).expect("found before").avg_frame_rate()
    }
}

pub(crate) fn unreadable(path: &Path, why: impl std::fmt::Display) -> FfmpegError {
    FfmpegError::Setup { what: path.display().to_string(), cause: why.to_string() }
}

fn video_track(path: &Path, stream: &Stream<'_>, encode: bool) -> Result<Track<VideoReading>, FfmpegError> {
    let parameters = stream.parameters();
    // SAFETY: plain fields of live parameters.
    let (reordered, eight_bits) = unsafe {
        let raw = parameters.as_ptr();
        let yuv420 = [ffi::AVPixelFormat::AV_PIX_FMT_YUV420P as i32, ffi::AVPixelFormat::AV_PIX_FMT_YUVJ420P as i32];
        ((*raw).video_delay > 0, yuv420.contains(&(*raw).format))
    };
    let reading = match parameters.id() {
        Id::VP8 if !encode => Some(VideoReading::Passing(None)),
        Id::H264 if !encode && !reordered && eight_bits => {
            // Without parameter sets an offer cannot say what it is.
            let bsf = Bsf::annex_b(&parameters)?;
            bsf.profile_level_id().is_some().then_some(VideoReading::Passing(Some(bsf)))
        }
        _ => None,
    };
    let reading = match reading {
        Some(reading) => reading,
        None => VideoReading::Decoding(decoding(path, stream)?.video().map_err(|e| unreadable(path, words(e)))?),
    };
    Ok(Track { index: stream.index(), time_base: stream.time_base(), reading })
}

fn audio_track(path: &Path, stream: &Stream<'_>) -> Result<Track<AudioReading>, FfmpegError> {
    let parameters = stream.parameters();
    // SAFETY: a plain field of live parameters.
    let channels = unsafe { (*parameters.as_ptr()).ch_layout.nb_channels };
    let reading = if parameters.id() == Id::OPUS && (1..=2).contains(&channels) {
        AudioReading::Passing
    } else {
        AudioReading::Decoding(Box::new(decoding(path, stream)?.audio().map_err(|e| unreadable(path, words(e)))?))
    };
    Ok(Track { index: stream.index(), time_base: stream.time_base(), reading })
}

fn decoding(path: &Path, stream: &Stream<'_>) -> Result<decoder::Decoder, FfmpegError> {
    let mut context = codec::Context::from_parameters(stream.parameters()).map_err(|e| unreadable(path, words(e)))?;
    let base = stream.time_base();
    // SAFETY: plain fields of a context that is not open yet. The time base lets the decoder drop a file's priming samples.
    unsafe {
        let raw = context.as_mut_ptr();
        (*raw).pkt_timebase = ffi::AVRational { num: base.numerator(), den: base.denominator() };
        (*raw).thread_count = 2;
    }
    Ok(context.decoder())
}
