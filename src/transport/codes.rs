//! Tables of error codes, as every transport has one in its own words.

/// Declares the codes, one row each: code, HTTP status, message.
macro_rules! error_codes {
    ($(#[$documentation:meta])+ $($code:ident $status:literal $message:literal)*) => {
        $(#[$documentation])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($code),*
        }

        impl Code {
            /// Every code, in alphabetical order.
            #[allow(dead_code, reason = "of some tables only tests go through all codes")]
            pub const ALL: &[Self] = &[$(Self::$code),*];

            /// The code as it stands in the document.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$code => stringify!($code)),*
                }
            }

            /// The HTTP status that goes with the code.
            pub const fn status(self) -> u16 {
                match self {
                    $(Self::$code => $status),*
                }
            }

            /// The message for a client, where there is nothing more particular to say.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$code => $message),*
                }
            }
        }
    };
}

pub(crate) use error_codes;
