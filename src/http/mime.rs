//! Content types.

/// The content type of an object that was stored without one, as S3 has it.
pub const DEFAULT: &str = "binary/octet-stream";

/// Gives the content type that the extension of a key's last segment suggests (a bare type, without charset), or
/// [`DEFAULT`]. A name that only consists of an extension, such as `.html`, suggests nothing.
pub fn of_key(key: &str) -> &'static str {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => mime_guess::from_ext(extension).first_raw().unwrap_or(DEFAULT),
        _ => DEFAULT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_the_last_segment_decides() {
        for (key, content_type) in [
            ("index.html", "text/html"),
            ("a.b/INDEX.HTML", "text/html"),
            ("a/b.tar.css", "text/css"),
            ("photo.jpeg", "image/jpeg"),
            ("app.wasm", "application/wasm"),
            ("", DEFAULT),
            ("a.html/", DEFAULT),
            ("a.html/b", DEFAULT),
            (".html", DEFAULT),
            ("a.", DEFAULT),
            ("a.unheard-of", DEFAULT),
            ("日本.é", DEFAULT),
        ] {
            assert_eq!(of_key(key), content_type, "{key}");
        }
    }
}
