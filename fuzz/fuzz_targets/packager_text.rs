//! Any text is drawn as one line that is no longer than it may be. The first two bytes say how large its letters are, and how long it may be.
#![no_main]

use footlight_packager::text::Text;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    // Reading the fonts is most of the work.
    static TEXT: RefCell<Text> = RefCell::default();
}

fuzz_target!(|bytes: &[u8]| {
    let [size, longest, name @ ..] = bytes else { return };
    let name = String::from_utf8_lossy(name);
    let (size, longest) = (u32::from(size % 64) + 1, u32::from(*longest) * 4);
    TEXT.with_borrow_mut(|text| {
        let line = text.line(&name, size, longest);
        assert_eq!(line.coverage.len(), line.width * line.height);
        assert!(line.width <= longest.max(4 * size) as usize, "{} of {longest}", line.width);
        assert!(text.unknown(&name).len() <= name.chars().count());
    });
});
