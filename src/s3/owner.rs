//! Owners as S3 shows them.

use super::xml::write::Writer;
pub use crate::identity::derived_canonical_id as canonical_id;
use crate::names::AccountId;

/// Writes an `Owner` or `Initiator` element.
pub fn write(writer: &mut Writer, element: &'static str, account: &AccountId) {
    writer.nest(element, |owner| {
        owner.text("ID", &canonical_id(account)).text("DisplayName", account.as_str());
    });
}

/// The access control policy of everything: its owner has full control, and nobody else has any.
pub fn full_control(account: &AccountId) -> Writer {
    let mut document = Writer::new("AccessControlPolicy");
    write(&mut document, "Owner", account);
    document.nest("AccessControlList", |list| {
        list.nest("Grant", |grant| {
            let attributes =
                [("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance"), ("xsi:type", "CanonicalUser")];
            grant.nest_with("Grantee", &attributes, |grantee| {
                grantee.text("ID", &canonical_id(account)).text("DisplayName", account.as_str());
            });
            grant.text("Permission", "FULL_CONTROL");
        });
    });
    document
}
