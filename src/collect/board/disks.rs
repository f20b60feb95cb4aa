//! What went through each disk, and how worn an eMMC is.
//!
//! ```text
//! sys/block/mmcblk0/stat
//!     4411  2087  312098  9212  90212  61330  4213870  771203  0  104512  780415
//! sys/block/mmcblk0/device/life_time        0x02 0x01
//! sys/block/mmcblk0/device/pre_eol_info     0x01
//! ```
//!
//! Of `stat` the third and the seventh column are read, the same numbers as in `/proc/diskstats`: sectors of 512 bytes,
//! whatever the disk's own sectors are. A disk is what has a device of its own: partitions are no entries of `sys/block`,
//! and loops, RAM disks, zram, device mapper and RAID have no device, so that nothing counts twice. The boot areas of
//! an eMMC and optical drives are left out.
//!
//! `life_time` tells for two kinds of memory (A, mostly SLC, and B, mostly MLC) in steps of a tenth how much of
//! the estimated life is used up: 1 is up to 10 %, 11 is more than all of it, 0 is not defined. `pre_eol_info` is 1 where
//! reserved blocks are left, 2 from 80 % of them used, 3 from 90 %. SD cards tell neither.
//!
//! Formats: <https://docs.kernel.org/block/stat.html>, <https://docs.kernel.org/driver-api/mmc/mmc-dev-attrs.html>

use super::probe::{Probe, label};

/// Bytes read since the board started.
pub const READ: &str = "Chouette.board.disk.bytes.read";
/// Bytes written since the board started.
pub const WRITTEN: &str = "Chouette.board.disk.bytes.written";
/// How much of the life of an eMMC is used up, per cent, in tenths rounded up.
pub const WEAR: &str = "Chouette.board.emmc.wear";
/// What is left of its reserved blocks: 1 is enough, 2 little, 3 hardly any.
pub const PRE_EOL: &str = "Chouette.board.emmc.pre_eol";

const BLOCK: &str = "sys/block";
const SECTOR_BYTES: i128 = 512;
/// Beyond the last tenth of the life.
const LIFE_TIME_MAX: u32 = 11;
const PRE_EOL_MAX: u32 = 3;

pub(super) fn traffic(probe: &mut Probe<'_>) {
    probe.each(BLOCK, "", &mut |probe, disk| {
        if !is_left_out(disk)
            && probe.text("device/uevent").is_some()
            && let Some(text) = probe.text("stat")
        {
            let mut columns = text.split_ascii_whitespace();
            if let Some(read) = probe.number("sectors read", columns.nth(2), 0, u64::MAX)
                && let Some(written) = probe.number("sectors written", columns.nth(3), 0, u64::MAX)
            {
                let tag = label("disk:", disk, "");
                probe.push_whole(READ, &[&tag], read * SECTOR_BYTES);
                probe.push_whole(WRITTEN, &[&tag], written * SECTOR_BYTES);
            }
        }
        true
    });
}

fn is_left_out(disk: &str) -> bool {
    disk.starts_with("sr") || disk.starts_with("mmcblk") && disk.contains("boot")
}

pub(super) fn wear(probe: &mut Probe<'_>) {
    probe.each(BLOCK, "mmcblk", &mut |probe, disk| {
        if is_left_out(disk) {
            return true;
        }
        let tag = label("disk:", disk, "");
        let levels = probe.hexadecimal("device/life_time", 2, LIFE_TIME_MAX);
        for (level, memory) in levels.iter().zip(["memory:a", "memory:b"]) {
            if *level > 0 {
                probe.push_whole(WEAR, &[&tag, memory], i128::from(*level) * 10);
            }
        }
        for level in &probe.hexadecimal("device/pre_eol_info", 1, PRE_EOL_MAX) {
            if *level > 0 {
                probe.push_whole(PRE_EOL, &[&tag], (*level).into());
            }
        }
        true
    });
}
