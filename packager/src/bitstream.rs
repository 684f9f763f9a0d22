//! H.264 from a file's form to the byte stream that is sent, with FFmpeg's bitstream filters.

use crate::coded::parameter_sets;
use crate::contribution::profile_level_id;
use crate::ffmpeg::FfmpegError;
use bytes::Bytes;
use ffmpeg_next::codec;
use ffmpeg_next::codec::packet::{Mut as _, Packet};
use ffmpeg_next::ffi;

/// FFmpeg's filter from MP4's form of H.264, or a bare byte stream, to one with its parameter sets at each key frame.
pub(crate) struct Bsf(*mut ffi::AVBSFContext);

// SAFETY: the context is owned and used through `&mut` alone, or read.
unsafe impl Send for Bsf {}

impl Bsf {
    pub(crate) fn annex_b(parameters: &codec::Parameters) -> Result<Self, FfmpegError> {
        let failed = |code| FfmpegError::setup("bitstream filter", ffmpeg_next::Error::from(code));
        let mut bsf = Self(std::ptr::null_mut());
        // SAFETY: extradata point to extradata_size bytes or are null. The filter is allocated, given a copy of the parameters and opened; `Drop` frees it
        // whatever of that failed.
        unsafe {
            let from = parameters.as_ptr();
            // avcC begins with its version, 1; a byte stream with a zero.
            let is_mp4 = (*from).extradata_size > 0 && *(*from).extradata == 1;
            let name = if is_mp4 { c"h264_mp4toannexb" } else { c"dump_extra" };
            let filter = ffi::av_bsf_get_by_name(name.as_ptr());
            if filter.is_null() {
                return Err(failed(ffi::AVERROR_BSF_NOT_FOUND));
            }
            let mut code = ffi::av_bsf_alloc(filter, &raw mut bsf.0);
            if code >= 0 {
                code = ffi::avcodec_parameters_copy((*bsf.0).par_in, from);
            }
            if code >= 0 {
                code = ffi::av_bsf_init(bsf.0);
            }
            if code < 0 {
                return Err(failed(code));
            }
        }
        Ok(bsf)
    }

    pub(crate) fn profile_level_id(&self) -> Option<[u8; 3]> {
        // SAFETY: an open filter's output parameters live as long as it; the bytes are copied.
        let header = unsafe {
            let out = (*self.0).par_out;
            let size = usize::try_from((*out).extradata_size).unwrap_or(0);
            if (*out).extradata.is_null() {
                Vec::new()
            } else {
                std::slice::from_raw_parts((*out).extradata, size).to_vec()
            }
        };
        let (sps, _) = parameter_sets(&header)?;
        profile_level_id(&sps)
    }

    pub(crate) fn filter(&mut self, mut packet: Packet) -> Result<Bytes, FfmpegError> {
        let failed = |code| FfmpegError::setup("bitstream filter", ffmpeg_next::Error::from(code));
        let mut out = Packet::empty();
        // SAFETY: the filter takes the packet's reference and leaves it empty; one packet in is one packet out for both filters.
        let code = unsafe {
            let sent = ffi::av_bsf_send_packet(self.0, packet.as_mut_ptr());
            if sent < 0 { sent } else { ffi::av_bsf_receive_packet(self.0, out.as_mut_ptr()) }
        };
        if code < 0 { Err(failed(code)) } else { Ok(Bytes::copy_from_slice(out.data().unwrap_or_default())) }
    }
}

impl Drop for Bsf {
    fn drop(&mut self) {
        // SAFETY: frees what was allocated; null is fine.
        unsafe { ffi::av_bsf_free(&raw mut self.0) };
    }
}
