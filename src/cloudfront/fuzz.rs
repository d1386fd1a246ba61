//! The fuzz target: bodies of CreateInvalidation.

use super::batch::{Batch, MAX_ITEMS};
use crate::fuzz::{self, Mutated};

#[test]
fn batches() {
    let seed = "<InvalidationBatch xmlns=\"http://cloudfront.amazonaws.com/doc/2020-05-31/\"><Paths><Quantity>2</Quantity>\
        <Items><Path>/a%20b*</Path><Path>#shop</Path></Items></Paths><CallerReference>r</CallerReference>\
        </InvalidationBatch>";
    let words = ["<Path>", "</Path>", "<Items/>", "/*", "#", "&amp;", "<!DOCTYPE", "<Quantity>", "*"];
    bolero::check!().with_test_time(fuzz::time()).with_generator(Mutated::new([seed], &words)).for_each(|input| {
        fuzz::promptly(|| {
            if let Ok(batch) = Batch::parse(input) {
                assert!((1..=MAX_ITEMS).contains(&batch.items.len()) && !batch.reference.is_empty());
                assert_eq!(batch.purges("www").len(), batch.items.len());
            }
        });
    });
}
