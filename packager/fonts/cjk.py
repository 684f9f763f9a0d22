"""Prints the characters that are kept of the Chinese, Japanese and Korean font, one U+XXXX a line."""


def row(char: str, codec: str) -> int:
    """The first byte of a character in a code page; 0 where it has none."""
    try:
        return char.encode(codec)[0]
    except UnicodeEncodeError:
        return 0


def wanted(code: int) -> bool:
    char = chr(code)
    punctuation_and_kana = 0x3000 <= code < 0x3100 or 0x31F0 <= code < 0x3200 or 0xFF00 <= code < 0xFFF0
    hangul = 0xAC00 <= code < 0xD7A4
    if not 0x4E00 <= code < 0xA000:
        return punctuation_and_kana or hangul
    # JIS X 0208 levels 1 and 2, GB 2312 level 1, Big5 level 1: what names of people are written with.
    return row(char, "euc_jp") > 0xA0 or 0xB0 <= row(char, "gb2312") < 0xD8 or 0xA4 <= row(char, "big5") < 0xC7


print("\n".join(f"U+{code:04X}" for code in range(0x3000, 0x10000) if wanted(code)))
