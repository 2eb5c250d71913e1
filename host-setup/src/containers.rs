//! What containers are made of, as text for keys and as the values that the worker makes them with: the two
//! cannot differ. Pure. It must not know how they are made.

use crate::scene::{OUTPUT_FOLDER, PORT_FOLDER, Runtime};

/// Devices in every container.
pub(crate) const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Folders of the root.
pub(crate) const FOLDERS: [&str; 4] = ["bin", "dev", "out", "proc"];
/// Folders more, of a root whose application has a vhost-user port; modules of the kernel there are none to see.
pub(crate) const PORT_FOLDERS: [&str; 3] = ["port", "sys", "sys/module"];
/// What such a container sees of the kernel's: CPUs, NUMA nodes and hugepages.
pub(crate) const KERNEL_FOLDERS: [&str; 2] = ["sys/devices/system", "sys/kernel/mm"];
/// Capabilities that an application keeps, by name and number: raw sockets, and socket buffers beyond the
/// host's limit.
pub(crate) const CAPABILITIES: [(&str, u64); 2] = [("net_admin", 12), ("net_raw", 13)];
/// All that an application finds in its environment, as long as its runtime adds nothing.
pub(crate) const ENVIRONMENT: &std::ffi::CStr = c"PATH=/bin:/usr/bin:/usr/sbin";

/// How containers of a runtime whose link is a vhost-user socket are made, as [`render`] says it of others.
pub fn render_vhost_user(runtime: Runtime) -> String {
    let mut text = render(runtime);
    text.push_str(&format!(
        "port {PORT_FOLDER} shared nosuid nodev noexec\nproc own\nfolders {}\nread-only {}\nlibraries at their own paths\n",
        PORT_FOLDERS.join(","),
        KERNEL_FOLDERS.join(",")
    ));
    text
}

/// How containers of a runtime whose application gets a virtual function whole are made, as [`render`] says it of others.
pub fn render_function(runtime: Runtime) -> String {
    let mut text = render_vhost_user(runtime);
    text.push_str("devices vfio\nsys whole read-only\nlocked memory unlimited\n");
    text
}

/// How containers of a runtime are made, without what differs from container to container: one value a line,
/// to be part of keys, like the configuration of a switch.
pub fn render(runtime: Runtime) -> String {
    let capabilities = CAPABILITIES.map(|(name, _)| name).join(" ");
    let mut text = format!(
        "root read-only nosuid folders={} devices={}\noutput {OUTPUT_FOLDER} tmpfs nosuid nodev noexec\n\
         session own\ncapabilities {capabilities}\nno-new-privileges on\nenvironment {}\n",
        FOLDERS.join(","),
        DEVICES.join(","),
        ENVIRONMENT.to_string_lossy(),
    );
    match runtime {
        Runtime::Netns => text.push_str("namespaces mount pid net ipc uts\n"),
        Runtime::Lxc => text.push_str(&lxc_configuration("NAME", "ROOT", "OUTPUT", None, false)),
    }
    text
}

/// What LXC is told. `lxc.net.0.type = none` leaves the container in the network namespace that it is started
/// in, which is its own already and has the link.
pub(crate) fn lxc_configuration(name: &str, root: &str, output: &str, port: Option<&str>, own_proc: bool) -> String {
    let capabilities = CAPABILITIES.map(|(name, _)| name).join(" ");
    let inside = OUTPUT_FOLDER.trim_start_matches('/');
    let port = port.map_or(String::new(), |port| {
        let inside = PORT_FOLDER.trim_start_matches('/');
        format!("lxc.mount.entry = {port} {inside} none bind,nosuid,nodev,noexec 0 0\n")
    });
    let proc = if own_proc { "lxc.mount.auto = proc:mixed\n" } else { "" };
    format!(
        "lxc.uts.name = {name}\n\
         lxc.rootfs.path = dir:{root}\n\
         lxc.rootfs.options = ro\n\
         lxc.mount.entry = {output} {inside} none bind,nosuid,nodev,noexec 0 0\n\
         lxc.net.0.type = none\n\
         lxc.autodev = 0\n\
         lxc.console.path = none\n\
         lxc.tty.max = 0\n\
         lxc.pty.max = 0\n\
         lxc.cap.keep = {capabilities}\n\
         lxc.no_new_privs = 1\n\
         lxc.apparmor.profile = unconfined\n\
         {port}{proc}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If these must change, every measurement in such containers becomes dirty.
    #[test]
    fn makings_are_pinned() {
        let digest = |runtime| blake3::hash(render(runtime).as_bytes()).to_hex().to_string();
        assert_eq!(
            digest(Runtime::Netns),
            "da4f15ff14e6344bc358fb8f366b7af02367810fc12cd44df6e849e787183b3c",
            "{}",
            render(Runtime::Netns)
        );
        assert_eq!(
            digest(Runtime::Lxc),
            "a1135b3c07bccc733c570a9ebaa510614721feef02599b86178af24ecbd5b9dc",
            "{}",
            render(Runtime::Lxc)
        );
    }
}
