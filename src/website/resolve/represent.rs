//! Which representation of a file a client gets: its own bytes, or those of a sibling that was compressed before
//! (RFC 9110 section 12.5.3).

use crate::http::encoding::AcceptEncoding;
use crate::http::head::Headers;
use crate::site::options::Options;
use crate::website::failure::Failure;
use crate::website::files::{File, Files, Found};

/// Types besides `text/*` whose bytes become fewer.
const COMPRESSIBLE: [&str; 12] = [
    "application/javascript",
    "application/json",
    "application/manifest+json",
    "application/vnd.ms-fontobject",
    "application/wasm",
    "application/xhtml+xml",
    "application/xml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
];

/// Types that end so are text in one of these forms.
const COMPRESSIBLE_FORMS: [&str; 2] = ["+json", "+xml"];

/// The file, or its sibling in the best coding that the client takes and that there is.
pub async fn represent(
    files: &impl Files,
    options: &Options,
    mut file: Box<File>,
    headers: &Headers,
) -> Result<Box<File>, Failure> {
    let is_encoded = file.metadata().is_some_and(|metadata| metadata.content_encoding.is_some());
    if !options.precompressed || is_encoded || !file.content_type().is_some_and(is_compressible) {
        return Ok(file);
    }
    file.varies = true;
    for coding in AcceptEncoding::parse(headers.all("accept-encoding")).preferred() {
        if let Found::File(sibling) = files.sibling(&file.key, coding).await? {
            return Ok(Box::new(file.encoded(coding, *sibling)));
        }
    }
    Ok(file)
}

/// Whether files of this type are worth looking for in other codings.
fn is_compressible(content_type: &str) -> bool {
    let bare = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    bare.starts_with("text/")
        || COMPRESSIBLE.contains(&bare.as_str())
        || COMPRESSIBLE_FORMS.iter().any(|form| bare.ends_with(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_gets_smaller_is_looked_for() {
        for content_type in ["text/html", "TEXT/css; charset=utf-8", "image/svg+xml", "application/ld+json"] {
            assert!(is_compressible(content_type), "{content_type}");
        }
        for content_type in ["", "image/png", "video/mp4", "application/zip", "font/woff2", "binary/octet-stream"] {
            assert!(!is_compressible(content_type), "{content_type}");
        }
    }
}
