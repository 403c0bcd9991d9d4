//! Recognises file systems that are on other machines.

/// Network file systems by their numbers in Linux (statfs(2), `linux/magic.h`).
const NETWORKS: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0xFF53_4D42, "SMB"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
];

/// Returns the name of the network file system with that number. File systems that run as programs (FUSE) can't be told from
/// local ones.
pub(super) fn name(number: u32) -> Option<&'static str> {
    NETWORKS.iter().find(|(known, _)| *known == number).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Disk as _;
    use crate::real::RealDisk;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for (number, known) in [
            (0x6969, Some("NFS")),
            (0xFF53_4D42, Some("SMB")),
            (0x00C3_6400, Some("Ceph")),
            // ext4, tmpfs, overlayfs, btrfs, xfs, FUSE.
            (0xEF53, None),
            (0x0102_1994, None),
            (0x794C_7630, None),
            (0x9123_683E, None),
            (0x5846_5342, None),
            (0x6573_5546, None),
            (0, None),
            (u32::MAX, None),
        ] {
            assert_eq!(name(number), known, "{number:#x}");
        }
        let here = tempfile::tempdir().unwrap();
        assert_eq!(RealDisk.network(here.path()).unwrap(), None);
        assert!(RealDisk.network(Path::new("/nowhere/at/all")).is_err());
    }
}
