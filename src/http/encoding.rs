//! Which of several codings of the same content a client gets: `Accept-Encoding`, RFC 9110 section 12.5.3.

use std::str;

/// A content coding that files may be stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

/// A weight in thousandths (RFC 9110 section 12.4.2).
type Weight = u16;

/// The most members of the header that are read: further ones change nothing.
const MAX_MEMBERS: usize = 32;

impl Coding {
    /// Every coding, the one that usually makes the fewest bytes first: of several that a client likes as much, the
    /// first is taken.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The name in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What a file's name has behind it where this is its coding: `.br` for `app.js.br`.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name()) || (self == Self::Gzip && name.eq_ignore_ascii_case("x-gzip"))
    }
}

/// What a client says of codings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AcceptEncoding {
    /// In the order of [`Coding::ALL`].
    codings: [Option<Weight>; 3],
    identity: Option<Weight>,
    /// `*`: whatever is not named.
    others: Option<Weight>,
}

impl AcceptEncoding {
    /// Reads all values of the header. Members that cannot be understood are skipped; of two that name the same, the
    /// first counts. Without the header nothing but the content as it is can be sent.
    pub fn parse<'v>(values: impl Iterator<Item = &'v [u8]>) -> Self {
        let mut accepted = Self::default();
        let members = values.filter_map(|value| str::from_utf8(value).ok()).flat_map(|value| value.split(','));
        for member in members.take(MAX_MEMBERS) {
            let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
            if let (Some(weight), Some(place)) = (weight(parameters), accepted.place(name.trim())) {
                place.get_or_insert(weight);
            }
        }
        accepted
    }

    /// The codings that the client would rather have than the content as it is, the best first.
    pub fn preferred(&self) -> impl Iterator<Item = Coding> + use<> {
        // Content that is not mentioned may be sent, but whoever names codings wants one of them.
        let least = self.identity.unwrap_or_default();
        let weight = |at: usize| self.codings[at].or(self.others).unwrap_or_default();
        let mut ranked = [0, 1, 2].map(|at| (weight(at), Coding::ALL[at]));
        ranked.sort_by(|(a, _), (b, _)| b.cmp(a));
        ranked.into_iter().filter(move |(weight, _)| *weight > 0 && *weight >= least).map(|(_, coding)| coding)
    }

    fn place(&mut self, name: &str) -> Option<&mut Option<Weight>> {
        match name {
            "*" => Some(&mut self.others),
            name if name.eq_ignore_ascii_case("identity") => Some(&mut self.identity),
            name => {
                let at = Coding::ALL.iter().position(|coding| coding.is_named(name))?;
                Some(&mut self.codings[at])
            }
        }
    }
}

/// The weight among a member's parameters; 1 where there is none, `None` where it cannot be understood.
fn weight(parameters: &str) -> Option<Weight> {
    let parameter = parameters.trim();
    if parameter.is_empty() {
        return Some(1000);
    }
    let (name, value) = parameter.split_once('=')?;
    if !name.trim_end().eq_ignore_ascii_case("q") {
        return None;
    }
    let (whole, fraction) = value.trim_start().split_once('.').unwrap_or((value.trim_start(), ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<Weight>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Coding::{Brotli, Gzip, Zstd};
    use super::*;

    fn preferred(values: &[&str]) -> Vec<Coding> {
        AcceptEncoding::parse(values.iter().map(|value| value.as_bytes())).preferred().collect()
    }

    #[test]
    fn the_heaviest_acceptable_codings_come_first() {
        for (values, expected) in [
            (&[][..], &[][..]),
            (&[""], &[]),
            (&["gzip, deflate, br, zstd"], &[Brotli, Zstd, Gzip]),
            (&["gzip", "br"], &[Brotli, Gzip]),
            (&["GZIP;Q=1.0, br;q=0.5"], &[Gzip, Brotli]),
            (&["x-gzip"], &[Gzip]),
            (&["br;q=0, gzip"], &[Gzip]),
            (&["*"], &[Brotli, Zstd, Gzip]),
            (&["*;q=0.1, zstd ; q = 0.9, br;q=0.000"], &[Zstd, Gzip]),
            (&["*;q=0"], &[]),
            (&["*;q=0, gzip;q=0.001"], &[Gzip]),
            (&["identity"], &[]),
            (&["identity;q=0.5, gzip;q=0.4, br;q=0.5"], &[Brotli]),
            (&["identity;q=0"], &[]),
            (&["identity;q=0, *"], &[Brotli, Zstd, Gzip]),
            (&["deflate, compress"], &[]),
            (&["gzip;q=0, gzip"], &[]),
        ] {
            assert_eq!(preferred(values), expected, "{values:?}");
        }
    }

    #[test]
    fn members_that_cannot_be_understood_are_skipped() {
        for value in [
            "gzip;q=2",
            "gzip;q=1.1",
            "gzip;q=0.1234",
            "gzip;q=-1",
            "gzip;q=a",
            "gzip;level=3",
            "gz ip",
            "gzip;q=1;q=0",
        ] {
            assert_eq!(preferred(&[value]), [], "{value}");
            assert_eq!(preferred(&[value, "br"]), [Brotli], "{value}");
        }
        assert_eq!(AcceptEncoding::parse([b"\xff".as_slice(), b"br"].into_iter()).preferred().count(), 1);
        assert_eq!(preferred(&[&format!("{}br", "a,".repeat(100))]), [], "the members are bounded");
    }

    proptest! {
        #[test]
        fn no_coding_is_given_that_was_refused_or_not_offered(
            members in proptest::collection::vec(("(br|zstd|gzip|identity|\\*|x)", 0_u16..=1000), 0..8),
        ) {
            let text: Vec<String> = members
                .iter()
                .map(|(name, weight)| format!("{name};q={}.{:03}", weight / 1000, weight % 1000))
                .collect();
            let given = |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, weight)| *weight);
            let weight = |coding: Coding| given(coding.name()).or(given("*")).unwrap_or_default();
            let chosen = preferred(&[&text.join(",")]);
            prop_assert!(chosen.iter().map(|coding| weight(*coding)).rev().is_sorted());
            for coding in Coding::ALL {
                let wanted = weight(coding) > 0 && weight(coding) >= given("identity").unwrap_or_default();
                prop_assert_eq!(chosen.contains(&coding), wanted, "{:?} {:?}", coding, text);
            }
        }
    }
}
