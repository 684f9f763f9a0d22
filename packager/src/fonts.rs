//! The fonts that are part of the binary; `packager/fonts/README.md` says where they are from.

/// The first one's glyph for what no font has, a box, is what is drawn for it.
pub(crate) const FIRST: &str = "Noto Sans";

/// Files of the fonts, and the families that they are, in the order in which a character is looked for.
pub(crate) const FONTS: [(&str, &[u8]); 21] = [
    (FIRST, include_bytes!("../fonts/NotoSans-Regular.ttf")),
    ("Noto Sans Arabic", include_bytes!("../fonts/NotoSansArabic-Regular.ttf")),
    ("Noto Sans Armenian", include_bytes!("../fonts/NotoSansArmenian-Regular.ttf")),
    ("Noto Sans Bengali", include_bytes!("../fonts/NotoSansBengali-Regular.ttf")),
    ("Noto Sans Devanagari", include_bytes!("../fonts/NotoSansDevanagari-Regular.ttf")),
    ("Noto Sans Ethiopic", include_bytes!("../fonts/NotoSansEthiopic-Regular.ttf")),
    ("Noto Sans Georgian", include_bytes!("../fonts/NotoSansGeorgian-Regular.ttf")),
    ("Noto Sans Gujarati", include_bytes!("../fonts/NotoSansGujarati-Regular.ttf")),
    ("Noto Sans Gurmukhi", include_bytes!("../fonts/NotoSansGurmukhi-Regular.ttf")),
    ("Noto Sans Hebrew", include_bytes!("../fonts/NotoSansHebrew-Regular.ttf")),
    ("Noto Sans Kannada", include_bytes!("../fonts/NotoSansKannada-Regular.ttf")),
    ("Noto Sans Khmer", include_bytes!("../fonts/NotoSansKhmer-Regular.ttf")),
    ("Noto Sans Lao", include_bytes!("../fonts/NotoSansLao-Regular.ttf")),
    ("Noto Sans Malayalam", include_bytes!("../fonts/NotoSansMalayalam-Regular.ttf")),
    ("Noto Sans Myanmar", include_bytes!("../fonts/NotoSansMyanmar-Regular.ttf")),
    ("Noto Sans Oriya", include_bytes!("../fonts/NotoSansOriya-Regular.ttf")),
    ("Noto Sans Sinhala", include_bytes!("../fonts/NotoSansSinhala-Regular.ttf")),
    ("Noto Sans Tamil", include_bytes!("../fonts/NotoSansTamil-Regular.ttf")),
    ("Noto Sans Telugu", include_bytes!("../fonts/NotoSansTelugu-Regular.ttf")),
    ("Noto Sans Thai", include_bytes!("../fonts/NotoSansThai-Regular.ttf")),
    ("Noto Sans CJK JP", include_bytes!("../fonts/NotoSansCJKjp-Regular.otf")),
];
