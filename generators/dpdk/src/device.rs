//! The one port that the EAL has: opened, started, asked, closed. It must not know packets or traffic.

use std::ffi::{CStr, c_char, c_uint};
use std::marker::PhantomData;

use dpdk_sys as sys;
use generators::failure::Failure;

use crate::drivers::{Manners, UNNOTICED, manners};
use crate::eal::{Eal, checked};
use crate::log;
use crate::pool::Pool;

/// Descriptors of a queue at least, for drivers that leave the choice to whoever opens the port; those that would have
/// more get them. Those of virtio-user are chosen by its argument `queue_size`.
const DESCRIPTORS: u16 = 1024;

/// Lengths that the queues of virtio may have.
const QUEUE_LENGTHS: [u16; 11] = [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];

/// A port that has been configured, and that is closed when dropped.
#[derive(Debug)]
pub struct Device<'eal> {
    port: u16,
    name: String,
    queues: u16,
    info: sys::rte_eth_dev_info,
    manners: Manners,
    /// Descriptors of each queue, in and out.
    descriptors: (u16, u16),
    eal: PhantomData<&'eal Eal>,
}

impl<'eal> Device<'eal> {
    /// Configures the only port with `queues` queues each way.
    ///
    /// # Errors
    /// There is no port, or there are several; its driver complains (virtio-user, for one, goes on without memory
    /// that its peer can see, and stays dead); it has not so many queues; it cannot be configured.
    pub fn configure(_: &'eal Eal, queues: u16) -> Result<Self, Failure> {
        // SAFETY: the EAL runs, as in all calls of this file: a device borrows it.
        let (count, port) = unsafe { (sys::rte_eth_dev_count_avail(), sys::rte_eth_find_next(0)) };
        if count != 1 {
            let found = format!("open the DPDK port: the arguments make {count} ports, they must make 1");
            // A device that cannot be made the EAL only complains about.
            return Err(match log::complaint() {
                Some(complaint) => Failure::because(found, complaint),
                None => Failure::new(found),
            });
        }
        if let Some(complaint) = log::driver_complaint() {
            return Err(Failure::because("open the DPDK port", complaint));
        }
        let mut name = [0 as c_char; sys::SEPTET_NAME_MAX as usize];
        // SAFETY: all zeros is a valid value of this structure of numbers and pointers; the pointers are to ours,
        // and the name has the length that DPDK asks for.
        let (info, name) = unsafe {
            let mut info: sys::rte_eth_dev_info = std::mem::zeroed();
            let told = checked(sys::rte_eth_dev_get_name_by_port(port, name.as_mut_ptr()))
                .and_then(|_| checked(sys::rte_eth_dev_info_get(port, &mut info)));
            told.map_err(|error| Failure::because(format!("ask DPDK port {port} what it is"), error))?;
            (info, CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned())
        };
        let most = info.max_rx_queues.min(info.max_tx_queues);
        if queues > most {
            return Err(Failure::new(format!(
                "accept the request: queues is {queues}, the port {name} has {most} (its argument queues= says how many)"
            )));
        }
        let manners = match info.driver_name.is_null() {
            true => manners(""),
            // SAFETY: the driver's name is a constant string of the driver.
            false => manners(&unsafe { CStr::from_ptr(info.driver_name) }.to_string_lossy()),
        };
        let descriptors =
            (info.default_rxportconf.ring_size.max(DESCRIPTORS), info.default_txportconf.ring_size.max(DESCRIPTORS));
        let mut device = Self { port, name, queues, info, manners, descriptors, eal: PhantomData };
        device.set_up().map_err(|error| device.failure("configure", error))?;
        Ok(device)
    }

    fn set_up(&mut self) -> Result<(), String> {
        // SAFETY: all zeros is a valid configuration: no offloads, no modes.
        let mut conf: sys::rte_eth_conf = unsafe { std::mem::zeroed() };
        conf.txmode.offloads = self.offloads();
        let spread = self.info.flow_type_rss_offloads & sys::SEPTET_RSS_UDP as u64;
        if self.queues > 1 && spread != 0 {
            conf.rxmode.mq_mode = sys::RTE_ETH_MQ_RX_RSS;
            conf.rx_adv_conf.rss_conf.rss_hf = spread;
        }
        // SAFETY: the port exists; the pointers are to values of ours, which are read or written at once.
        unsafe {
            checked(sys::rte_eth_dev_configure(self.port, self.queues, self.queues, &conf))?;
            let (receive, send) = (&mut self.descriptors.0, &mut self.descriptors.1);
            checked(sys::rte_eth_dev_adjust_nb_rx_tx_desc(self.port, receive, send))?;
        }
        Ok(())
    }

    /// Buffers of ours are all of one pool and never shared: some drivers give such ones back faster.
    fn offloads(&self) -> u64 {
        self.info.tx_offload_capa & u64::from(sys::SEPTET_TX_FAST_FREE)
    }

    /// Sets up the queues, `incoming` being where received packets are put, and starts. Pools must outlive the
    /// device.
    ///
    /// # Errors
    /// The driver's; also what it only complains about.
    pub fn start(&mut self, incoming: &Pool) -> Result<(), Failure> {
        self.start_queues(incoming).map_err(|error| self.failure("start", error))
    }

    fn start_queues(&mut self, incoming: &Pool) -> Result<(), String> {
        let mut send_conf = self.info.default_txconf;
        send_conf.offloads = self.offloads();
        if self.manners.returns_when_fetched {
            send_conf.tx_free_thresh = self.most_often(&send_conf);
        }
        let socket = self.socket() as c_uint;
        for queue in 0..self.queues {
            // SAFETY: the port is configured with so many queues; the structures are ours and copied; the pool
            // outlives the device, as is said above.
            unsafe {
                let receive_conf = &self.info.default_rxconf;
                checked(sys::rte_eth_rx_queue_setup(
                    self.port,
                    queue,
                    self.descriptors.0,
                    socket,
                    receive_conf,
                    incoming.raw(),
                ))?;
                checked(sys::rte_eth_tx_queue_setup(self.port, queue, self.descriptors.1, socket, &send_conf))?;
            }
        }
        // SAFETY: the port is configured and its queues are set up.
        unsafe {
            checked(sys::rte_eth_dev_start(self.port))?;
            // A port that has no filter to switch off refuses.
            sys::rte_eth_promiscuous_enable(self.port);
        }
        log::driver_complaint().map_or(Ok(()), Err)
    }

    /// The largest free threshold, with which the driver looks most often for buffers that were fetched: the
    /// length of its queues, which it does not tell, less [`UNNOTICED`]. So it is tried out.
    fn most_often(&self, conf: &sys::rte_eth_txconf) -> u16 {
        let mut most = conf.tx_free_thresh;
        for length in QUEUE_LENGTHS {
            let conf = sys::rte_eth_txconf { tx_free_thresh: length - UNNOTICED, ..*conf };
            // SAFETY: the port is configured with at least one queue; the structure is ours and copied.
            let refused = unsafe {
                sys::rte_eth_tx_queue_setup(self.port, 0, self.descriptors.1, self.socket() as c_uint, &conf)
            };
            if refused < 0 {
                break;
            }
            most = conf.tx_free_thresh;
        }
        log::complaint();
        most
    }

    /// The NUMA node it is near.
    pub fn socket(&self) -> i32 {
        // SAFETY: the port exists.
        unsafe { sys::rte_eth_dev_socket_id(self.port) }
    }

    /// The port's number in DPDK.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The device's name, as in EAL's arguments.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many queues the device has each way.
    pub fn queues(&self) -> u16 {
        self.queues
    }

    /// Buffers that its queues can hold, in and out.
    pub fn buffers(&self) -> (usize, usize) {
        let all = |descriptors| usize::from(descriptors) * usize::from(self.queues);
        (all(self.descriptors.0), all(self.descriptors.1))
    }

    /// What is known of its driver.
    pub fn manners(&self) -> Manners {
        self.manners
    }

    /// Whether its link is up. Drivers that wait for a connection look for one now.
    ///
    /// # Errors
    /// The driver's.
    pub fn link(&self) -> Result<bool, String> {
        // SAFETY: the port is started.
        checked(unsafe { sys::septet_link(self.port) }).map(|up| up == 1)
    }

    /// Packets that came and found no room, so far.
    ///
    /// # Errors
    /// The driver's.
    pub fn drops(&self) -> Result<u64, String> {
        // SAFETY: all zeros is a valid value of this structure of numbers, and the pointer is to ours.
        unsafe {
            let mut stats: sys::rte_eth_stats = std::mem::zeroed();
            checked(sys::rte_eth_stats_get(self.port, &mut stats))?;
            Ok(stats.imissed + stats.rx_nombuf)
        }
    }

    fn failure(&self, what: &str, error: String) -> Failure {
        Failure::because(format!("{what} the DPDK port {}", self.name), error)
    }
}

impl Drop for Device<'_> {
    fn drop(&mut self) {
        // SAFETY: the port exists, and nobody else uses it. What cannot be closed ends with the process.
        unsafe {
            sys::rte_eth_dev_stop(self.port);
            sys::rte_eth_dev_close(self.port);
        }
    }
}
