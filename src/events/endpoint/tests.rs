//! Endpoints as those who use them see them.
