//! Certificates from an authority, by ACME (RFC 8555).
