//! The `claviger` binary: harden the process, then run the command line.

/// Every freed byte is wiped, whichever crate held it.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> =
    zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> std::process::ExitCode {
    claviger_platform::harden();
    claviger_cli::main()
}
