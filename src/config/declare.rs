//! The form of a declaration: one row per option, and the macro that turns rows into types.

use super::kind::Form;
use super::server::SECTIONS;

/// One option: where it can be given, what it must look like, and what it is for.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The dotted TOML key.
    pub key: &'static str,
    /// The long flag of `brim server`, without dashes, where there is one.
    pub flag: Option<&'static str>,
    pub form: Form,
    /// The value when nobody gives one, as it would be written in the environment.
    pub default: &'static str,
    /// A value as it is written in TOML.
    pub example: &'static str,
    pub doc: &'static str,
}

/// A group of options, in the order of the documentation.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    pub about: &'static str,
    pub rows: &'static [Row],
}

impl Row {
    /// The environment variable: `BRIM_`, then the key in upper case with underscores for dots.
    pub fn environment(&self) -> String {
        format!("BRIM_{}", self.key.to_ascii_uppercase().replace('.', "_"))
    }
}

/// Every option of `brim server`.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

/// Declares sections of options. Gives a struct per section, the struct that holds them all, and `SECTIONS`.
///
/// A field's type, key, kind, default, example, flag and documentation are written here and nowhere else.
macro_rules! options {
    (@flag) => { None };
    (@flag $flag:literal) => { Some($flag) };
    (
        $(#[doc = $config_doc:literal])+
        $Config:ident;
        $(
            $(#[doc = $section_doc:literal])+
            $section:ident: $Options:ident {
                $(
                    $(#[doc = $doc:literal])+
                    $key:literal => $field:ident: $type:ty = $kind:expr, default $default:literal,
                        example $example:literal $(, flag $flag:literal)?;
                )+
            }
        )+
    ) => {
        $(#[doc = $config_doc])+
        #[derive(Debug, Clone)]
        pub struct $Config {
            $( $(#[doc = $section_doc])+ pub $section: $Options, )+
            /// The accounts that the file declares.
            pub accounts: Vec<DeclaredAccount>,
            /// The certificates that the file names.
            pub certificates: Vec<Pair>,
            /// The custom domains that the file declares.
            pub sites: Vec<DeclaredSite>,
            /// The endpoints of notifications that the file declares.
            pub webhooks: Vec<DeclaredWebhook>,
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone)]
            pub struct $Options {
                $( $(#[doc = $doc])+ pub $field: $type, )+
            }

            impl $Options {
                fn read(reader: &mut Reader) -> Option<Self> {
                    $( let $field = reader.read($key, &$kind); )+
                    Some(Self { $( $field: $field?, )+ })
                }
            }
        )+

        impl $Config {
            /// Reads every option, so that every fault is found; `None` where there was one.
            pub(super) fn read(reader: &mut Reader) -> Option<Self> {
                $( let $section = $Options::read(reader); )+
                Some(Self {
                    $( $section: $section?, )+
                    accounts: reader.accounts(),
                    certificates: reader.certificates(),
                    sites: reader.sites(),
                    webhooks: reader.webhooks(),
                })
            }

            /// The keys of the options whose value is another one in `other`. Accounts, sites and webhooks are no options.
            pub fn changed(&self, other: &Self) -> Vec<&'static str> {
                let mut changed = Vec::new();
                $( $(
                    if self.$section.$field != other.$section.$field {
                        changed.push($key);
                    }
                )+ )+
                changed
            }
        }

        /// Every option, by section.
        pub const SECTIONS: &[Section] = &[
            $( Section {
                about: concat!($($section_doc),+),
                rows: &[ $( Row {
                    key: $key,
                    flag: options!(@flag $($flag)?),
                    form: $kind.form,
                    default: $default,
                    example: $example,
                    doc: concat!($($doc),+),
                }, )+ ],
            }, )+
        ];
    };
}
pub(super) use options;
