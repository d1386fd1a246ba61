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

/// Gives the content type of a file: as [`of_key`], and with its charset where it is a text that is UTF-8.
pub fn of_file(path: &str, is_utf8: bool) -> String {
    let content_type = of_key(path);
    let textual = content_type.starts_with("text/")
        || content_type.ends_with("+xml")
        || ["application/javascript", "application/xml"].contains(&content_type);
    if textual && is_utf8 { format!("{content_type}; charset=utf-8") } else { content_type.to_owned() }
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

    #[test]
    fn only_texts_have_a_charset_and_only_where_it_is_true() {
        for (path, utf8, content_type) in [
            ("index.html", true, "text/html; charset=utf-8"),
            ("index.html", false, "text/html"),
            ("app.js", true, "text/javascript; charset=utf-8"),
            ("logo.svg", true, "image/svg+xml; charset=utf-8"),
            ("data.json", true, "application/json"),
            ("logo.png", true, "image/png"),
            ("LICENSE", true, DEFAULT),
        ] {
            assert_eq!(of_file(path, utf8), content_type, "{path}");
        }
    }
}
