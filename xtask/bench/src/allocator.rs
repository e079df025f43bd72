//! The allocator of all programs, in the variants of `bench tune` that have another one.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
