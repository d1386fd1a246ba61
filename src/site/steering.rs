//! Which objects a site goes by, besides serving them.

use super::deploy::{FILES, PREFIX};
use super::{HEADERS, REDIRECTS};

/// Whether what is stored at `key` says how its bucket's site answers: options, rules, the pointer to the live deploy, and
/// manifests. Whoever keeps these in memory has to learn of every change. The files of deploys only are what their names say.
pub fn steers(key: &str) -> bool {
    key == REDIRECTS || key == HEADERS || (key.starts_with(PREFIX) && !key.starts_with(FILES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_rules_pointer_and_manifests_steer_a_site_and_its_files_do_not() {
        for key in ["_redirects", "_headers", ".brim/site.toml", ".brim/current", ".brim/deploys/abcdefghij.json"] {
            assert!(steers(key), "{key}");
        }
        for key in ["", "index.html", "a/_redirects", ".brim/files/0", ".brim", ".brimstone", "404.html"] {
            assert!(!steers(key), "{key}");
        }
    }
}
