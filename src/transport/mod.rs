//! What the transports share: heads, the pace of a body and documents on the way in, downloads on the way out,
//! tables of error codes, and errors as sentences.

mod codes;
pub mod download;
pub mod head;
pub mod memory;
pub mod pace;
pub mod whole;

pub(crate) use codes::error_codes;

/// A message of a layer below as a sentence for the client: with a capital letter.
pub fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
