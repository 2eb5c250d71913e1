//! Finds DPDK by pkg-config, binds what the allow-list names, and compiles the shim. It must not know versions
//! of DPDK: what differs between them is asked of the headers, by compiling a few lines.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};

/// Functions of DPDK's libraries; all else is behind the shim.
const FUNCTIONS: [&str; 20] = [
    "rte_eal_init",
    "rte_eal_cleanup",
    "rte_strerror",
    "rte_eth_dev_count_avail",
    "rte_eth_find_next",
    "rte_eth_dev_info_get",
    "rte_eth_dev_get_name_by_port",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_configure",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_rx_queue_setup",
    "rte_eth_tx_queue_setup",
    "rte_eth_promiscuous_enable",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_dev_close",
    "rte_eth_stats_get",
    "rte_pktmbuf_pool_create",
    "rte_mempool_free",
    "rte_mempool_avail_count",
];

/// What newer headers have, and the lines that compile only with it.
const PROBES: [(&str, &str); 1] = [(
    "SEPTET_HAS_RAW_BULK",
    "#include <rte_mbuf.h>\n\
     int probe(struct rte_mempool *pool, struct rte_mbuf **buffers);\n\
     int probe(struct rte_mempool *pool, struct rte_mbuf **buffers) {\n\
         rte_mbuf_raw_free_bulk(pool, buffers, 1);\n\
         return rte_mbuf_raw_alloc_bulk(pool, buffers, 1);\n\
     }\n",
)];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    for file in ["build.rs", "shim/shim.h", "shim/shim.c"] {
        println!("cargo:rerun-if-changed={file}");
    }
    let flags = compiler_flags()?;
    link()?;
    bind(&out, &flags)?;
    compile(&out, &flags)
}

/// The flags of DPDK's own compiler, in order: `-include` and `-march` are among them.
fn compiler_flags() -> Result<Vec<String>, Box<dyn Error>> {
    let output = std::process::Command::new("pkg-config").args(["--cflags", "libdpdk"]).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("failed to find libdpdk (Debian: apt-get install libdpdk-dev): {why}").into());
    }
    Ok(String::from_utf8(output.stdout)?.split_whitespace().map(str::to_owned).collect())
}

fn link() -> Result<(), Box<dyn Error>> {
    if env::var_os("CARGO_FEATURE_STATIC").is_none() {
        let library = pkg_config::Config::new().cargo_metadata(false).env_metadata(true).probe("libdpdk")?;
        for folder in library.link_paths {
            println!("cargo:rustc-link-search=native={}", folder.display());
        }
        // Of its hundred libraries those that the functions above are in; drivers are loaded when the EAL starts.
        for name in ["rte_ethdev", "rte_mbuf", "rte_mempool", "rte_eal"] {
            println!("cargo:rustc-link-lib={name}");
        }
        // Since 23.11 logs have a library of their own.
        if library.libs.iter().any(|name| name == "rte_log") {
            println!("cargo:rustc-link-lib=rte_log");
        }
        return Ok(());
    }
    // Whoever makes the program passes these on to its linker, for cargo does not.
    let output = std::process::Command::new("pkg-config").args(["--libs", "--static", "libdpdk"]).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("failed to find the static libraries of libdpdk: {why}").into());
    }
    println!("cargo:STATIC_LINK_ARGS={}", String::from_utf8(output.stdout)?.trim());
    Ok(())
}

fn bind(out: &Path, flags: &[String]) -> Result<(), Box<dyn Error>> {
    let mut builder = bindgen::Builder::default()
        .header("shim/shim.h")
        .clang_args(flags)
        .allowlist_function("septet_.*")
        .allowlist_type("septet_.*")
        .prepend_enum_name(false)
        .derive_default(false)
        .generate_comments(false)
        .layout_tests(false);
    for function in FUNCTIONS {
        builder = builder.allowlist_function(function);
    }
    // Only handed on: their insides are the shim's to know, and differ between versions.
    for opaque in ["rte_mbuf", "rte_mempool", "rte_device", "rte_eth_rxseg"] {
        builder = builder.opaque_type(opaque);
    }
    builder.generate()?.write_to_file(out.join("bindings.rs"))?;
    Ok(())
}

fn compile(out: &Path, flags: &[String]) -> Result<(), Box<dyn Error>> {
    let compiler = || {
        let mut build = cc::Build::new();
        build.opt_level(3).cargo_metadata(false).cargo_warnings(false);
        for flag in flags {
            build.flag(flag);
        }
        build
    };
    let mut shim = compiler();
    for (name, lines) in PROBES {
        let source = out.join(format!("{name}.c"));
        std::fs::write(&source, lines)?;
        if compiler().file(&source).flag("-Werror=implicit-function-declaration").try_compile(name).is_ok() {
            shim.define(name, None);
        }
    }
    shim.cargo_metadata(true).cargo_warnings(true).file("shim/shim.c").try_compile("septet_dpdk_shim")?;
    Ok(())
}
