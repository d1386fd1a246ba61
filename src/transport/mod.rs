//! What the transports share on their way in from actix: heads, the pace of a body, memory for documents,
//! and errors as sentences.

pub mod head;
pub mod memory;
pub mod pace;

/// A message of a layer below as a sentence for the client: with a capital letter.
pub fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
