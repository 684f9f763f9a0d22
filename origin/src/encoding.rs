//! Which content coding a client takes: `Accept-Encoding`, RFC 9110 section 12.5.3.

use http::{HeaderMap, header};

/// Parts of a quality value: `q=0.25` is 250 of them (RFC 9110 section 12.4.2 allows three digits).
const FULL_QUALITY: u16 = 1000;

/// Whether the answer is to be gzipped: gzip is acceptable, and identity is not preferred by an explicit higher weight.
/// An absent header accepts anything, but says nothing of being able to undo gzip: it gets identity.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let (mut gzip, mut identity, mut any) = (None, None, None);
    for value in headers.get_all(header::ACCEPT_ENCODING) {
        let Ok(text) = value.to_str() else { continue };
        for item in text.split(',') {
            let (coding, quality) = weighted(item);
            let slot = match coding {
                c if c.eq_ignore_ascii_case("gzip") || c.eq_ignore_ascii_case("x-gzip") => &mut gzip,
                c if c.eq_ignore_ascii_case("identity") => &mut identity,
                "*" => &mut any,
                _ => continue,
            };
            *slot = quality.max(*slot);
        }
    }
    let gzip = gzip.or(any).unwrap_or(0);
    gzip > 0 && gzip >= identity.unwrap_or(0)
}

/// The coding and its weight; an item whose weight is malformed is as if it were not there.
fn weighted(item: &str) -> (&str, Option<u16>) {
    let mut pieces = item.split(';');
    let coding = pieces.next().unwrap_or("").trim();
    let mut quality = Some(FULL_QUALITY);
    for parameter in pieces {
        let Some((name, value)) = parameter.split_once('=') else { return (coding, None) };
        if name.trim().eq_ignore_ascii_case("q") {
            quality = parse_quality(value.trim());
        }
    }
    (coding, quality)
}

/// `0`, `0.d`, `0.dd`, `0.ddd`, `1`, `1.0`, `1.00`, `1.000` (RFC 9110 section 12.4.2), in thousandths.
fn parse_quality(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(FULL_QUALITY),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(lines: &[&'static str], expected: bool) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::ACCEPT_ENCODING, HeaderValue::from_static(line));
        }
        assert_eq!(accepts_gzip(&headers), expected, "{lines:?}");
    }

    #[test]
    fn gzip_is_chosen_by_weight() {
        check(&[], false);
        check(&[""], false);
        check(&["gzip"], true);
        check(&["GZip"], true);
        check(&["x-gzip"], true);
        check(&["br, gzip, deflate"], true);
        check(&["br", "gzip"], true);
        check(&["br"], false);
        check(&["*"], true);
        check(&["*;q=0"], false);
        check(&["gzip;q=0, *"], false);
        check(&["gzip;q=0"], false);
        check(&["gzip;q=0.000"], false);
        check(&["gzip;q=0.001"], true);
        check(&["gzip ; Q=0.5 , identity;q=0.5"], true);
        check(&["gzip;q=0.5, identity"], false);
        check(&["gzip;q=1.001"], false);
        check(&["gzip;q=0.1234"], false);
        check(&["gzip;q"], false);
        check(&["gzip;q=-1"], false);
        check(&["identity"], false);
    }
}
