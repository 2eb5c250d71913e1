//! Invented machines: trees of files with the habits that a kernel has with them. What a machine is was taken
//! from documentation of the kernel and of the vendors, not from one host. It must not know what is set.

// Each test program is a crate of its own and uses a part of this.
#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use host_setup::lease::list::{is_action, is_setting};
use host_setup::lease::tree::Tree;

pub const CPU: &str = "sys/devices/system/cpu";
pub const NODES: &str = "sys/devices/system/node";
pub const PCI: &str = "sys/bus/pci";

/// A machine in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    pub files: BTreeMap<String, String>,
    pub links: BTreeMap<String, String>,
    /// Files that refuse to be written.
    pub refusing: BTreeSet<String>,
    /// Files that take a value and keep another.
    pub stubborn: BTreeSet<String>,
    /// Hugepages of 2 MiB that a node has memory for, before and after compaction.
    pub hugepages_max: (u64, u64),
    /// Drivers that take a device without being told to, by address.
    pub native: BTreeMap<String, String>,
    /// After how many more writes whoever writes is dead; never if absent.
    pub writes_left: Option<usize>,
    /// What was ever written, and where.
    pub written: BTreeSet<String>,
}

impl Tree for Machine {
    fn read(&self, path: &str) -> io::Result<String> {
        let text = self.files.get(path).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(text.trim().to_owned())
    }

    fn write(&mut self, path: &str, value: &str) -> io::Result<()> {
        assert!(is_setting(path) || is_action(path), "{path} is no setting");
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::other("it is dead"))?;
        }
        self.written.insert(path.into());
        if self.refusing.contains(path) {
            return Err(io::Error::from(io::ErrorKind::PermissionDenied));
        }
        if self.stubborn.contains(path) {
            return Ok(());
        }
        let (folder, file) = path.rsplit_once('/').expect("a folder");
        if file == "compact_memory" {
            self.hugepages_max.0 = self.hugepages_max.1;
            return Ok(());
        }
        if file == "unbind" {
            let link = format!("{PCI}/devices/{value}/driver");
            return self.links.remove(&link).map(drop).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        }
        if file == "drivers_probe" {
            self.probe(value);
            return Ok(());
        }
        let Some(now) = self.files.get(path).cloned() else {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        };
        if path.ends_with("/smt/control") {
            self.switch_threads(value == "on");
        }
        let invalid = || io::Error::from(io::ErrorKind::InvalidInput);
        let text = match file {
            // A choice among words.
            "enabled" => {
                let words = now.replace(['[', ']'], "");
                if !words.split(' ').any(|word| word == value) {
                    return Err(invalid());
                }
                words
                    .split(' ')
                    .map(|word| if word == value { format!("[{word}]") } else { word.into() })
                    .collect::<Vec<_>>()
                    .join(" ")
            }
            "scaling_governor" => {
                let offered = self.read(&format!("{folder}/scaling_available_governors"))?;
                if !offered.split(' ').any(|word| word == value) {
                    return Err(invalid());
                }
                value.into()
            }
            "scaling_min_freq" | "scaling_max_freq" => {
                let number = |file: &str| self.read(&format!("{folder}/{file}")).ok()?.parse::<u64>().ok();
                let value: u64 = value.parse().map_err(|_| invalid())?;
                let passes = match file {
                    "scaling_min_freq" => number("scaling_max_freq").is_some_and(|max| value > max),
                    _ => number("scaling_min_freq").is_some_and(|min| value < min),
                };
                if passes {
                    return Err(invalid());
                }
                value.to_string()
            }
            "nr_hugepages" => {
                let value: u64 = value.parse().map_err(|_| invalid())?;
                let kept = value.min(self.hugepages_max.0).max(now.parse::<u64>().map_err(|_| invalid())?.min(value));
                kept.to_string()
            }
            "driver_override" if value.trim().is_empty() => "(null)".into(),
            "sriov_numvfs" => {
                let value: u64 = value.parse().map_err(|_| invalid())?;
                if now != "0" && value != 0 {
                    return Err(io::Error::from(io::ErrorKind::ResourceBusy));
                }
                self.make_vfs(folder, value);
                value.to_string()
            }
            _ => value.into(),
        };
        self.files.insert(path.into(), text);
        if file == "nr_hugepages" {
            // None of them is used.
            let free = format!("{folder}/free_hugepages");
            self.files.insert(free, self.files[path].clone());
        }
        Ok(())
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let below = |path: &String| Some(path.strip_prefix(folder)?.strip_prefix('/')?.split('/').next()?.to_owned());
        let names: BTreeSet<String> = self.files.keys().chain(self.links.keys()).filter_map(below).collect();
        names.into_iter().collect()
    }

    fn target(&self, path: &str) -> Option<String> {
        Some(self.links.get(path)?.rsplit('/').next()?.to_owned())
    }
}

impl Machine {
    pub fn file(&mut self, path: impl Into<String>, text: impl ToString) -> &mut Machine {
        self.files.insert(path.into(), text.to_string());
        self
    }

    pub fn link(&mut self, path: impl Into<String>, target: &str) -> &mut Machine {
        self.links.insert(path.into(), target.into());
        self
    }

    fn probe(&mut self, address: &str) {
        let told = self.files.get(&format!("{PCI}/devices/{address}/driver_override")).cloned();
        let driver = told.filter(|driver| driver != "(null)").or_else(|| self.native.get(address).cloned());
        let driver = driver.filter(|driver| !self.list(&format!("{PCI}/drivers/{driver}")).is_empty());
        if let Some(driver) = driver {
            self.links.entry(format!("{PCI}/devices/{address}/driver")).or_insert(format!("../drivers/{driver}"));
        }
    }

    /// Second threads of cores come and go. Interrupts that only they served are the first threads' then, and stay it.
    fn switch_threads(&mut self, on: bool) {
        let (mut online, mut firsts) = (Vec::new(), Vec::new());
        let numbers = |name: String| name.strip_prefix("cpu")?.parse::<u32>().ok();
        let mut cpus: Vec<u32> = self.list(CPU).into_iter().filter_map(numbers).collect();
        cpus.sort_unstable();
        for cpu in cpus {
            let siblings = &self.files[&format!("{CPU}/cpu{cpu}/topology/thread_siblings_list")];
            let is_first = siblings.split(',').next() == Some(&cpu.to_string());
            online.extend((on || is_first).then(|| cpu.to_string()));
            firsts.extend(is_first.then(|| cpu.to_string()));
        }
        self.file(format!("{CPU}/online"), online.join(","));
        for irq in self.list("proc/irq") {
            let path = format!("proc/irq/{irq}/smp_affinity_list");
            let Some(list) = self.files.get(&path) else { continue };
            // What the kernel lets nobody move is switched off with its CPUs, and comes back with them. A list with a range
            // in it is of all CPUs here.
            let is_managed = self.refusing.contains(&path) || self.stubborn.contains(&path);
            if !is_managed && !list.contains('-') && !list.split(',').any(|cpu| online.iter().any(|there| there == cpu))
            {
                self.file(path, firsts.join(","));
            }
        }
    }

    fn make_vfs(&mut self, device: &str, count: u64) {
        let old: Vec<String> =
            self.links.keys().filter(|path| path.contains("/virtfn") && path.starts_with(device)).cloned().collect();
        for link in old {
            if let Some(target) = self.links.remove(&link) {
                let address = target.rsplit('/').next().unwrap_or_default().to_owned();
                let prefix = format!("{PCI}/devices/{address}/");
                self.files.retain(|path, _| !path.starts_with(&prefix) && !path.ends_with(&address));
                self.links.retain(|path, _| !path.starts_with(&prefix));
            }
        }
        for number in 0..count {
            let address = format!("0000:3b:{:02x}.{:x}", 2 + number / 8, number % 8);
            self.link(format!("{device}/virtfn{number}"), &format!("../{address}"));
            self.device(&address, "0x020000", &format!("{}", 60 + number));
        }
    }

    /// A PCI device without a driver, alone in an IOMMU group.
    pub fn device(&mut self, address: &str, class: &str, group: &str) {
        let device = format!("{PCI}/devices/{address}");
        self.file(format!("{device}/class"), class).file(format!("{device}/driver_override"), "(null)");
        self.link(format!("{device}/iommu_group"), &format!("../../kernel/iommu_groups/{group}"));
        self.file(format!("sys/kernel/iommu_groups/{group}/devices/{address}"), "");
    }

    /// CPUs 0 to `cpus` - 1 of `nodes` nodes, numbered round robin, with `threads` siblings a core.
    pub fn cpus(cpus: u32, nodes: u32, threads: u32) -> Machine {
        let mut machine = Machine { hugepages_max: (4096, 8192), ..Machine::default() };
        let cores = cpus / threads;
        let all: Vec<String> = (0..cpus).map(|cpu| cpu.to_string()).collect();
        machine.file(format!("{CPU}/online"), all.join(","));
        for cpu in 0..cpus {
            let siblings: Vec<String> = (0..threads).map(|thread| (cpu % cores + thread * cores).to_string()).collect();
            machine
                .file(format!("{CPU}/cpu{cpu}/topology/physical_package_id"), cpu % nodes)
                .file(format!("{CPU}/cpu{cpu}/topology/thread_siblings_list"), siblings.join(","))
                .file(format!("{CPU}/cpu{cpu}/topology/core_cpus_list"), siblings.join(","));
        }
        for node in 0..nodes {
            let on: Vec<String> = (0..cpus).filter(|cpu| cpu % nodes == node).map(|cpu| cpu.to_string()).collect();
            machine.file(format!("{NODES}/node{node}/cpulist"), on.join(","));
            for size in ["2048", "1048576"] {
                let folder = format!("{NODES}/node{node}/hugepages/hugepages-{size}kB");
                machine.file(format!("{folder}/nr_hugepages"), 0).file(format!("{folder}/free_hugepages"), 0);
            }
        }
        machine
            .file(format!("{CPU}/smt/control"), if threads > 1 { "on" } else { "notsupported" })
            .file("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never")
            .file("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
            .file("sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet acpi_pm")
            .file("proc/sys/vm/nr_hugepages", 0)
            .file("proc/sys/vm/compact_memory", "")
            .file("proc/sys/kernel/nmi_watchdog", 1)
            .file("proc/sys/kernel/numa_balancing", u32::from(nodes > 1))
            .file("proc/irq/default_smp_affinity", mask(cpus))
            .file("proc/self/mounts", "sysfs /sys sysfs rw,nosuid 0 0\nproc /proc proc rw 0 0")
            .file("proc/meminfo", "MemTotal: 65536000 kB")
            .file("proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0")
            .file("dev/cpu_dma_latency", "\0\0\0\0");
        for irq in 0..2 * cpus {
            machine.file(format!("proc/irq/{}/smp_affinity_list", 24 + irq), irq % cpus);
        }
        machine.file("proc/irq/0/smp_affinity_list", format!("0-{}", cpus - 1));
        machine
    }

    pub fn processor(&mut self, model: &str, flags: &str) -> &mut Machine {
        let text = format!(
            "processor: 0\ncpu family: 6\nmodel: 79\nmodel name: {model}\nstepping: 1\nmicrocode: 0xb1\nflags: {flags}\n"
        );
        self.file("proc/cpuinfo", text)
    }

    /// A policy for each CPU.
    pub fn frequency(
        &mut self,
        cpus: u32,
        driver: &str,
        governors: &str,
        governor: &str,
        khz: (u64, u64),
    ) -> &mut Machine {
        for cpu in 0..cpus {
            let policy = format!("{CPU}/cpufreq/policy{cpu}");
            self.file(format!("{policy}/scaling_driver"), driver)
                .file(format!("{policy}/scaling_available_governors"), governors)
                .file(format!("{policy}/scaling_governor"), governor)
                .file(format!("{policy}/affected_cpus"), cpu)
                .file(format!("{policy}/cpuinfo_min_freq"), khz.0)
                .file(format!("{policy}/cpuinfo_max_freq"), khz.1)
                .file(format!("{policy}/scaling_min_freq"), khz.0)
                .file(format!("{policy}/scaling_max_freq"), khz.1);
        }
        self
    }

    pub fn idle(&mut self, states: &[(&str, u64)]) -> &mut Machine {
        self.file(format!("{CPU}/cpuidle/current_driver"), "intel_idle");
        for (place, (name, latency)) in states.iter().enumerate() {
            let state = format!("{CPU}/cpu0/cpuidle/state{place}");
            self.file(format!("{state}/name"), name)
                .file(format!("{state}/latency"), latency)
                .file(format!("{state}/disable"), 0);
        }
        self
    }

    pub fn irqbalance(&mut self) -> &mut Machine {
        self.file("proc/900/comm", "irqbalance")
            .file("proc/900/cgroup", "0::/system.slice/irqbalance.service")
            .file("sys/fs/cgroup/system.slice/irqbalance.service/cgroup.freeze", 0)
    }

    /// A network interface of a PCI device, with SR-IOV.
    pub fn nic(&mut self, name: &str, address: &str, driver: &str, vfs: u32) -> &mut Machine {
        self.device(address, "0x020000", "40");
        let (net, device) = (format!("sys/class/net/{name}/device"), format!("{PCI}/devices/{address}"));
        self.file(format!("{net}/sriov_totalvfs"), vfs)
            .file(format!("{net}/sriov_numvfs"), 0)
            .file(format!("{net}/sriov_drivers_autoprobe"), 1)
            .file(format!("{device}/net/{name}/address"), "02:00:00:00:00:01")
            .file(format!("{device}/sriov_numvfs"), 0)
            .file(format!("{PCI}/drivers/{driver}/module"), "")
            .file(format!("{PCI}/drivers/vfio-pci/module"), "");
        self.native.insert(address.into(), driver.into());
        self.link(format!("{device}/driver"), &format!("../drivers/{driver}"))
    }

    /// The paper's: two packages, hyper-threads, intel_pstate.
    pub fn r630(mode: &str) -> Machine {
        let mut machine = Machine::cpus(40, 2, 2);
        machine
            .processor("Intel(R) Xeon(R) CPU E5-2630 v4 @ 2.20GHz", "constant_tsc nonstop_tsc")
            .idle(&[("POLL", 0), ("C1", 2), ("C1E", 10), ("C6", 133)])
            .irqbalance()
            .nic("enp3s0f0", "0000:03:00.0", "ixgbe", 63)
            .file(format!("{CPU}/intel_pstate/status"), mode)
            .file(format!("{CPU}/intel_pstate/no_turbo"), 0);
        match mode {
            "active" => {
                machine.frequency(40, "intel_pstate", "performance powersave", "powersave", (1_200_000, 3_100_000))
            }
            _ => machine.frequency(
                40,
                "intel_cpufreq",
                "conservative ondemand userspace powersave performance schedutil",
                "schedutil",
                (1_200_000, 3_100_000),
            ),
        };
        machine
    }

    /// One package, no hyper-threads in use, `boost` in each policy as before Linux 6.11.
    pub fn epyc() -> Machine {
        let mut machine = Machine::cpus(32, 2, 1);
        machine
            .processor("AMD EPYC 9354 32-Core Processor", "constant_tsc nonstop_tsc")
            .idle(&[("POLL", 0), ("C1", 1), ("C2", 800)])
            .frequency(32, "amd-pstate-epp", "performance powersave", "powersave", (1_500_000, 3_800_000))
            .file(format!("{CPU}/amd_pstate/status"), "active");
        for cpu in 0..32 {
            machine.file(format!("{CPU}/cpufreq/policy{cpu}/boost"), 1);
        }
        machine
    }

    /// Performance and efficiency cores, on battery.
    pub fn laptop() -> Machine {
        let mut machine = Machine::cpus(12, 1, 1);
        machine
            .processor("13th Gen Intel(R) Core(TM) i7-1360P", "constant_tsc nonstop_tsc")
            .idle(&[("POLL", 0), ("C1_ACPI", 1), ("C2_ACPI", 127), ("C3_ACPI", 1048)])
            .frequency(12, "intel_pstate", "performance powersave", "powersave", (400_000, 5_000_000))
            .file("sys/devices/cpu_core/cpus", "0-3")
            .file("sys/devices/cpu_atom/cpus", "4-11")
            .file(format!("{CPU}/intel_pstate/status"), "active")
            .file(format!("{CPU}/intel_pstate/no_turbo"), 0);
        machine
    }

    /// No turbo switch, no x86 counters.
    pub fn arm() -> Machine {
        let mut machine = Machine::cpus(80, 1, 1);
        machine
            .file("proc/cpuinfo", "processor: 0\nCPU implementer: 0x41\nCPU part: 0xd0c\n")
            .frequency(
                80,
                "cppc_cpufreq",
                "conservative ondemand userspace powersave performance schedutil",
                "ondemand",
                (1_000_000, 3_000_000),
            )
            .file("sys/devices/system/clocksource/clocksource0/current_clocksource", "arch_sys_counter")
            .file("sys/devices/system/clocksource/clocksource0/available_clocksource", "arch_sys_counter");
        machine.files.remove("proc/sys/kernel/nmi_watchdog");
        machine
    }

    /// A guest: no frequency, no idle states, steal.
    pub fn guest() -> Machine {
        let mut machine = Machine::cpus(2, 1, 1);
        machine
            .processor("AMD EPYC", "constant_tsc nonstop_tsc hypervisor")
            .file("sys/class/dmi/id/sys_vendor", "QEMU")
            .file("proc/stat", "cpu  100 0 100 700 0 0 0 100 0 0\n");
        machine
    }

    /// Root of a container: `/sys` and parts of `/proc` cannot be written to.
    pub fn container() -> Machine {
        let mut machine = Machine::r630("active");
        let mounts = "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\nsysfs /sys sysfs ro,nosuid 0 0\n\
                      proc /proc/irq proc ro 0 0\nproc /proc/sys proc ro 0 0\ncgroup /sys/fs/cgroup cgroup2 ro 0 0\n";
        machine.file("proc/self/mounts", mounts).file(".dockerenv", "");
        machine.files.remove("dev/cpu_dma_latency");
        let sys: Vec<String> = machine.files.keys().filter(|path| is_setting(path)).cloned().collect();
        machine.refusing.extend(sys);
        machine
    }

    /// 30 virtual functions; their physical one carries the default route and an ssh connection.
    pub fn vfs() -> Machine {
        let mut machine = Machine::epyc();
        machine.nic("ens1f0", "0000:3b:00.0", "ice", 128).nic("ens1f1", "0000:3b:00.1", "ice", 128);
        machine.make_vfs("sys/class/net/ens1f0/device", 30);
        machine
            .file("sys/class/net/ens1f0/device/sriov_numvfs", 30)
            .file(format!("{PCI}/devices/0000:3b:00.0/sriov_numvfs"), 30);
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
                      ens1f0 00000000 0100000A 0003 0 0 0 00000000 0 0 0\n\
                      ens1f0 0000000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n\
                      ens1f1 0000A8C0 00000000 0001 0 0 0 0000FFFF 0 0 0\n";
        machine.file("proc/net/route", routes);
        machine
    }

    /// What differs from another: paths, what is here, what is there. What was written is not compared.
    pub fn differences(&self, other: &Machine) -> Vec<(String, Option<String>, Option<String>)> {
        let both = [(&self.files, &other.files), (&self.links, &other.links)];
        let differing = both.into_iter().flat_map(|(here, there)| {
            let paths: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
            paths.into_iter().map(|path| (path.clone(), here.get(path).cloned(), there.get(path).cloned()))
        });
        differing.filter(|(_, here, there)| here != there).collect()
    }

    /// Writes the machine as real files below a folder. A link that is also a folder becomes a folder.
    pub fn write_below(&self, root: &Path) {
        for (path, text) in &self.files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        for (path, target) in &self.links {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::os::unix::fs::symlink(target, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

/// Every file below a folder with its content; links are not followed.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut files, mut folders) = (BTreeMap::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("it can be listed") {
            let entry = entry.expect("it can be listed");
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => drop(files.insert(entry.path(), fs::read(entry.path()).expect("a file"))),
                _ => {}
            }
        }
    }
    files
}

fn mask(cpus: u32) -> String {
    let words = cpus.div_ceil(32);
    let word = |place: u32| {
        let bits = (cpus - 32 * place).min(32);
        format!("{:x}", (1u64 << bits) - 1)
    };
    (0..words).rev().map(word).collect::<Vec<_>>().join(",")
}
