"""What happens to vostool's files when the power fails, disks fill, bytes rot and runs meet."""
