//! `brim-edge`: the CDN cache.

/// Several connections at once take and give back memory of each other's: glibc's allocator has them wait for that.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> std::process::ExitCode {
    brim::edge::main(std::env::args_os())
}
