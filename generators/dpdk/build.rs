//! With the feature `static`: passes DPDK's archives on to the linker. It must not know which there are.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // From the build script of septet-dpdk-sys, in pkg-config's order, which matters.
    let arguments = env::var("DEP_DPDK_STATIC_LINK_ARGS").unwrap_or_default();
    for argument in arguments.split_whitespace() {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
