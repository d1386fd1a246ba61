//! `brim-edge`: the CDN cache.

fn main() -> std::process::ExitCode {
    brim::edge::main(std::env::args_os())
}
