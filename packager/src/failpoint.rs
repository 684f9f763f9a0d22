//! Compiled for tests alone (feature `failpoints`): a frame that carries [`CRASH`] kills the process that decodes it, as a bug in a decoder would.

/// The user_data_unregistered UUID (ITU-T H.264 D.1.7) of an SEI that asks for the crash.
pub const CRASH: [u8; 16] = *b"footlight-crash!";

/// Raises SIGSEGV where the frame asks for it.
pub fn crash_if_asked(frame: &[u8]) {
    if frame.windows(CRASH.len()).any(|w| w == CRASH) {
        // Rust's own handler of SIGSEGV puts the default back and returns, so that the fault happens again; a raised signal would not.
        // SAFETY: neither call has preconditions; the process ends here, which is the point.
        unsafe {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            libc::raise(libc::SIGSEGV);
        }
    }
}
