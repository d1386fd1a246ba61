//! Owners as S3 shows them.

use super::xml::write::Writer;
use crate::identity::Account;

/// Writes an `Owner` or `Initiator` element.
pub fn write(writer: &mut Writer, element: &'static str, account: &Account) {
    writer.nest(element, |owner| {
        owner.text("ID", &account.canonical_id).text("DisplayName", &account.display_name);
    });
}
